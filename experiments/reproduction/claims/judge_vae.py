"""What the paper says of the standard VAE (Sections 3.1 and 3.2, Figure 2A), beside the losses of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.stats import spearmanr

from experiments.reproduction.claims.claim import Claim, Judge
from experiments.reproduction.claims.ladder import Ladder, ladder_of_beta, on_ladder

# L_RC of 0.1 is a mean angle of 18 degrees between input and output.
SMALL_RECONSTRUCTION = 0.1
# Share by which L_H may differ from the inputs to be called the same; the uniform state differs by a tenth.
SAME_ENERGY = 0.02
# Share of L_RC at the largest beta from which on it is called large, and by how much it may change on a plateau.
LARGE_SHARE, PLATEAU = 0.5, 1.05
# Rank correlation from which on two losses are called similar.
SIMILAR = 0.8
# Share of the largest FFT-MSE of the ladder from which on generated states are called various.
VARIOUS_SHARE = 0.1
UNIFORM_MAGNETIZATION = 0.99
# L_KL below which the posterior has collapsed: one bit.
COLLAPSED_KL = math.log(2)


def small_reconstruction(ladder: Ladder) -> Claim:
    small = ladder.part(lambda beta: beta <= 1e-4)
    largest = max(small.losses("reconstruction_loss"), default=None)
    holds = None if largest is None else largest <= SMALL_RECONSTRUCTION
    return Claim(small.in_words("reconstruction_loss"), holds, largest)


def energy_of_the_inputs(ladder: Ladder) -> Claim:
    small, data = ladder.part(lambda beta: beta <= 1e-4), ladder.data["data_hamiltonian_loss"]
    differences = [abs(loss / data - 1) for loss in small.losses("hamiltonian_loss")]
    return Claim(
        f"{small.in_words('hamiltonian_loss')}; data {data:.5f}",
        max(differences) <= SAME_ENERGY if differences else None,
        100 * max(differences) if differences else None,
    )


def rising_reconstruction(ladder: Ladder) -> Claim:
    middle = ladder.part(lambda beta: 1e-4 <= beta <= 1e-2)
    reconstruction, divergence = (middle.losses(loss) for loss in ("reconstruction_loss", "kl_loss"))
    reached = _reaches_middle(middle)
    return Claim(
        f"{middle.in_words('reconstruction_loss')}; {middle.in_words('kl_loss')}",
        _rises(reconstruction) and _rises(divergence[::-1]) if reached else None,
        reconstruction[-1] / reconstruction[0] if reached else None,
    )


def large_reconstruction(ladder: Ladder) -> Claim:
    at_middle = ladder.part(lambda beta: beta == 1e-2).losses("reconstruction_loss")
    finished = bool(at_middle) and ladder.weights[-1] > 1e-2
    return Claim(
        ladder.part(lambda beta: beta >= 1e-2).in_words("reconstruction_loss"),
        at_middle[0] >= LARGE_SHARE * ladder.losses("reconstruction_loss")[-1] if finished else None,
        at_middle[0] if at_middle else None,
    )


def rising_energy(ladder: Ladder) -> Claim:
    energies, betas, data = ladder.losses("hamiltonian_loss"), ladder.weights, ladder.data["data_hamiltonian_loss"]
    first, last = energies[0], energies[-1]
    reached = _reaches_middle(ladder)
    return Claim(
        f"L_H {first:.5f} at beta = {betas[0]:g}, {last:.5f} at {betas[-1]:g}; data {data:.5f}",
        last > max(first, data) if reached else None,
        last - first if reached else None,
    )


def similar_energy(ladder: Ladder) -> Claim:
    reached = _reaches_middle(ladder) and len(ladder.stages) > 3
    correlation = _rank_correlation(ladder.losses("reconstruction_loss"), ladder.losses("hamiltonian_loss"))
    return Claim(
        f"{ladder.in_words('hamiltonian_loss')}; {ladder.in_words('reconstruction_loss')}",
        correlation >= SIMILAR if reached else None,
        correlation if reached else None,
    )


def posterior_collapse(ladder: Ladder) -> Claim:
    found, largest = ladder.transitions.get("beta_c"), ladder.weights[-1]
    reached = ladder.interval("beta_c") if found else f"none up to beta = {largest:g}"
    return Claim(
        f"{reached}; {ladder.data['beta_c_expected']:.2g} expected from the principal components of the data",
        1e-3 <= found["mark"] <= 1e-1 if found else None if largest < 1 else False,
        found["mark"] if found else None,
    )


def constant_reconstruction(ladder: Ladder) -> Claim:
    beyond = _beyond_collapse(ladder)
    values = beyond.losses("reconstruction_loss")
    decided = len(values) > 1
    return Claim(
        beyond.in_words("reconstruction_loss"),
        max(values) <= PLATEAU * min(values) if decided else None,
        max(values) / min(values) if decided else None,
    )


def uniform_state(ladder: Ladder) -> Claim:
    magnetizations = [stage["magnetization_z"] for stage in _beyond_collapse(ladder).stages]
    smallest = min(map(abs, magnetizations), default=None)
    words = ", ".join(f"{value:.4f}" for value in magnetizations)
    return Claim(
        f"m_z {words}" if magnetizations else "no stage beyond the collapse",
        None if smallest is None else smallest >= UNIFORM_MAGNETIZATION,
        smallest,
    )


def various_states(ladder: Ladder) -> Claim:
    proper = ladder.part(lambda beta: 1e-4 <= beta <= 1e-3)
    largest = max(stage["fft_mse"] for stage in ladder.stages)
    shares = [stage["fft_mse"] / largest for stage in proper.stages]
    informed = all(loss > COLLAPSED_KL for loss in proper.losses("kl_loss"))
    decided = bool(shares) and _reaches_middle(ladder)
    return Claim(
        f"{proper.in_words('kl_loss')}; FFT-MSE " + ", ".join(f"{share:.2f}" for share in shares),
        informed and min(shares) >= VARIOUS_SHARE if decided else None,
        min(shares) if decided else None,
    )


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's; zero where one of the two does not change."""
    constant = min(map(len, (set(first), set(second)))) < 2
    return 0.0 if constant else float(spearmanr(first, second)[0])


def _beyond_collapse(ladder: Ladder) -> Ladder:
    found = ladder.transitions.get("beta_c")
    return ladder.part(lambda beta: found is not None and beta >= found["after"])


def _reaches_middle(ladder: Ladder) -> bool:
    """Whether a ladder of beta goes on to 1e-2, up to which the paper describes it step by step."""
    return len(ladder.stages) > 1 and ladder.weights[-1] >= 1e-2


def _rises(values: Sequence[float]) -> bool:
    return all(later > earlier for earlier, later in zip(values, values[1:], strict=False))


_ON_BETA: dict[str, Callable[[Ladder], Claim]] = {
    "vae-small-reconstruction": small_reconstruction,
    "vae-energy-of-inputs": energy_of_the_inputs,
    "vae-rising-reconstruction": rising_reconstruction,
    "vae-large-reconstruction": large_reconstruction,
    "vae-similar-energy": similar_energy,
    "vae-rising-energy": rising_energy,
    "vae-posterior-collapse": posterior_collapse,
    "vae-constant-reconstruction": constant_reconstruction,
    "vae-uniform-state": uniform_state,
    "vae-various-states": various_states,
}
JUDGES: dict[str, Judge] = {id: on_ladder(ladder_of_beta, judge) for id, judge in _ON_BETA.items()}

"""What the paper says of the standard VAE (Section 3.1 and Figure 2A), beside what a run shows."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import spearmanr

from keras_evae.analysis.transitions import COLLAPSED_KL
from keras_evae.evaluation.loss_claims import DataReference, Stages, in_words, interval, losses_of, vae_transitions
from keras_evae.evaluation.sections import Claim

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


def vae_claims(name: str, stages: Stages, estimate: float, data: DataReference) -> list[Claim]:
    """Section 3.1, the standard VAE.

    Args:
        name: Of the run.
        stages: Its ladder of beta.
        estimate: beta_c from the principal components of the data.
        data: What the training data say.
    """
    return [
        _small_reconstruction(name, stages),
        _energy_of_the_inputs(name, stages, data),
        _rising_reconstruction(name, stages),
        _large_reconstruction(name, stages),
        _rising_energy(name, stages, data),
        _similar_energy(name, stages),
        _posterior_collapse(name, stages, estimate),
        _constant_reconstruction(name, stages),
        _uniform_state(name, stages),
        _various_states(name, stages),
    ]


def _small_reconstruction(name: str, stages: Stages) -> Claim:
    small = _up_to_small(stages)
    largest = max(losses_of(small, "reconstruction_loss"), default=None)
    return Claim(
        f"{name}: L_RC is almost zero for small beta (1e-6 to 1e-4)",
        f"L_RC at most {SMALL_RECONSTRUCTION} (18 degrees between input and output) at each beta up to 1e-4",
        in_words(small, "beta", "reconstruction_loss"),
        None if largest is None else largest <= SMALL_RECONSTRUCTION,
        "largest L_RC up to beta = 1e-4",
        largest,
    )


def _energy_of_the_inputs(name: str, stages: Stages, data: DataReference) -> Claim:
    small = _up_to_small(stages)
    differences = [abs(loss / data.hamiltonian_loss - 1) for loss in losses_of(small, "hamiltonian_loss")]
    return Claim(
        f"{name}: for small beta (1e-6 to 1e-4) L_H is nearly that of the inputs",
        f"L_H within {SAME_ENERGY:.0%} of that of the data at each beta up to 1e-4",
        f"{in_words(small, 'beta', 'hamiltonian_loss')}; data {data.hamiltonian_loss:.5f}",
        max(differences) <= SAME_ENERGY if differences else None,
        "largest difference from L_H of the data, per cent",
        100 * max(differences) if differences else None,
    )


def _rising_reconstruction(name: str, stages: Stages) -> Claim:
    middle = [stage for stage in stages if 1e-4 <= stage.beta <= 1e-2]
    reconstruction, divergence = (losses_of(middle, loss) for loss in ("reconstruction_loss", "kl_loss"))
    reached = _reaches_middle(middle)
    return Claim(
        f"{name}: from there up to beta = 1e-2, L_RC rises and L_KL falls",
        "at each step of the ladder from beta = 1e-4 to 1e-2",
        f"{in_words(middle, 'beta', 'reconstruction_loss')}; {in_words(middle, 'beta', 'kl_loss')}",
        _rises(reconstruction) and _rises(divergence[::-1]) if reached else None,
        "L_RC at beta = 1e-2 over that at 1e-4",
        reconstruction[-1] / reconstruction[0] if reached else None,
    )


def _large_reconstruction(name: str, stages: Stages) -> Claim:
    at_middle = [loss for stage, loss in zip(stages, _reconstructions(stages), strict=True) if stage.beta == 1e-2]
    finished = bool(at_middle) and stages[-1].beta > 1e-2
    return Claim(
        f"{name}: at beta of about 1e-2 L_RC is large",
        f"L_RC at beta = 1e-2 at least {LARGE_SHARE:g} of that at the largest beta",
        in_words([stage for stage in stages if stage.beta >= 1e-2], "beta", "reconstruction_loss"),
        at_middle[0] >= LARGE_SHARE * _reconstructions(stages)[-1] if finished else None,
        "L_RC at beta = 1e-2",
        at_middle[0] if at_middle else None,
    )


def _rising_energy(name: str, stages: Stages, data: DataReference) -> Claim:
    first, last = (losses_of(stages, "hamiltonian_loss")[index] for index in (0, -1))
    reached = _reaches_middle(stages)
    return Claim(
        f"{name}: L_H rises with beta, away from the energy of the data",
        "L_H higher at the largest beta than at the smallest, and there above the data",
        f"L_H {first:.5f} at beta = {stages[0].beta:g}, {last:.5f} at {stages[-1].beta:g}; "
        f"data {data.hamiltonian_loss:.5f}",
        last > max(first, data.hamiltonian_loss) if reached else None,
        "rise of L_H along the ladder",
        last - first if reached else None,
    )


def _similar_energy(name: str, stages: Stages) -> Claim:
    reached = _reaches_middle(stages) and len(stages) > 3
    correlation = _rank_correlation(_reconstructions(stages), losses_of(stages, "hamiltonian_loss"))
    return Claim(
        f"{name}: L_H behaves like L_RC as beta grows",
        f"Spearman rank correlation of both along the ladder at least {SIMILAR:g}",
        f"{in_words(stages, 'beta', 'hamiltonian_loss')}; {in_words(stages, 'beta', 'reconstruction_loss')}",
        correlation >= SIMILAR if reached else None,
        "rank correlation of L_H and L_RC",
        correlation if reached else None,
    )


def _posterior_collapse(name: str, stages: Stages, estimate: float) -> Claim:
    found = vae_transitions(stages)["beta_c"]
    reached = f"none up to beta = {stages[-1].beta:g}" if found is None else interval("beta_c", found)
    holds = None if found is None and stages[-1].beta < 1 else found is not None and 1e-3 <= found.mark <= 1e-1
    return Claim(
        f"{name}: the posterior collapses at beta of about 1e-2",
        "L_KL stays below ln 2 from a beta between 1e-3 and 1e-1 on",
        f"{reached}; {estimate:.2g} expected from the principal components of the data",
        holds,
        "beta_c",
        found.mark if found else None,
    )


def _constant_reconstruction(name: str, stages: Stages) -> Claim:
    beyond = _beyond_collapse(stages)
    values = _reconstructions(beyond)
    decided = len(values) > 1
    return Claim(
        f"{name}: beyond the collapse L_RC becomes constant",
        f"largest L_RC beyond at most {PLATEAU:g} times the smallest",
        in_words(beyond, "beta", "reconstruction_loss"),
        max(values) <= PLATEAU * min(values) if decided else None,
        "largest L_RC beyond over the smallest",
        max(values) / min(values) if decided else None,
    )


def _uniform_state(name: str, stages: Stages) -> Claim:
    magnetizations = [stage.metrics["generated"]["magnetization_z"] for stage in _beyond_collapse(stages)]
    smallest = min(map(abs, magnetizations), default=None)
    words = ", ".join(f"{value:.4f}" for value in magnetizations)
    return Claim(
        f"{name}: beyond the collapse it generates a uniform out-of-plane state",
        f"|m_z| of 100 generated states at least {UNIFORM_MAGNETIZATION} at each beta beyond",
        f"m_z {words}" if magnetizations else "no stage beyond the collapse",
        None if smallest is None else smallest >= UNIFORM_MAGNETIZATION,
        "smallest |m_z| beyond the collapse",
        smallest,
    )


def _various_states(name: str, stages: Stages) -> Claim:
    proper = [stage for stage in stages if 1e-4 <= stage.beta <= 1e-3]
    largest = max(stage.metrics["generated"]["fft_mse"] for stage in stages)
    shares = [stage.metrics["generated"]["fft_mse"] / largest for stage in proper]
    informed = all(loss > COLLAPSED_KL for loss in losses_of(proper, "kl_loss"))
    decided = bool(proper) and _reaches_middle(stages)
    return Claim(
        f"{name}: at beta of 1e-4 and 1e-3 it generates various states, and the posterior has not collapsed",
        f"L_KL above ln 2, FFT-MSE of generated states at least {VARIOUS_SHARE:g} of the largest of the ladder",
        f"{in_words(proper, 'beta', 'kl_loss')}; FFT-MSE " + ", ".join(f"{share:.2f}" for share in shares),
        informed and min(shares) >= VARIOUS_SHARE if decided else None,
        "smallest share of the largest FFT-MSE",
        min(shares) if decided else None,
    )


def _reconstructions(stages: Stages) -> list[float]:
    return losses_of(stages, "reconstruction_loss")


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's; zero where one of the two does not change."""
    constant = min(map(len, (set(first), set(second)))) < 2
    return 0.0 if constant else float(spearmanr(first, second)[0])


def _up_to_small(stages: Stages) -> Stages:
    return [stage for stage in stages if stage.beta <= 1e-4]


def _beyond_collapse(stages: Stages) -> Stages:
    found = vae_transitions(stages)["beta_c"]
    return [stage for stage in stages if found and stage.beta >= found.after]


def _reaches_middle(stages: Stages) -> bool:
    """Whether a ladder of beta goes on to 1e-2, up to which the paper describes it step by step."""
    return len(stages) > 1 and stages[-1].beta >= 1e-2


def _rises(values: Sequence[float]) -> bool:
    return all(later > earlier for earlier, later in zip(values, values[1:], strict=False))

"""What the paper says of the E-VAE's losses (Sections 3.2 and 3.5, Figure 2B), beside the losses of a run."""

from __future__ import annotations

from collections.abc import Callable

from experiments.reproduction.claims.claim import Claim, Judge
from experiments.reproduction.claims.ladder import Ladder, ladder_of_gamma, on_ladder

# Share of a fall by which a ladder may rise in between: stages are not trained to the end.
SETBACK = 0.1
SATURATION = 1.2
# Share of the smallest L_RC of an output that knows nothing of the input from which on it is called unrelated.
UNRELATED = 0.95
# Range of L_H beyond the collapse that is called constant, as a share of its whole fall.
CONSTANT = 0.1


def falling_energy(ladder: Ladder) -> Claim:
    energies = ladder.losses("hamiltonian_loss")
    fall = energies[0] - energies[-1]
    setback = max(energy - min(energies[: index + 1]) for index, energy in enumerate(energies))
    decided = len(energies) > 1 and ladder.data["all_stages_finished"]
    return Claim(
        f"falls by {fall:.5f}, largest setback {setback:.5f}; {ladder.in_words('hamiltonian_loss')}",
        fall > 0 and setback <= SETBACK * fall if decided else None,
        fall if decided else None,
    )


def rise_of_reconstruction(ladder: Ladder) -> Claim:
    found, largest = ladder.transitions.get("gamma_RC"), ladder.weights[-1]
    measured = ladder.interval("gamma_RC") if found else f"no rise up to gamma = {largest:g}"
    return Claim(
        f"{measured}; {ladder.in_words('reconstruction_loss')}",
        10 <= found["mark"] <= 1000 if found else False if largest >= 1e3 else None,
        found["mark"] if found else None,
    )


def below_data(ladder: Ladder) -> Claim:
    large, data = ladder.part(lambda gamma: gamma > 1e2), ladder.data["data_hamiltonian_loss"]
    highest = max(large.losses("hamiltonian_loss"), default=None)
    return Claim(
        f"{large.in_words('hamiltonian_loss')}; data {data:.5f}",
        None if highest is None else highest < data,
        None if highest is None else highest - data,
    )


def unrelated_outputs(ladder: Ladder) -> Claim:
    """|S_in - S_out|^2 = 2 - 2 S_in.S_out; an S_out without regard to S_in has at best the direction of the means."""
    uninformed = 2.0 - 2.0 * ladder.data["data_mean_spin"]
    large = ladder.part(lambda gamma: gamma > 1e2)
    shares = [loss / uninformed for loss in large.losses("reconstruction_loss")]
    decided = bool(shares) and large.weights[-1] >= 1e4
    return Claim(
        large.in_words("reconstruction_loss"),
        shares[-1] >= UNRELATED if decided else None,
        shares[-1] if decided else None,
    )


def critical_transition(ladder: Ladder) -> Claim:
    found = ladder.transitions.get("gamma_c")
    if not found:
        # The drop does not come once the ladder has reached 1e4; on what comes after it nothing can be said.
        return Claim(_no_collapse(ladder), False if ladder.weights[-1] >= 1e4 else None)
    lowest = min(ladder.part(lambda gamma: gamma <= found["before"]).losses("hamiltonian_loss"))
    highest = max(_beyond(ladder).losses("hamiltonian_loss"))
    return Claim(
        f"{ladder.interval('gamma_c')}; L_H {lowest:.5f} before, {highest:.5f} beyond",
        300 <= found["mark"] <= 30000 and highest < lowest,
        found["mark"],
    )


def constant_energy(ladder: Ladder) -> Claim:
    energies = _beyond(ladder).losses("hamiltonian_loss")
    if not energies:
        return Claim(_no_collapse(ladder), None)
    fall = ladder.losses("hamiltonian_loss")[0] - min(energies)
    scatter = max(energies) - min(energies)
    return Claim(
        f"L_H {min(energies):.5f} to {max(energies):.5f} beyond, whole fall {fall:.5f}",
        scatter <= CONSTANT * fall if len(energies) > 1 else None,
        scatter / fall if len(energies) > 1 else None,
    )


def saturated_reconstruction(ladder: Ladder) -> Claim:
    losses = _near(ladder).losses("reconstruction_loss")
    if not losses:
        return Claim(_no_collapse(ladder), None)
    ratio = max(losses) / min(losses)
    return Claim(f"L_RC {min(losses):.3f} to {max(losses):.3f}", ratio <= SATURATION, ratio)


def rising_divergence(ladder: Ladder) -> Claim:
    losses = _near(ladder).losses("kl_loss")
    if not losses:
        return Claim(_no_collapse(ladder), None)
    return Claim(
        f"L_KL {losses[0]:.4g} before, {losses[-1]:.4g} at gamma = {ladder.weights[-1]:g}",
        losses[-1] > losses[0],
        losses[-1] / losses[0],
    )


def _beyond(ladder: Ladder) -> Ladder:
    """The stages beyond the critical transition; none without one."""
    found = ladder.transitions.get("gamma_c")
    return ladder.part(lambda gamma: found is not None and gamma >= found["after"])


def _near(ladder: Ladder) -> Ladder:
    """The same with the last stage before."""
    found = ladder.transitions.get("gamma_c")
    return ladder.part(lambda gamma: found is not None and gamma >= found["before"])


def _no_collapse(ladder: Ladder) -> str:
    return f"no collapse up to gamma = {ladder.weights[-1]:g}"


_ON_GAMMA: dict[str, Callable[[Ladder], Claim]] = {
    "evae-falling-energy": falling_energy,
    "evae-rise-of-reconstruction": rise_of_reconstruction,
    "evae-energy-below-data": below_data,
    "evae-unrelated-outputs": unrelated_outputs,
    "evae-critical-transition": critical_transition,
    "evae-saturated-reconstruction": saturated_reconstruction,
    "evae-rising-divergence": rising_divergence,
    "collapse-constant-energy": constant_energy,
}
JUDGES: dict[str, Judge] = {id: on_ladder(ladder_of_gamma, judge) for id, judge in _ON_GAMMA.items()}

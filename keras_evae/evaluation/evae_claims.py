"""What the paper says of the E-VAE's losses (Sections 3.2 and 3.5, Figure 2B), beside what a run shows."""

from __future__ import annotations

from keras_evae.analysis import Transition
from keras_evae.evaluation.loss_claims import DataReference, Stages, evae_transitions, in_words, interval, losses_of
from keras_evae.evaluation.sections import Claim

# Share of a fall by which a ladder may rise in between: stages are not trained to the end.
SETBACK = 0.1
SATURATION = 1.2
# Share of the smallest L_RC of an output that knows nothing of the input from which on it is called unrelated.
UNRELATED = 0.95
# Range of L_H beyond the collapse that is called constant, as a share of its whole fall.
CONSTANT = 0.1
# Sentence, rule and quantity of each claim on the critical transition.
DROP = (
    "at gamma of 1e3 to 1e4 L_H drops in a critical transition",
    "FFT-MSE of generated states falls by more than 30 between gamma = 300 and 30000; "
    "L_H at every stage beyond is lower than at every stage before",
    "gamma_c",
)
LOW = (
    "beyond the transition the energy is low and constant",
    f"L_H of the stages beyond differs by at most {CONSTANT:.0%} of its fall from gamma = 0",
    "range of L_H beyond as a share of its fall",
)
SATURATED = (
    "in this region L_RC is saturated",
    f"from the last stage before the transition on, largest L_RC at most {SATURATION} times the smallest",
    "largest L_RC over the smallest",
)
RISING = (
    "in this region L_KL rises",
    "L_KL at the last stage above that at the last stage before the transition",
    "L_KL at the last stage over that before",
)


def evae_claims(name: str, stages: Stages, data: DataReference, complete: bool = True) -> list[Claim]:
    """Section 3.2, the E-VAE.

    Args:
        name: Of the run.
        stages: Its ladder of gamma, from gamma = 0 on.
        data: What the training data say.
        complete: Whether all planned stages are there.
    """
    return [
        _falling_energy(name, stages, complete),
        _rise_of_reconstruction(name, stages),
        _below_data(name, stages, data),
        _unrelated_outputs(name, stages, data),
        *_collapse(name, stages, evae_transitions(stages)["gamma_c"]),
    ]


def _falling_energy(name: str, stages: Stages, complete: bool) -> Claim:
    energies = losses_of(stages, "hamiltonian_loss")
    fall = energies[0] - energies[-1]
    setback = max(energy - min(energies[: index + 1]) for index, energy in enumerate(energies))
    decided = len(stages) > 1 and complete
    return Claim(
        f"{name}: L_H falls as gamma grows",
        f"lower at the end of the ladder, and nowhere above its lowest value before by over {SETBACK:.0%} of the fall",
        f"falls by {fall:.5f}, largest setback {setback:.5f}; {in_words(stages, 'gamma', 'hamiltonian_loss')}",
        fall > 0 and setback <= SETBACK * fall if decided else None,
        "fall of L_H along the ladder",
        fall if decided else None,
    )


def _rise_of_reconstruction(name: str, stages: Stages) -> Claim:
    found = evae_transitions(stages)["gamma_RC"]
    late = stages[-1].gamma >= 1e3
    measured = interval("gamma_RC", found) if found else f"no rise up to gamma = {stages[-1].gamma:g}"
    return Claim(
        f"{name}: L_RC hardly changes up to gamma of about 1e2, and rises beyond",
        "L_RC exceeds 1.5 times its smallest value before from a gamma between 10 and 1000 on",
        f"{measured}; {in_words(stages, 'gamma', 'reconstruction_loss')}",
        (10 <= found.mark <= 1000) if found else (False if late else None),
        "gamma_RC",
        found.mark if found else None,
    )


def _below_data(name: str, stages: Stages, data: DataReference) -> Claim:
    large = [stage for stage in stages if stage.gamma > 1e2]
    highest = max(losses_of(large, "hamiltonian_loss"), default=None)
    return Claim(
        f"{name}: beyond gamma = 1e2 the outputs lie lower in energy than the inputs",
        "L_H below that of the training data at each gamma above 100",
        f"{in_words(large, 'gamma', 'hamiltonian_loss')}; data {data.hamiltonian_loss:.5f}",
        None if highest is None else highest < data.hamiltonian_loss,
        "highest L_H beyond gamma = 100, above the data",
        None if highest is None else highest - data.hamiltonian_loss,
    )


def _unrelated_outputs(name: str, stages: Stages, data: DataReference) -> Claim:
    """|S_in - S_out|^2 = 2 - 2 S_in.S_out; an S_out without regard to S_in has at best the direction of the means."""
    uninformed = 2.0 - 2.0 * data.mean_spin
    large = [stage for stage in stages if stage.gamma > 1e2]
    shares = [loss / uninformed for loss in losses_of(large, "reconstruction_loss")]
    decided = bool(large) and large[-1].gamma >= 1e4
    return Claim(
        f"{name}: at large gamma the outputs are other states than the inputs",
        f"L_RC at the largest gamma at least {UNRELATED:g} of {uninformed:.3f}, the smallest for an output that knows "
        "nothing of its input",
        in_words(large, "gamma", "reconstruction_loss"),
        shares[-1] >= UNRELATED if decided else None,
        "L_RC as a share of that of an uninformed output",
        shares[-1] if decided else None,
    )


def _collapse(name: str, stages: Stages, found: Transition | None) -> list[Claim]:
    """The critical transition at large gamma, in each of the three losses."""
    if found is None:
        return _no_collapse(name, stages)
    before = [stage for stage in stages if stage.gamma <= found.before]
    beyond = [stage for stage in stages if stage.gamma >= found.after]
    lowest, energies = min(losses_of(before, "hamiltonian_loss")), losses_of(beyond, "hamiltonian_loss")
    near = [*before[-1:], *beyond]
    reconstruction, divergence = (losses_of(near, loss) for loss in ("reconstruction_loss", "kl_loss"))
    ratio = max(reconstruction) / min(reconstruction)
    fall = losses_of(stages, "hamiltonian_loss")[0] - min(energies)
    scatter = max(energies) - min(energies)
    return [
        Claim(
            f"{name}: {DROP[0]}",
            DROP[1],
            f"{interval('gamma_c', found)}; L_H {lowest:.5f} before, {max(energies):.5f} beyond",
            300 <= found.mark <= 30000 and max(energies) < lowest,
            DROP[2],
            found.mark,
        ),
        Claim(
            f"{name}: {LOW[0]}",
            LOW[1],
            f"L_H {min(energies):.5f} to {max(energies):.5f} beyond, whole fall {fall:.5f}",
            scatter <= CONSTANT * fall if len(beyond) > 1 else None,
            LOW[2],
            scatter / fall if len(beyond) > 1 else None,
        ),
        Claim(
            f"{name}: {SATURATED[0]}",
            SATURATED[1],
            f"L_RC {min(reconstruction):.3f} to {max(reconstruction):.3f}",
            ratio <= SATURATION,
            SATURATED[2],
            ratio,
        ),
        Claim(
            f"{name}: {RISING[0]}",
            RISING[1],
            f"L_KL {divergence[0]:.4g} before, {divergence[-1]:.4g} at gamma = {stages[-1].gamma:g}",
            divergence[-1] > divergence[0],
            RISING[2],
            divergence[-1] / divergence[0],
        ),
    ]


def _no_collapse(name: str, stages: Stages) -> list[Claim]:
    """The drop does not come once the ladder has reached 1e4; on what comes after it nothing can be said."""
    measured = f"no collapse up to gamma = {stages[-1].gamma:g}"
    verdict = False if stages[-1].gamma >= 1e4 else None
    texts = {DROP: verdict, LOW: None, SATURATED: None, RISING: None}
    return [
        Claim(f"{name}: {text}", rule, measured, holds, quantity) for (text, rule, quantity), holds in texts.items()
    ]

"""What the paper says of its Figure 2 (Sections 3.1 and 3.2), beside what a run shows.

All losses are those of the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_evae.analysis import Transition, generation_collapse, posterior_collapse, reconstruction_rise
from keras_evae.evaluation.sections import Claim
from keras_evae.stages import FinishedStage

# Symbol and interval; None where the ladder shows no such transition.
Transitions = Mapping[str, Transition | None]
Stages = Sequence[FinishedStage]

# L_RC of 0.1 is a mean angle of 18 degrees between input and output.
SMALL_RECONSTRUCTION = 0.1
UNIFORM_MAGNETIZATION = 0.99
# Share of a fall by which a ladder may rise in between: stages are not trained to the end.
SETBACK = 0.1
SATURATION = 1.2


def vae_transitions(stages: Stages) -> Transitions:
    """Transitions on a ladder of beta."""
    return {"beta_c": posterior_collapse([stage.beta for stage in stages], _losses(stages, "kl_loss"))}


def evae_transitions(stages: Stages) -> Transitions:
    """Transitions on a ladder of gamma that begins at gamma = 0."""
    gammas = [stage.gamma for stage in stages]
    return {
        "gamma_RC": reconstruction_rise(gammas, _losses(stages, "reconstruction_loss")),
        "gamma_c": generation_collapse(gammas, [stage.metrics["generated"]["fft_mse"] for stage in stages]),
    }


def vae_claims(name: str, stages: Stages, estimate: float, data_mean: float) -> list[Claim]:
    """Section 3.1, the standard VAE.

    Args:
        name: Of the run.
        stages: Its ladder of beta.
        estimate: beta_c from the principal components of the data.
        data_mean: L_H of the training data.
    """
    return [
        _small_reconstruction(name, stages),
        _rising_reconstruction(name, stages),
        _posterior_collapse(name, stages, estimate),
        _uniform_state(name, stages),
        _rising_energy(name, stages, data_mean),
    ]


def evae_claims(name: str, stages: Stages, data_mean: float) -> list[Claim]:
    """Section 3.2, the E-VAE; `stages` is its ladder of gamma from gamma = 0 on."""
    return [
        _falling_energy(name, stages),
        _rise_of_reconstruction(name, stages),
        _below_data(name, stages, data_mean),
        *_collapse(name, stages),
    ]


def _small_reconstruction(name: str, stages: Stages) -> Claim:
    small = [stage for stage in stages if stage.beta <= 1e-4]
    return Claim(
        f"{name}: L_RC is almost zero for small beta (1e-6 to 1e-4)",
        f"L_RC at most {SMALL_RECONSTRUCTION} (18 degrees between input and output) at each beta up to 1e-4",
        _ladder(small, "beta", "reconstruction_loss"),
        max(_losses(small, "reconstruction_loss")) <= SMALL_RECONSTRUCTION if small else None,
    )


def _rising_reconstruction(name: str, stages: Stages) -> Claim:
    middle = [stage for stage in stages if 1e-4 <= stage.beta <= 1e-2]
    reconstruction, divergence = (_losses(middle, loss) for loss in ("reconstruction_loss", "kl_loss"))
    return Claim(
        f"{name}: from there up to beta = 1e-2, L_RC rises and L_KL falls",
        "at each step of the ladder from beta = 1e-4 to 1e-2",
        f"{_ladder(middle, 'beta', 'reconstruction_loss')}; {_ladder(middle, 'beta', 'kl_loss')}",
        _rises(reconstruction) and _rises(divergence[::-1]) if _reaches_middle(middle) else None,
    )


def _posterior_collapse(name: str, stages: Stages, estimate: float) -> Claim:
    found = vae_transitions(stages)["beta_c"]
    reached = f"none up to beta = {stages[-1].beta:g}" if found is None else _interval("beta_c", found)
    holds = None if found is None and stages[-1].beta < 1 else found is not None and 1e-3 <= found.mark <= 1e-1
    return Claim(
        f"{name}: the posterior collapses at beta of about 1e-2",
        "L_KL stays below ln 2 from a beta between 1e-3 and 1e-1 on",
        f"{reached}; {estimate:.2g} expected from the principal components of the data",
        holds,
    )


def _uniform_state(name: str, stages: Stages) -> Claim:
    found = vae_transitions(stages)["beta_c"]
    beyond = [stage for stage in stages if found and stage.beta >= found.after]
    magnetizations = [stage.metrics["generated"]["magnetization_z"] for stage in beyond]
    return Claim(
        f"{name}: beyond the collapse it generates a uniform out-of-plane state",
        f"|m_z| of 100 generated states at least {UNIFORM_MAGNETIZATION} at each beta beyond",
        "m_z " + ", ".join(f"{value:.4f}" for value in magnetizations) if beyond else "no stage beyond the collapse",
        all(abs(value) >= UNIFORM_MAGNETIZATION for value in magnetizations) if beyond else None,
    )


def _rising_energy(name: str, stages: Stages, data_mean: float) -> Claim:
    first, last = (_losses(stages, "hamiltonian_loss")[index] for index in (0, -1))
    return Claim(
        f"{name}: L_H rises with beta, away from the energy of the data",
        "L_H higher at the largest beta than at the smallest, and there above the data",
        f"L_H {first:.5f} at beta = {stages[0].beta:g}, {last:.5f} at {stages[-1].beta:g}; data {data_mean:.5f}",
        last > max(first, data_mean) if _reaches_middle(stages) else None,
    )


def _falling_energy(name: str, stages: Stages) -> Claim:
    energies = _losses(stages, "hamiltonian_loss")
    fall = energies[0] - energies[-1]
    setback = max(energy - min(energies[: index + 1]) for index, energy in enumerate(energies))
    return Claim(
        f"{name}: L_H falls as gamma grows",
        f"lower at the end of the ladder, and nowhere above its lowest value before by over {SETBACK:.0%} of the fall",
        f"falls by {fall:.5f}, largest setback {setback:.5f}; {_ladder(stages, 'gamma', 'hamiltonian_loss')}",
        fall > 0 and setback <= SETBACK * fall if len(stages) > 1 else None,
    )


def _rise_of_reconstruction(name: str, stages: Stages) -> Claim:
    found = evae_transitions(stages)["gamma_RC"]
    late = stages[-1].gamma >= 1e3
    measured = _interval("gamma_RC", found) if found else f"no rise up to gamma = {stages[-1].gamma:g}"
    return Claim(
        f"{name}: L_RC hardly changes up to gamma of about 1e2, and rises beyond",
        "L_RC exceeds 1.5 times its smallest value before from a gamma between 10 and 1000 on",
        f"{measured}; {_ladder(stages, 'gamma', 'reconstruction_loss')}",
        (10 <= found.mark <= 1000) if found else (False if late else None),
    )


def _below_data(name: str, stages: Stages, data_mean: float) -> Claim:
    large = [stage for stage in stages if stage.gamma > 1e2]
    return Claim(
        f"{name}: beyond gamma = 1e2 the outputs lie lower in energy than the inputs",
        "L_H below that of the training data at each gamma above 100",
        f"{_ladder(large, 'gamma', 'hamiltonian_loss')}; data {data_mean:.5f}",
        max(_losses(large, "hamiltonian_loss")) < data_mean if large else None,
    )


def _collapse(name: str, stages: Stages) -> list[Claim]:
    """The critical transition at large gamma, in each of the three losses."""
    found = evae_transitions(stages)["gamma_c"]
    before = [stage for stage in stages if found and stage.gamma <= found.before]
    beyond = [stage for stage in stages if found and stage.gamma >= found.after]
    late = stages[-1].gamma >= 1e4
    undecided = False if late else None
    none = f"no collapse up to gamma = {stages[-1].gamma:g}"
    energies = [_losses(part, "hamiltonian_loss") for part in (before, beyond)]
    near = [_losses([*before[-1:], *beyond], loss) for loss in ("reconstruction_loss", "kl_loss")]
    return [
        Claim(
            f"{name}: at gamma of 1e3 to 1e4 L_H drops in a critical transition",
            "FFT-MSE of generated states falls by more than 30 between gamma = 300 and 30000; "
            "L_H at every stage beyond is lower than at every stage before",
            f"{_interval('gamma_c', found)}; L_H {min(energies[0]):.5f} before, {max(energies[1]):.5f} beyond"
            if found
            else none,
            300 <= found.mark <= 30000 and max(energies[1]) < min(energies[0]) if found else undecided,
        ),
        Claim(
            f"{name}: in this region L_RC is saturated",
            f"from the last stage before the transition on, largest L_RC at most {SATURATION} times the smallest",
            f"L_RC {min(near[0]):.3f} to {max(near[0]):.3f}" if found else none,
            max(near[0]) <= SATURATION * min(near[0]) if found else None,
        ),
        Claim(
            f"{name}: in this region L_KL rises",
            "L_KL at the last stage above that at the last stage before the transition",
            f"L_KL {near[1][0]:.4g} before, {near[1][-1]:.4g} at gamma = {stages[-1].gamma:g}" if found else none,
            near[1][-1] > near[1][0] if found else None,
        ),
    ]


def _losses(stages: Stages, loss: str) -> list[float]:
    return [stage.metrics["validation"][loss] for stage in stages]


def _ladder(stages: Stages, weight: str, loss: str) -> str:
    """A loss along a ladder, in words."""
    symbol = {"reconstruction_loss": "L_RC", "kl_loss": "L_KL", "hamiltonian_loss": "L_H"}[loss]
    values = [f"{value:.4g} ({getattr(s, weight):g})" for s, value in zip(stages, _losses(stages, loss), strict=True)]
    return f"{symbol} at ({weight}): " + ", ".join(values) if values else f"no stage with {symbol}"


def _interval(symbol: str, found: Transition) -> str:
    return f"{symbol} between {found.before:g} and {found.after:g}"


def _reaches_middle(stages: Stages) -> bool:
    """Whether a ladder of beta goes on to 1e-2, up to which the paper describes it step by step."""
    return len(stages) > 1 and stages[-1].beta >= 1e-2


def _rises(values: Sequence[float]) -> bool:
    return all(later > earlier for earlier, later in zip(values, values[1:], strict=False))

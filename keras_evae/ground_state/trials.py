"""One trial of a search: from a trained VAE through probes to the collapse and the settled state."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from keras_evae.analysis.transitions import COLLAPSED_KL, Transition
from keras_evae.config import Config, EVAEConfig
from keras_evae.environment import record_start
from keras_evae.errors import ConfigError
from keras_evae.ground_state.bisection import Outcome, Probe, find_collapse, is_collapsed
from keras_evae.ground_state.probing import RECORD, Prober
from keras_evae.runs import Run
from keras_evae.stages import FinishedStage

logger = logging.getLogger(__name__)

PROBES = "probes"


@dataclasses.dataclass(frozen=True)
class FinishedProbe:
    """A probe, the stage that was trained for it, and whether that generates one state only."""

    probe: Probe
    stage: FinishedStage
    collapsed: bool

    @property
    def generated(self) -> Mapping[str, float]:
        """Statistics of 100 generated states."""
        return self.stage.metrics["generated"]

    @property
    def cpu_seconds(self) -> float:
        """Of all threads, since its last interruption."""
        return self.stage.metrics[RECORD]["cpu_seconds"]

    @property
    def measured_samples(self) -> int:
        """Samples that it was trained on in this time: all, if it was not interrupted."""
        return int(self.stage.metrics[RECORD]["measured_samples"])


@dataclasses.dataclass(frozen=True)
class Trial:
    """The search of one trained VAE.

    Args:
        name: By which it is known in tables and pictures.
        run: The run that it started from, with the VAE at the trial's beta, and stages of an E-VAE if it has them.
        probes: In the order of training.
        transition: The collapse; None if the largest gamma has not collapsed.
    """

    name: str
    run: Run
    probes: tuple[FinishedProbe, ...]
    transition: Transition | None

    @property
    def beta(self) -> float:
        return self.probes[0].stage.beta

    @property
    def giving(self) -> list[FinishedProbe]:
        """The probes whose states are candidates: the collapsed ones, or else the one of largest gamma."""
        collapsed = [finished for finished in self.probes if finished.collapsed]
        return collapsed or sorted(self.probes, key=lambda finished: finished.probe.gamma)[-1:]


def searched_evae(config: Config) -> EVAEConfig:
    """The E-VAE of a configuration whose ladder of gamma has two ends, between which the collapse is sought.

    Raises:
        ConfigError: If there is no E-VAE in the configuration, or a single gamma.
    """
    evae = config.evae
    if evae is None or len(evae.gammas) < 2:
        found = "no evae section" if evae is None else list(evae.gammas)
        raise ConfigError(
            f"evae.gammas: expected at least two values, such as [10, 10000], between which the collapse is sought, "
            f"found {found}"
        )
    return evae


def run_trial(name: str, run: Run, config: Config, beta: float, folder: Path, settle: bool = True) -> Trial:
    """Finds the collapse from a trained VAE; goes on from the probes that are in the folder.

    Args:
        name: By which the trial is known.
        run: Has finished the stage of gamma = 0 at `beta`; nothing is written to its stages.
        config: Training of the probes, and the ladder of gamma between whose ends the collapse is sought.
        beta: Weight of L_KL.
        folder: Of the probes.
        settle: Let the collapsed state settle; without, only the collapse is sought.

    Raises:
        ConfigError: If the VAE has suffered the posterior collapse: it generates one state at gamma = 0 already.
        DataError: If a probe in the folder is damaged or out of order.
        MismatchError: If another version has begun to train the probes.
    """
    ladder = [stage for stage in run.stages if stage.beta == beta]
    _refuse_posterior_collapse(name, ladder[0])
    reference = ladder[0].metrics["generated"]
    known = [(stage.gamma, is_collapsed(stage.metrics["generated"], reference)) for stage in ladder]
    evae = searched_evae(config)
    lower, upper = evae.gammas[0], evae.gammas[-1]
    # A probe is as long as the longest stage of the ladder.
    epochs = evae.epochs if isinstance(evae.epochs, int) else max(evae.epochs)
    record_start(folder)
    prober, probing = Prober(config, folder, run, ladder, epochs), find_collapse(lower, upper, known, settle)
    probes: list[FinishedProbe] = []
    try:
        probe = next(probing)
        while True:
            start = time.perf_counter()
            stage, trained = prober.finish(probe)
            probes.append(FinishedProbe(probe, stage, is_collapsed(stage.metrics["generated"], reference)))
            _log(name, probes[-1], time.perf_counter() - start if trained else None)
            outcome = Outcome(probes[-1].collapsed, probes[-1].generated["energy_per_site_mean"])
            probe = probing.send(outcome)
    except StopIteration as stop:
        if not probes:
            raise ConfigError(
                f"{name}: expected a first gamma of the ladder that is not collapsed, found {lower:g} collapsed; "
                f"choose a smaller one"
            ) from None
        return Trial(name, run, tuple(probes), stop.value)


def _refuse_posterior_collapse(name: str, vae: FinishedStage) -> None:
    loss = vae.metrics["validation"]["kl_loss"]
    if loss < COLLAPSED_KL:
        raise ConfigError(
            f"{name}: expected a VAE of various states at beta = {vae.beta:g}, found L_KL = {loss:.2g} nat: "
            f"its posterior has collapsed; choose a smaller beta"
        )


def _log(name: str, finished: FinishedProbe, seconds: float | None) -> None:
    probe, generated = finished.probe, finished.generated
    logger.info(
        "%s  %-8s gamma %-6g from %-6g %-13s  E/N %.6f +- %.0e, FFT-MSE %.1e | %s",
        name,
        probe.purpose,
        probe.gamma,
        probe.start,
        "collapsed" if finished.collapsed else "not collapsed",
        generated["energy_per_site_mean"],
        generated["energy_per_site_std"],
        generated["fft_mse"],
        "there" if seconds is None else f"{seconds:.0f} s, {finished.cpu_seconds:.0f} s of CPU",
    )

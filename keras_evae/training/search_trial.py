"""One trial of the search for low states: from a trained VAE through probes to the collapse and the settled state."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_evae.analysis.transitions import COLLAPSED_KL, Transition
from keras_evae.config import Config, EVAEConfig
from keras_evae.errors import ConfigError, DataError
from keras_evae.machine import quiet_tensorflow
from keras_evae.runs.checkpoints import CHECKPOINT, remove_checkpoint
from keras_evae.runs.environment import record_start
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage, finished_stages, load_stage_weights, save_stage
from keras_evae.runs.stage_plan import Stage
from keras_evae.training.collapse_search import Outcome, Probe, find_collapse, is_collapsed

if TYPE_CHECKING:
    from keras_evae.training.trainer import Trainer


logger = logging.getLogger(__name__)


PROBES = "probes"
# What the metrics of a probe's stage hold beside those of other stages: gamma of the stage that it started from, and
# the CPU time since its last interruption, with the samples trained in it.
RECORD = "probe"


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


class Prober:
    """Trains the probes of one VAE, each from the weights of the stage that it starts from.

    Args:
        config: The training.
        folder: Of the probes.
        run: The run that they start from; nothing is written to it.
        ladder: Its stages at the beta of the probes, gamma = 0 first.
        epochs: Of each probe.
    """

    def __init__(self, config: Config, folder: Path, run: Run, ladder: list[FinishedStage], epochs: int) -> None:
        self._config, self._folder, self._epochs = config, folder, epochs
        self._hamiltonian = run.hamiltonian
        self._beta, self._last = ladder[0].beta, run.stages[-1].stage
        # The latest at each gamma: in the approach it comes from closer by than in the bisection.
        self._trained = {stage.gamma: stage for stage in ladder}

    def finish(self, probe: Probe) -> tuple[FinishedStage, bool]:
        """The stage of the next probe, and whether it had to be trained.

        Raises:
            DataError: If its folder is damaged, started from another gamma, or is missing before others.
        """
        stage = Stage(self._last.index + 1, self._beta, probe.gamma, self._last.last_epoch, self._epochs)
        parent, trained = self._trained[probe.start], False
        if not (self._folder / "stages" / stage.name).is_dir():
            self._refuse_orphans(stage)
            self._train(stage, parent)
            trained = True
        (finished,) = finished_stages(self._folder, [stage])
        self._check_record(finished, parent)
        self._trained[probe.gamma], self._last = finished, stage
        return finished, trained

    def _refuse_orphans(self, missing: Stage) -> None:
        """Probes after a missing one started from another training, or from another gamma."""
        later = [path for path in (self._folder / "stages").glob("[0-9]*") if _index(path) >= missing.index]
        if later:
            raise DataError(
                f"{self._folder}: expected no probe after the missing {missing.name}, found "
                f"{', '.join(path.name for path in sorted(later))}; delete them, and they will be trained again"
            )

    def _check_record(self, finished: FinishedStage, parent: FinishedStage) -> None:
        start = finished.metrics.get(RECORD, {}).get("start_gamma")
        if start != parent.gamma:
            raise DataError(
                f"{finished.path}: expected a probe that started from gamma = {parent.gamma:g}, found {start}; "
                f"delete it and later ones, and they will be trained again"
            )

    def _train(self, stage: Stage, parent: FinishedStage) -> None:
        with quiet_tensorflow():
            from keras_evae.training.progress import Pace
        clock, trainer = time.process_time(), self._trainer
        checkpoint = trainer.find_checkpoint([stage], 0)
        samples = trainer.samples_to_go([stage], checkpoint)
        if checkpoint is None:
            load_stage_weights(trainer.model, parent)
            trainer.reset()
        history = trainer.fit(stage, stage.index + 1, checkpoint, Pace(samples))
        metrics, _, _ = trainer.measure()
        seconds = time.process_time() - clock
        metrics[RECORD] = {"start_gamma": parent.gamma, "measured_samples": samples, "cpu_seconds": seconds}
        save_stage(self._folder, stage, trainer.model, metrics, history)
        remove_checkpoint(self._folder / CHECKPOINT)

    @functools.cached_property
    def _trainer(self) -> Trainer:
        with quiet_tensorflow():
            import tensorflow as tf

            from keras_evae.training.recipe import make_trainer
        specification = dataclasses.replace(dataset_specification(self._config), hamiltonian=self._hamiltonian)
        return make_trainer(self._config, specification, self._folder, tf.distribute.get_strategy())


def _index(stage: Path) -> int:
    return int(stage.name.partition("_")[0])

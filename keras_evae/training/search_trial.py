"""One trial of the search for low states: from a trained VAE through probes to the collapse and the settled state.

A probe is a training at one gamma, which shows whether the E-VAE is collapsed there: a stage like any other, but one
that starts from whatever stage the search has chosen.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from keras_evae.analysis.transitions import COLLAPSED_KL, LIKENESS_DROP, Transition, generates_one_state
from keras_evae.config_sections import EVAEConfig
from keras_evae.errors import ConfigError, DataError
from keras_evae.runs.environment import record_start
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage, finished_stages, refuse_orphans
from keras_evae.runs.stage_plan import Stage
from keras_evae.training.collapse_search import RECORD, Probe, find_collapse

if TYPE_CHECKING:
    from keras_evae.training.trainer import Trainer

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Trial:
    """The search of one trained VAE for its collapse; it goes on from the probes that are in its folder.

    Args:
        run: Has finished the stage of gamma = 0 at `beta`; nothing is written to its stages.
        evae: The collapse is sought between the first and the last gamma, with probes as long as the longest stage.
        factor: See `generates_one_state`.
        transition: The collapse; None before the search, and if the largest gamma has not collapsed.
    """

    name: str
    run: Run
    beta: float
    evae: EVAEConfig
    folder: Path
    factor: float = LIKENESS_DROP
    probes: list[Probe] = dataclasses.field(default_factory=list)
    transition: Transition | None = None

    def search(self, bound: float = COLLAPSED_KL, settle: bool = True) -> Trial:
        """Finds the collapse; without `settle` no more than that.

        Raises:
            ConfigError: If L_KL of the VAE lies below `bound`, in nats, or no gamma, or each, is beyond the collapse.
            DataError: If a probe in the folder is damaged or out of order.
            MismatchError: If another version has begun to train the probes.
        """
        loss, lower = self._stages[0].metrics["validation"]["kl_loss"], self.evae.gammas[0]
        if loss < bound:
            raise ConfigError(
                f"{self.name}: expected a VAE of various states at beta = {self.beta:g}, found L_KL = {loss:.2g} nat: "
                f"its posterior has collapsed; choose a smaller beta"
            )
        record_start(self.folder)
        known = [(stage.gamma, self._is_collapsed(stage)) for stage in self._stages]
        self.transition = find_collapse(self._finish, lower, self.evae.gammas[-1], known, settle)
        # Its model and optimiser would stay in memory.
        self.__dict__.pop("_trainer", None)
        if not self.probes:
            nowhere = f"none up to {self.evae.gammas[-1]:g}; train with a larger last value of evae.gammas"
            found = f"one at {lower:g} already; train with a smaller first value" if self.transition else nowhere
            raise ConfigError(f"{self.name}: expected a collapse within the ladder of gamma, found {found}")
        return self

    @functools.cached_property
    def _trainer(self) -> Trainer:
        from keras_evae.training.recipe import make_probe_trainer

        return make_probe_trainer(self.run, self.folder)

    @property
    def _stages(self) -> list[FinishedStage]:
        """What a probe may start from, the VAE first."""
        return [stage for stage in self.run.stages if stage.beta == self.beta] + [probe.stage for probe in self.probes]

    def _is_collapsed(self, stage: FinishedStage) -> bool:
        vae = self._stages[0].metrics["generated"]
        return generates_one_state(stage.metrics["generated"], vae, self.factor, in_energy=True)

    def _finish(self, purpose: str, gamma: float, start: float) -> Probe:
        """Reads a probe from the folder; trains it if there is none."""
        # Of several at one gamma the last: in the approach it comes from closer by than in the bisection.
        parent = [stage for stage in self._stages if stage.gamma == start][-1]
        last = (self.probes[-1].stage if self.probes else self.run.stages[-1]).stage
        epochs = self.evae.epochs if isinstance(self.evae.epochs, int) else max(self.evae.epochs)
        planned = Stage(last.index + 1, self.beta, gamma, last.last_epoch, epochs)
        if not (self.folder / "stages" / planned.name).is_dir():
            refuse_orphans(self.folder, [planned])
            self._train(planned, parent)
        (stage,) = finished_stages(self.folder, [planned])
        found = stage.metrics.get(RECORD, {}).get("start_gamma")
        if found != start:
            raise DataError(
                f"{stage.path}: expected a probe that started from gamma = {start:g}, found {found}; "
                f"delete it and later ones, and they will be trained again"
            )
        self.probes.append(Probe(purpose, gamma, start, stage, self._is_collapsed(stage)))
        verdict = "collapsed" if self.probes[-1].collapsed else "not collapsed"
        logger.info("%s: %s, gamma %g from %g: %s", self.name, purpose, gamma, start, verdict)
        return self.probes[-1]

    def _train(self, stage: Stage, parent: FinishedStage) -> None:
        clock, plan = time.process_time(), (parent.stage, stage)
        checkpoint = self._trainer.find_checkpoint(plan, 1)
        samples = self._trainer.samples_to_go([stage], checkpoint)

        def record() -> dict[str, dict[str, float]]:
            seconds = time.process_time() - clock
            return {RECORD: {"start_gamma": parent.gamma, "measured_samples": samples, "cpu_seconds": seconds}}

        self._trainer.train(plan, [parent], checkpoint, record)

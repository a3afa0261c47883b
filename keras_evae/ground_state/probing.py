"""Training of probes: one gamma each, in a folder that shows what each has found.

<folder>/stages/<index>_beta_<beta>_gamma_<gamma>/    a finished probe, in the order of training, as a stage of a run
<folder>/environment.json                             versions, machine and command of the start
<folder>/checkpoint.npz                               state of the probe in training
<folder>/tensorboard/                                 logs

The choice of the next probe depends on the finished ones alone. So after any interruption the same probes are asked
for again: those that are there are read, the one that is missing is trained, from its checkpoint if there is one.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

from keras_evae.checkpoints import CHECKPOINT, Checkpoint, check_values, read_checkpoint, remove_checkpoint
from keras_evae.config import Config
from keras_evae.console import quiet_tensorflow
from keras_evae.errors import DataError
from keras_evae.ground_state.bisection import Probe
from keras_evae.ground_state.costs import samples_of_stage
from keras_evae.runs import Run
from keras_evae.schedules import Stage
from keras_evae.stages import FinishedStage, finished_stages, load_stage_weights, save_stage

if TYPE_CHECKING:
    from keras_evae.model import EVAE

# What the metrics of a probe's stage hold beside those of other stages: gamma of the stage that it started from, and
# the CPU time since its last interruption, with the samples trained in it.
RECORD = "probe"


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
        model = self._model
        with quiet_tensorflow():
            from keras_evae.fitting import fit_stage
            from keras_evae.progress import Pace
            from keras_evae.stage_metrics import evaluate_stage
            from keras_evae.training import reset_optimizer
        clock = time.process_time()
        checkpoint = self._read_checkpoint(stage)
        total = samples_of_stage(self._config, stage)
        done = self._samples_done(stage, checkpoint)
        if checkpoint is None:
            load_stage_weights(model, parent)
            if self._config.training.reset_optimizer:
                reset_optimizer(model.optimizer)
        history = fit_stage(self._config, self._folder, model, stage, stage.index + 1, checkpoint, Pace(total - done))
        metrics, _, _ = evaluate_stage(self._config, model)
        seconds = time.process_time() - clock
        metrics[RECORD] = {"start_gamma": parent.gamma, "measured_samples": total - done, "cpu_seconds": seconds}
        save_stage(self._folder, stage, model, metrics, history)
        remove_checkpoint(self._folder / CHECKPOINT)

    @functools.cached_property
    def _model(self) -> EVAE:
        with quiet_tensorflow():
            import tensorflow as tf

            from keras_evae.training import build_model
        return build_model(self._config, self._hamiltonian, tf.distribute.get_strategy())

    def _read_checkpoint(self, stage: Stage) -> Checkpoint | None:
        file = self._folder / CHECKPOINT
        checkpoint = read_checkpoint(file)
        if checkpoint is None or checkpoint.stage != stage.name:
            # A kill may strike between a probe's appearance and the removal of its checkpoint.
            remove_checkpoint(file)
            return None
        check_values(file, self._model, checkpoint)
        return checkpoint

    def _samples_done(self, stage: Stage, checkpoint: Checkpoint | None) -> int:
        if checkpoint is None:
            return 0
        epoch = samples_of_stage(self._config, stage) // stage.epochs
        return (checkpoint.epoch - stage.first_epoch) * epoch + checkpoint.step * self._config.training.batch_size


def _index(stage: Path) -> int:
    return int(stage.name.partition("_")[0])

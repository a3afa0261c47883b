"""Training of the stages that a run lacks, each from its start or from the end of one of its epochs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from keras_evae.config_sections import DatasetConfig, TrainingConfig
from keras_evae.dataset import DatasetSpecification
from keras_evae.errors import DataError
from keras_evae.machine import describe_arithmetic
from keras_evae.model.devices import sees_gpu
from keras_evae.model.evae import EVAE
from keras_evae.model.fused_adam import FusedAdam
from keras_evae.runs.checkpoints import (
    CHECKPOINT,
    Checkpoint,
    assign_values,
    check_values,
    read_checkpoint,
    read_values,
    remove_checkpoint,
    write_checkpoint,
)
from keras_evae.runs.environment import record_arithmetic
from keras_evae.runs.stage_folder import FinishedStage, load_stage_weights, save_stage
from keras_evae.runs.stage_plan import Stage, describe_plan
from keras_evae.training.cached_splits import CachedSplits
from keras_evae.training.callbacks import BetaScheduler, EpochHistory, GammaScheduler, KeepState, StopOnNonFinite
from keras_evae.training.pipeline import errors_of_batches, evaluation_batches, streaming_batches, training_batches
from keras_evae.training.progress import Metrics, Pace, StageProgress, log_stage_line
from keras_evae.training.replicas import is_chief, share_batches, spans_hosts
from keras_evae.training.stage_metrics import evaluate_stage
from keras_evae.training.tensorboard_logs import EpochScalars, log_stage

logger = logging.getLogger(__name__)


def compile_model(model: EVAE, training: TrainingConfig) -> None:
    """Gives a model its optimiser, with all variables built; call it in the scope of the strategy, if there is one."""
    # With a strategy the variables have copies on several devices, which only Keras' Adam knows.
    adam = keras.optimizers.Adam if tf.distribute.has_strategy() else FusedAdam
    clip, memory = training.gradient_clip_norm, training.adam_beta_2
    optimizer = adam(training.learning_rate, beta_1=0.9, beta_2=memory, global_clipnorm=clip)
    optimizer.build(model.trainable_variables)
    # For "auto" Keras counts the GPUs of the machine, also those that this process must not use.
    compiled = False if training.jit_compile == "auto" and not sees_gpu() else training.jit_compile
    model.compile(optimizer=optimizer, jit_compile=compiled)


def reset_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Zeroes Adam's moments and step count; a new optimiser would need a new trace of the training step."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(tf.zeros_like(variable))


class Trainer:
    """Trains stages of a model of `compile_model` in a folder, to which checkpoints, logs and finished stages go."""

    def __init__(
        self,
        model: EVAE,
        specification: DatasetSpecification,
        dataset: DatasetConfig,
        training: TrainingConfig,
        folder: Path,
        config: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.model, self.folder, self._config = model, folder, config
        self._specification, self._dataset, self._training = specification, dataset, training
        self._splits = CachedSplits(dataset.path, dataset.cache)
        # Of an epoch: full batches only.
        self._samples = dataset.train // training.batch_size * training.batch_size

    def samples_to_go(self, missing: Sequence[Stage], checkpoint: Checkpoint | None) -> int:
        """Samples that stages are still to be trained on, the first of them from a checkpoint if there is one."""
        done = checkpoint.epoch - missing[0].first_epoch if checkpoint else 0
        return (sum(stage.epochs for stage in missing) - done) * self._samples

    def find_checkpoint(self, stages: Sequence[Stage], finished: int) -> Checkpoint | None:
        """The checkpoint of the first missing stage, if there is one.

        Raises:
            DataError: If the checkpoint is damaged, or of a stage that the one before is missing for.
        """
        file = self.folder / CHECKPOINT
        checkpoint = read_checkpoint(file)
        names = [stage.name for stage in stages]
        if checkpoint is None or checkpoint.stage not in names[finished:]:
            remove_checkpoint(file)
            return None
        if checkpoint.stage != names[finished]:
            raise DataError(
                f"{file}: expected the stage {names[finished]}, found {checkpoint.stage}; "
                f"delete it, and training goes on after the last finished stage"
            )
        if spans_hosts(self.model.distribute_strategy):
            raise DataError(
                f"{file}: expected none, as several hosts go on from finished stages only; finish {checkpoint.stage} "
                f"on one host, or delete the file, and training goes on after the last finished stage"
            )
        check_values(file, self.model, checkpoint, stages[finished])
        return checkpoint

    def train(
        self,
        stages: Sequence[Stage],
        finished: Sequence[FinishedStage],
        checkpoint: Checkpoint | None,
        record: Callable[[], Metrics] = dict,
    ) -> None:
        """Trains the stages that are missing of a plan, one after the other.

        Args:
            stages: The plan.
            finished: Its first stages, from the weights of the last of which the first missing one starts.
            checkpoint: Where the first missing one goes on; None: at its start.
            record: Gives what the metrics of a stage shall hold as well, when it is trained and measured.
        """
        missing, chief = stages[len(finished) :], is_chief(self.model.distribute_strategy)
        if chief:
            record_arithmetic(self.folder, {**describe_arithmetic(), "replicas": self.model.replicas})
        pace = Pace(self.samples_to_go(missing, checkpoint))
        if finished and checkpoint is None:
            load_stage_weights(self.model, finished[-1])
        known: list[tuple[Stage, Metrics]] = [(stage.stage, stage.metrics) for stage in finished]
        for stage in missing:
            start, left = time.perf_counter(), pace.left
            if stage.index and checkpoint is None and self._training.reset_optimizer:
                reset_optimizer(self.model.optimizer)
            with errors_of_batches():
                history = self._fit(stage, f"stage {stage.index + 1}/{stages[-1].index + 1}", checkpoint, pace)
                checkpoint, seconds = None, time.perf_counter() - start
                plan = describe_plan(stages[: stages.index(stage) + 1])
                metrics = self._finish(stage, history, record, {"config": self._config, "stages": plan})
            if chief:
                log_stage_line(stage, metrics, seconds, left - pace.left, known)
            known.append((stage, metrics))

    def _finish(
        self, stage: Stage, history: dict[str, list[float]], record: Callable[[], Metrics], made_from: Mapping[str, Any]
    ) -> Metrics:
        """Measures what the model has become; the chief writes the stage's folder and logs."""
        metrics, pictures, angles = evaluate_stage(self._splits, self._training.batch_size, self.model)
        recorded = {**metrics, **record()}
        if is_chief(self.model.distribute_strategy):
            log_stage(self.folder / "tensorboard", stage.name, stage.last_epoch - 1, metrics, pictures, angles)
            save_stage(self.folder, stage, self.model, recorded, history, made_from)
            # After a kill between these two lines the checkpoint is known to be of a stage that is finished.
            remove_checkpoint(self.folder / CHECKPOINT)
        return metrics

    def _fit(self, stage: Stage, title: str, resumed: Checkpoint | None, pace: Pace) -> dict[str, list[float]]:
        """Trains one stage to its end; the state at the end of its last epoch is kept whatever stops the training.

        Args:
            stage: The stage; the model is in the state at the end of the stage before.
            title: What the line of progress begins with.
            resumed: Where the stage goes on; None: at its start.
            pace: Of the run.

        Returns:
            History of the stage: a list for each name, one value an epoch.
        """
        # The weights of a stage that settled bring along the rate it ended with.
        self.model.optimizer.learning_rate = self._training.learning_rate
        history = {name: list(values) for name, values in resumed.history.items()} if resumed else {}
        first = resumed.epoch if resumed else stage.first_epoch
        if resumed:
            assign_values(self.model, resumed.values)
            logger.info("Going on     in %s after %d of %d epochs", stage.name, first - stage.first_epoch, stage.epochs)
        callbacks = [
            BetaScheduler(lambda epoch: stage.beta),
            GammaScheduler(lambda epoch: stage.gamma),
            StopOnNonFinite(),
            *self._learning_rate(stage),
            EpochHistory(history),
        ]
        with contextlib.ExitStack() as stack:
            if is_chief(self.model.distribute_strategy):
                scalars = EpochScalars(self.folder / "tensorboard", stage.name, stage.first_epoch, history)
                samples, done = (count * self._samples for count in (stage.epochs, first - stage.first_epoch))
                batch_size = self._training.batch_size
                progress = StageProgress(title, stage.weights_in_words, samples, done, batch_size, pace)
                callbacks += [stack.enter_context(scalars), stack.enter_context(progress)]
            # Several hosts could read the variables only all at the same step: they keep finished stages alone.
            if not spans_hosts(self.model.distribute_strategy):
                callbacks.append(keep := self._keep_state(stage, history))
                stack.callback(keep.save)
            self._fit_epochs(range(first, stage.last_epoch), callbacks)
        return history

    def _learning_rate(self, stage: Stage) -> list[keras.callbacks.Callback]:
        """Of a run with stages that settle, in which it falls to a tenth."""
        rate, settle_from = self._training.learning_rate, self._training.settle_from
        if settle_from is None:
            return []

        def schedule(epoch: int, _before: float) -> float:
            share = (epoch - stage.first_epoch) / max(1, stage.epochs - 1)
            return rate * 0.1**share if stage.gamma >= settle_from else rate

        return [keras.callbacks.LearningRateScheduler(schedule)]

    def _keep_state(self, stage: Stage, history: dict[str, list[float]]) -> KeepState:
        def copy(epoch: int) -> Checkpoint:
            known = {name: list(values) for name, values in history.items()}
            return Checkpoint(stage.name, epoch, known, read_values(self.model))

        file, minutes = self.folder / CHECKPOINT, self._training.checkpoint_minutes
        return KeepState(copy, lambda state: write_checkpoint(file, state), minutes)

    def _fit_epochs(self, epochs: range, callbacks: list[keras.callbacks.Callback]) -> None:
        if not epochs:
            return
        batches = self._training_batches(epochs)
        validation = evaluation_batches(self._splits, "validation", self._training.batch_size)
        devices = self.model.distribute_strategy
        self.model.fit(
            share_batches(batches, devices),
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            steps_per_epoch=len(batches) // len(epochs),
            validation_data=share_batches(validation, devices),
            validation_steps=len(validation),
            verbose=0,
            # The pipeline shuffles; Keras would only warn that it cannot.
            shuffle=False,
            callbacks=callbacks,
        )

    def _training_batches(self, epochs: range) -> tf.data.Dataset:
        specification, dataset, training = self._specification, self._dataset, self._training
        batch, seed = training.batch_size, training.seed
        augment = specification.hamiltonian if training.augmentation else None
        if dataset.source == "stream":
            return streaming_batches(specification, batch, epochs, dataset.train, seed, augment)
        return training_batches(self._splits, batch, epochs, seed, augment)

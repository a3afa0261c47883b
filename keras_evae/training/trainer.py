"""Training of the stages that a run lacks, each from its start or from a checkpoint inside it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from keras_evae.config import Config
from keras_evae.errors import DataError
from keras_evae.machine import thread_count
from keras_evae.model.evae import EVAE
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
from keras_evae.runs.from_config import dataset_specification
from keras_evae.runs.stage_folder import FinishedStage, load_stage_weights, save_stage
from keras_evae.runs.stage_plan import Stage
from keras_evae.training.callbacks import (
    BetaScheduler,
    EpochHistory,
    GammaScheduler,
    Position,
    ResumeEpoch,
    SaveCheckpoints,
    StopOnNonFinite,
    StopRequest,
)
from keras_evae.training.pipeline import evaluation_batches, streaming_batches, training_batches
from keras_evae.training.progress import Pace, StageProgress, log_stage_line
from keras_evae.training.replicas import is_chief, share_batches, spans_hosts
from keras_evae.training.stage_metrics import evaluate_stage
from keras_evae.training.tensorboard_logs import EpochScalars, hyperparameters, log_hyperparameters, log_stage

logger = logging.getLogger(__name__)


def fit_stage(
    config: Config, folder: Path, model: EVAE, stage: Stage, stages: int, resumed: Checkpoint | None, pace: Pace
) -> dict[str, list[float]]:
    """Trains one stage to its end, writing checkpoints.

    Args:
        config: The run's configuration.
        folder: The run's folder.
        model: The compiled model, in the state at the end of the stage before.
        stage: The stage.
        stages: Number of stages in the run, to be shown.
        resumed: Where the stage goes on; None: at its start.
        pace: Pace of the run.

    Returns:
        History of the stage: a list for each name, one value an epoch.
    """
    history = {name: list(values) for name, values in resumed.history.items()} if resumed else {}
    position = Position(resumed.epoch, resumed.step) if resumed else Position(stage.first_epoch)
    steps, batch_size = steps_per_epoch(config), config.training.batch_size
    done = ((position.epoch - stage.first_epoch) * steps + position.step) * batch_size
    words = f"stage {stage.index + 1}/{stages} beta {stage.beta:g} gamma {stage.gamma:g}"
    if resumed:
        _restore(model, resumed)

    def save() -> None:
        values = read_values(model)
        write_checkpoint(
            folder / CHECKPOINT,
            Checkpoint(stage.name, position.epoch, position.step, thread_count(), history, values, model.replicas),
        )

    devices = model.distribute_strategy
    callbacks = [
        position,
        BetaScheduler(lambda epoch: stage.beta),
        GammaScheduler(lambda epoch: stage.gamma),
        StopOnNonFinite(),
        EpochHistory(history),
    ]
    with contextlib.ExitStack() as stack:
        if is_chief(devices):
            samples = stage.epochs * steps * batch_size
            scalars = EpochScalars(folder / "tensorboard", stage.name, stage.first_epoch, history)
            callbacks.append(stack.enter_context(scalars))
            callbacks.append(stack.enter_context(StageProgress(words, samples, done, batch_size, pace)))
        # Several hosts could read the variables only all at the same step: they keep finished stages alone.
        if not spans_hosts(devices):
            stop, minutes = stack.enter_context(StopRequest()), config.training.checkpoint_minutes
            callbacks.append(SaveCheckpoints(save, position, steps, minutes, stop))
        if resumed and resumed.step:
            first = range(resumed.epoch, resumed.epoch + 1)
            _fit(config, model, first, resumed.step, [ResumeEpoch(resumed), *callbacks])
        _fit(config, model, range(position.epoch, stage.last_epoch), 0, callbacks)
        if not spans_hosts(devices):
            # What interrupts the evaluation that follows then costs nothing but the evaluation.
            save()
    return history


def steps_per_epoch(config: Config) -> int:
    """Full batches in an epoch."""
    return config.dataset.train // config.training.batch_size


def _restore(model: EVAE, checkpoint: Checkpoint) -> None:
    assign_values(model, checkpoint)
    logger.info("Going on     in %s at epoch %d, step %d", checkpoint.stage, checkpoint.epoch, checkpoint.step)
    if checkpoint.threads != thread_count():
        logger.warning(
            "The checkpoint was computed with %d threads, this process has %d: the last bits will differ from those of "
            "an uninterrupted run",
            checkpoint.threads,
            thread_count(),
        )
    if checkpoint.replicas != model.replicas:
        logger.warning(
            "The checkpoint was computed with %d replicas, this process has %d: results will differ from those of an "
            "uninterrupted run by rounding",
            checkpoint.replicas,
            model.replicas,
        )


def _fit(
    config: Config, model: EVAE, epochs: range, first_step: int, callbacks: list[keras.callbacks.Callback]
) -> None:
    """Trains for some epochs, the first of which has done `first_step` steps already."""
    if not epochs:
        return
    batches = _training_batches(config, epochs, first_step)
    validation = evaluation_batches(config.dataset.path, "validation", config.training.batch_size)
    model.fit(
        share_batches(batches, model.distribute_strategy),
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        steps_per_epoch=len(batches) // len(epochs),
        validation_data=share_batches(validation, model.distribute_strategy),
        validation_steps=len(validation),
        verbose=0,
        # The pipeline shuffles; Keras would only warn that it cannot.
        shuffle=False,
        callbacks=callbacks,
    )


def _training_batches(config: Config, epochs: range, first_step: int) -> tf.data.Dataset:
    specification, training = dataset_specification(config), config.training
    augment = specification.hamiltonian if training.augmentation else None
    if config.dataset.source == "stream":
        return streaming_batches(
            specification, training.batch_size, epochs, config.dataset.train, training.seed, augment, None, first_step
        )
    return training_batches(config.dataset.path, training.batch_size, epochs, training.seed, augment, first_step)


def find_checkpoint(folder: Path, model: EVAE, stages: tuple[Stage, ...], finished: int) -> Checkpoint | None:
    """The checkpoint of the first missing stage, if there is one.

    Raises:
        DataError: If the checkpoint is damaged, or of a stage that the one before is missing for.
    """
    file = folder / CHECKPOINT
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
    if spans_hosts(model.distribute_strategy):
        raise DataError(
            f"{file}: expected none, as several hosts go on from finished stages only; finish {checkpoint.stage} on "
            f"one host, or delete the file, and training goes on after the last finished stage"
        )
    check_values(file, model, checkpoint)
    return checkpoint


def samples_to_go(config: Config, missing: Sequence[Stage], checkpoint: Checkpoint | None) -> int:
    steps = sum(stage.epochs for stage in missing) * steps_per_epoch(config)
    if checkpoint:
        steps -= (checkpoint.epoch - missing[0].first_epoch) * steps_per_epoch(config) + checkpoint.step
    return steps * config.training.batch_size


def train_missing(
    config: Config,
    folder: Path,
    model: EVAE,
    stages: tuple[Stage, ...],
    finished: tuple[FinishedStage, ...],
    checkpoint: Checkpoint | None,
) -> None:
    pace = Pace(samples_to_go(config, stages[len(finished) :], checkpoint))
    if is_chief(model.distribute_strategy):
        log_hyperparameters(folder / "tensorboard", folder.resolve().name, hyperparameters(config, stages))
    if finished and checkpoint is None:
        load_stage_weights(model, finished[-1])
    for stage in stages[len(finished) :]:
        _train_stage(config, folder, model, stages, stage, checkpoint, pace)
        checkpoint = None


def reset_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Zeroes Adam's moments and step count; a new optimiser would need a new trace of the training step."""
    for variable in optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(tf.zeros_like(variable))


def _train_stage(
    config: Config,
    folder: Path,
    model: EVAE,
    stages: tuple[Stage, ...],
    stage: Stage,
    resumed: Checkpoint | None,
    pace: Pace,
) -> None:
    start, left = time.perf_counter(), pace.left
    if config.training.reset_optimizer and stage.index and resumed is None:
        reset_optimizer(model.optimizer)
    history = fit_stage(config, folder, model, stage, len(stages), resumed, pace)
    seconds = time.perf_counter() - start
    metrics, pictures, angles = evaluate_stage(config, model)
    if not is_chief(model.distribute_strategy):
        return
    log_stage(folder / "tensorboard", stage.name, stage.last_epoch - 1, metrics, pictures, angles)
    save_stage(folder, stage, model, metrics, history)
    # After a kill between these two lines the checkpoint is known to be of a stage that is finished.
    remove_checkpoint(folder / CHECKPOINT)
    log_stage_line(stage, metrics, seconds, left - pace.left)

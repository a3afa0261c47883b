"""Training of one stage, from its start or from a checkpoint inside it."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import keras
import tensorflow as tf

from keras_evae.board import EpochScalars
from keras_evae.callbacks import (
    BetaScheduler,
    EpochHistory,
    GammaScheduler,
    Position,
    ResumeEpoch,
    SaveCheckpoints,
    StopOnNonFinite,
)
from keras_evae.checkpoints import (
    CHECKPOINT,
    Checkpoint,
    assign_values,
    read_values,
    write_checkpoint,
)
from keras_evae.config import Config
from keras_evae.interruption import StopRequest
from keras_evae.model import EVAE
from keras_evae.pipeline import evaluation_batches, streaming_batches, training_batches
from keras_evae.progress import Pace, StageProgress
from keras_evae.runs import dataset_specification
from keras_evae.schedules import Stage
from keras_evae.strategies import is_chief, share_batches, spans_hosts

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


def thread_count() -> int:
    """Threads that TensorFlow computes one operation with."""
    chosen = tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))
    return chosen or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


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

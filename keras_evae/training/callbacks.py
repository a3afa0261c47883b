"""Keras callbacks of the sequential training."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_evae.errors import NumericalError
from keras_evae.runs.checkpoints import Checkpoint, assign_values

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _LossWeightScheduler(keras.callbacks.Callback):
    """Sets one loss weight of the model at the start of each epoch and adds it to the logs."""

    weight: str

    def __init__(self, schedule: Callable[[int], float]) -> None:
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The weight is a variable: a Python float would be frozen into the traced training step.
        getattr(self.model, self.weight).assign(self.schedule(epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs[self.weight] = float(getattr(self.model, self.weight).numpy())


class BetaScheduler(_LossWeightScheduler):
    """Beta scheduler: at the beginning of every epoch, sets the weight of the Kullback-Leibler loss.

    Args:
        schedule: Function from the epoch (integer, from 0) to beta.

    Example:

    ```python
    model.fit(batches, epochs=3, callbacks=[BetaScheduler(lambda epoch: 1e-6 * 10**epoch)])
    ```
    """

    weight = "beta"


class GammaScheduler(_LossWeightScheduler):
    """Gamma scheduler: at the beginning of every epoch, sets the weight of the Hamiltonian loss.

    Args:
        schedule: Function from the epoch (integer, from 0) to gamma.
    """

    weight = "gamma"


class Position(keras.callbacks.Callback):
    """Counts the epochs and steps that are done, also when training goes on inside an epoch.

    It comes first in the list of callbacks: the others read it.

    Args:
        epoch: The first epoch.
        step: Steps of that epoch that are done already.
    """

    def __init__(self, epoch: int, step: int = 0) -> None:
        super().__init__()
        self.epoch, self.step = epoch, step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch, self.step = epoch + 1, 0


class EpochHistory(keras.callbacks.Callback):
    """Adds the logs of each epoch to a history, which may have begun in another process.

    Args:
        history: A list for each name, one value an epoch.
    """

    def __init__(self, history: dict[str, list[float]]) -> None:
        super().__init__()
        self.history = history

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises `NumericalError` at the first step after which a loss, the gradient or a statistic is NaN or infinite.

    `EVAE.train_step` makes the total loss NaN where the gradient or the statistics of a batch normalisation are not
    finite; which of them is then read from the variables.
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs or {}, f"after {int(self.model.optimizer.iterations.numpy())} steps of the optimiser")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs or {}, f"in epoch {epoch}")

    def _check(self, logs: dict[str, Any], when: str) -> None:
        found = [f"{name} = {value}" for name, value in logs.items() if not math.isfinite(value)]
        if found:
            if found == [f"loss = {logs['loss']}"]:
                found = self._causes() or found
            raise NumericalError(
                f"{', '.join(found)} {when}, with beta = {float(self.model.beta.numpy()):g}, "
                f"gamma = {float(self.model.gamma.numpy()):g}; finished stages and the last checkpoint are kept. "
                f"A smaller training.learning_rate or smaller steps between stages may help, with another --output"
            )

    def _causes(self) -> list[str]:
        """What is not finite where each of the losses is."""
        statistics = _not_finite(self.model.non_trainable_variables)
        # The optimiser has carried a gradient that is not finite over to its weight.
        gradients = [f"the gradient of {path}" for path in _not_finite(self.model.trainable_variables)]
        found = statistics or gradients
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return [f"{found[0]}{more} is not finite"] if found else []


def _not_finite(variables: Sequence[Any]) -> list[str]:
    return [variable.path for variable in variables if not np.isfinite(variable.numpy()).all()]


class ResumeEpoch(keras.callbacks.Callback):
    """Gives an epoch that goes on the running losses of its first steps, which Keras resets when it begins.

    Args:
        checkpoint: Where the epoch was left.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.checkpoint = checkpoint

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == self.checkpoint.epoch and self.checkpoint.step:
            assign_values(self.model, self.checkpoint)


class SaveCheckpoints(keras.callbacks.Callback):
    """Saves a checkpoint every few minutes, and when the process is asked to stop, which it then does.

    It comes last in the list of callbacks: only a step that the others have passed is kept.

    Args:
        save: Writes the checkpoint.
        position: Where the training stands.
        steps: Steps of an epoch. After its last step the validation comes first.
        minutes: Time between two checkpoints.
        stop: Whether the process was asked to stop.
    """

    def __init__(
        self, save: Callable[[], None], position: Position, steps: int, minutes: float, stop: StopRequest
    ) -> None:
        super().__init__()
        self.save, self.position, self.steps, self.stop = save, position, steps, stop
        self.seconds = 60.0 * minutes
        self.saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.position.step < self.steps:
            self._save_if_due()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._save_if_due()

    def _save_if_due(self) -> None:
        asked = self.stop.number is not None
        if asked or time.monotonic() - self.saved >= self.seconds:
            self.save()
            self.saved = time.monotonic()
        if asked:
            self.stop.obey()


class StopRequest:
    """While the block runs, the first Ctrl-C or SIGTERM is only noted; a second one acts at once.

    Outside the main thread, where Python takes no signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()
        if self.number is not None and error[0] is None:
            self.obey()

    def obey(self) -> None:
        """Does what the signal would have done at once."""
        number, self.number = self.number, None
        self._restore()
        if number is not None:
            signal.raise_signal(number)

    def _note(self, number: int, frame: object) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

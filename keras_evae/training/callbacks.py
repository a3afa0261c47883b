"""Keras callbacks of the training: beta and gamma, history, stop at NaN and infinity, state at each epoch's end."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_evae.errors import NumericalError
from keras_evae.runs.checkpoints import Checkpoint


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


class EpochHistory(keras.callbacks.Callback):
    """Adds the logs of each epoch to a history, a list for each name, which may have begun in another process."""

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


class KeepState(keras.callbacks.Callback):
    """Copies the state before each next epoch, and writes the copy when the last one on disk is some minutes old.

    It comes last in the list of callbacks: only an epoch that the others have passed is kept.
    """

    def __init__(self, copy: Callable[[int], Checkpoint], write: Callable[[Checkpoint], None], minutes: float) -> None:
        super().__init__()
        self.copy, self.write, self.seconds = copy, write, 60.0 * minutes
        self.state: Checkpoint | None = None
        self.written = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.state = self.copy(epoch + 1)
        if time.monotonic() - self.written >= self.seconds:
            self.save()

    def save(self) -> None:
        """Writes the last state, unless it is on the disk already."""
        if self.state is not None:
            self.write(self.state)
            self.state, self.written = None, time.monotonic()

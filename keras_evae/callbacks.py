"""Keras callbacks of the sequential training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from tqdm import tqdm

from keras_evae.errors import NumericalError


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


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises `NumericalError` at the first training step after which a loss term is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        found = [f"{name} = {value}" for name, value in logs.items() if not math.isfinite(value)]
        if found:
            raise NumericalError(
                f"{', '.join(found)} at step {batch} with beta = {float(self.model.beta.numpy()):g}, "
                f"gamma = {float(self.model.gamma.numpy()):g}; finished stages are kept. A smaller "
                f"training.learning_rate or smaller steps between stages may help"
            )


class StageProgress(keras.callbacks.Callback):
    """One progress bar for a stage, with the running losses of the epoch.

    A context manager: leaving it removes the bar, also when the training stops with an error.

    Args:
        description: Text before the bar.
        steps: Training steps in the stage.
    """

    def __init__(self, description: str, steps: int) -> None:
        super().__init__()
        self.bar = tqdm(desc=description, total=steps, unit="step", leave=False)

    def __enter__(self) -> StageProgress:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        names = {"L_RC": "reconstruction_loss", "L_KL": "kl_loss", "L_H": "hamiltonian_loss"}
        self.bar.set_postfix({short: f"{logs[name]:.4g}" for short, name in names.items()}, refresh=False)
        self.bar.update()

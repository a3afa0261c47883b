"""What a training says while it runs: one line for the stage, and on request one for each epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import keras
from tqdm import tqdm

from keras_evae.console import format_seconds
from keras_evae.runs.stage_plan import LOSSES, Stage

logger = logging.getLogger(__name__)


class Pace:
    """Samples per second of this process, validation and evaluation included, and what is left at that pace.

    Args:
        samples: Samples still to be trained on, in all missing stages.
    """

    def __init__(self, samples: int) -> None:
        self.left = samples
        self._counted = 0
        self._start: float | None = None

    def count(self, samples: int) -> None:
        """Counts samples that were just trained on."""
        self.left -= samples
        if self._start is None:
            # The first step compiles: the clock starts after it.
            self._start = time.perf_counter()
        else:
            self._counted += samples

    @property
    def samples_per_second(self) -> float:
        """0 until there is something to measure."""
        return self._counted / (time.perf_counter() - self._start) if self._start and self._counted else 0.0

    def time_for(self, samples: int) -> str:
        """How long so many samples take, in words."""
        rate = self.samples_per_second
        return format_seconds(samples / rate) if rate else "?"


class StageProgress(keras.callbacks.Callback):
    """One line on the terminal for a stage: losses, samples per second, time left for the stage and for the run.

    Where the output is no terminal, nothing moves on it. Each epoch is logged at level DEBUG. A context manager:
    leaving it removes the line, also when the training stops with an error.

    Args:
        description: Text before the bar, with beta and gamma.
        samples, done: Samples of the stage, and those of them that were trained on before.
        batch_size, pace: Samples of a step; pace of the whole run.
    """

    def __init__(self, description: str, samples: int, done: int, batch_size: int, pace: Pace) -> None:
        super().__init__()
        self.left, self.batch_size, self.pace = samples - done, batch_size, pace
        self.bar = tqdm(
            total=samples,
            initial=done,
            desc=description,
            # Where the terminal is narrow, the bar goes first, then the losses.
            bar_format="{desc} {percentage:3.0f}%{postfix} |{bar}|",
            leave=False,
            dynamic_ncols=True,
            disable=None,
        )

    def __enter__(self) -> StageProgress:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_start, self.epoch_samples = time.perf_counter(), 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.pace.count(self.batch_size)
        self.left -= self.batch_size
        self.epoch_samples += self.batch_size
        self.bar.set_postfix_str(self._words(logs or {}), refresh=False)
        self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        rate = self.epoch_samples / (time.perf_counter() - self.epoch_start)
        line = f"epoch {epoch}: train {_losses(logs)} | validation {_losses(logs, 'val_')} | {rate:.0f} samples/s"
        # The bar makes room for the line.
        with tqdm.external_write_mode():
            logger.debug(line)

    def _words(self, logs: dict[str, Any]) -> str:
        pace = self.pace
        return (
            f"{pace.time_for(self.left)}, run {pace.time_for(pace.left)} left, "
            f"{pace.samples_per_second:.0f} samples/s, {_losses(logs)}"
        )


def _losses(logs: dict[str, Any], prefix: str = "") -> str:
    return " ".join(f"{short} {logs[prefix + name]:.4g}" for short, name in LOSSES.items() if prefix + name in logs)


def log_stage_line(stage: Stage, metrics: Mapping[str, Mapping[str, float]], seconds: float, samples: int) -> None:
    validation, generated = metrics["validation"], metrics["generated"]
    logger.info(
        f"{stage.weights_in_words:28s} L_RC {validation['reconstruction_loss']:.4f}  "
        f"L_KL {validation['kl_loss']:8.2f}  L_H {validation['hamiltonian_loss']:.5f} | generated "
        f"E/N {generated['energy_per_site_mean']:.5f} +- {generated['energy_per_site_std']:.0e}, "
        f"FFT-MSE {generated['fft_mse']:.1e} | {seconds:.0f} s, {samples / seconds:.0f} samples/s"
    )

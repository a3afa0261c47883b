"""What a training says while it runs: one line for the stage, and on request one for each epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from tqdm import tqdm

from keras_evae.analysis.transitions import COLLAPSED_KL, LIKENESS_DROP, generates_one_state
from keras_evae.console import format_seconds, in_notebook, progress_bar
from keras_evae.runs.stage_plan import LOSSES, Stage

logger = logging.getLogger(__name__)

# L_KL over that of the stage before from which a line says why it has grown.
KL_RISE = 3.0
# Characters for beta and gamma.
WIDTH = 28
# Of a stage: groups of numbers, such as its validation, by name.
Metrics = Mapping[str, Mapping[str, float]]


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
    """One line for a stage, as `progress_bar` shows it: time left for the run, losses, and what has room beside them.

    Each epoch is logged at level DEBUG. A context manager: leaving it removes the line, also when the training stops
    with an error.

    Args:
        title, weights: The stage in a few words, beside the bar; its beta and gamma, where there is room.
        samples, done: Samples of the stage, and those of them that were trained on before.
        batch_size, pace: Samples of a step; pace of the whole run.
    """

    def __init__(self, title: str, weights: str, samples: int, done: int, batch_size: int, pace: Pace) -> None:
        super().__init__()
        self.weights, self.left, self.batch_size, self.pace = weights, samples - done, batch_size, pace
        # A bar that fills a narrow terminal would leave no room for the losses; that of a notebook has no width.
        bar = "{bar}" if in_notebook() else "{bar:6}"
        form = f"|{bar}| {{desc}} {{percentage:3.0f}}%{{postfix}}"
        self.bar = progress_bar(None, title, samples, initial=done, bar_format=form, dynamic_ncols=True, delay=0)

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
        """What has to be seen at 80 columns comes first."""
        pace = self.pace
        return (
            f"{pace.time_for(pace.left)} left, {_losses(logs, digits=3)}, stage {pace.time_for(self.left)}, "
            f"{self.weights}, {pace.samples_per_second:.0f} samples/s"
        )


def _losses(logs: dict[str, Any], prefix: str = "", digits: int = 4) -> str:
    found = ((short, logs.get(prefix + name)) for short, name in LOSSES.items())
    return " ".join(f"{short} {value:.{digits}g}" for short, value in found if value is not None)


def log_stage_line(
    stage: Stage, metrics: Metrics, seconds: float, samples: int, before: Sequence[tuple[Stage, Metrics]] = ()
) -> None:
    """Says what a stage has come to: losses, generated states, whether they have collapsed, why L_KL has jumped.

    Args:
        stage, metrics: The stage, and what `evaluate_stage` has measured at its end.
        seconds, samples: How long it took; samples that it was trained on in this time.
        before: Stages before it, the last one being that whose weights it started from.
    """
    validation, generated = metrics["validation"], metrics["generated"]
    logger.info(
        f"{stage.weights_in_words:{WIDTH}s} L_RC {validation['reconstruction_loss']:.4f}  "
        f"L_KL {validation['kl_loss']:8.2f}  L_H {validation['hamiltonian_loss']:.5f} | generated "
        f"E/N {generated['energy_per_site_mean']:.5f} +- {generated['energy_per_site_std']:.0e}, "
        f"FFT-MSE {generated['fft_mse']:.1e} | {seconds:.0f} s, {samples / seconds:.0f} samples/s"
        f"{_collapse(stage, metrics, before)}"
    )
    kl, last = (found["validation"]["kl_loss"] for found in (metrics, before[-1][1] if before else metrics))
    if stage.gamma and 0 < KL_RISE * last < kl:
        logger.info(
            f"{'':{WIDTH}s} L_KL is {kl / last:.0f} times that of the stage before: gamma L_H rules the loss, and beta "
            f"L_KL no longer holds the posteriors near the normal distribution. Generated states tell what that means"
        )


def _collapse(stage: Stage, metrics: Metrics, before: Sequence[tuple[Stage, Metrics]]) -> str:
    """What has collapsed in a stage, if anything has."""
    if metrics["validation"]["kl_loss"] < COLLAPSED_KL:
        return " | posterior collapsed: L_KL is below ln 2"
    vae = [found["generated"] for other, found in before if (other.beta, other.gamma) == (stage.beta, 0)]
    if stage.gamma and vae and generates_one_state(metrics["generated"], vae[0]):
        return f" | collapsed to one state: FFT-MSE more than {LIKENESS_DROP:g} times below that at gamma = 0"
    return ""

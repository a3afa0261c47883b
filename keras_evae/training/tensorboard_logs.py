"""What TensorBoard shows of a run: scalars of each epoch, what is measured at each stage's end, hyper-parameters.

Every stage has event files of its own, which end in its name: a stage that begins or goes on removes them and writes
them again from its history, so that each epoch is there once whatever was cut short.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from keras_evae.files import disk_errors
from keras_evae.plotting.colors import spin_colors

# Measures by which TensorBoard compares the runs of a sweep: of the states generated at the last stage's end.
COMPARED = {"stage_generated/fft_mse": "FFT-MSE", "stage_generated/energy_per_site_mean": "E/N"}
HPARAMS = "hparams"


def remove_logs(folder: Path, name: str) -> None:
    """Removes the event files of a stage."""
    for file in folder.rglob(f"events*.{name}"):
        file.unlink()


class EpochScalars(keras.callbacks.Callback):
    """Writes the logs of each epoch, the training's to `train/`, the validation's to `validation/`.

    A context manager: leaving it closes the files.

    Args:
        folder, stage: TensorBoard's log folder; name of the stage: what it has written before is replaced.
        first_epoch: First epoch of the stage.
        history: Logs of the stage's epochs that are done already.
    """

    def __init__(self, folder: Path, stage: str, first_epoch: int, history: Mapping[str, list[float]]) -> None:
        super().__init__()
        self.folder = folder
        with _writing(folder):
            remove_logs(folder, stage)
            self.writers = {split: _writer(folder / split, stage) for split in ("train", "validation")}
        for epoch, values in enumerate(zip(*history.values(), strict=True), start=first_epoch):
            self.on_epoch_end(epoch, dict(zip(history, values, strict=True)))

    def __enter__(self) -> EpochScalars:
        return self

    def __exit__(self, *error: object) -> None:
        with _writing(self.folder):
            for writer in self.writers.values():
                writer.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with _writing(self.folder):
            for name, value in (logs or {}).items():
                split = "validation" if name.startswith("val_") else "train"
                with self.writers[split].as_default(step=epoch):
                    tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)
            for writer in self.writers.values():
                writer.flush()


def log_stage(
    folder: Path,
    stage: str,
    epoch: int,
    metrics: Mapping[str, Mapping[str, float]],
    pictures: Mapping[str, np.ndarray],
    angles: Mapping[str, np.ndarray],
) -> None:
    """Writes what was measured at the end of a stage to `stages/`.

    Args:
        folder, stage, epoch: TensorBoard's log folder, name of the stage, position on the continuous epoch axis.
        metrics: Groups of named numbers, such as `{"validation": {"kl_loss": 107.0}}`.
        pictures: Named spin configurations, `(n, y, x, 3)`; hue = in-plane angle, lightness = S_z.
        angles: Named angles of any shape, shown as histograms.
    """
    with _writing_stages(folder, stage, epoch):
        for group, values in metrics.items():
            for name, value in values.items():
                tf.summary.scalar(f"stage_{group}/{name}", value)
        for name, spins in pictures.items():
            # Row 0 is y = 0: the first row of an image is its upper edge.
            tf.summary.image(name, spin_colors(spins)[:, ::-1], max_outputs=len(spins))
        for name, theta in angles.items():
            tf.summary.histogram(name, theta)


def log_hyperparameters(folder: Path, run: str, values: Mapping[str, bool | int | float | str]) -> None:
    """Writes a run's row in TensorBoard's table of hyper-parameters, which compares the runs of a sweep."""
    remove_logs(folder, HPARAMS)
    with _writing_stages(folder, HPARAMS):
        hparams.hparams_config(
            hparams=[hparams.HParam(name) for name in values],
            metrics=[hparams.Metric(tag, display_name=name) for tag, name in COMPARED.items()],
        )
        hparams.hparams(dict(values), trial_id=run)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns TensorFlow's refusals to write event files into a `DiskError` of one line."""
    with disk_errors(folder):
        try:
            yield
        except tf.errors.OpError as error:
            raise OSError(error.message) from error


@contextlib.contextmanager
def _writing_stages(folder: Path, name: str, step: int | None = None) -> Iterator[None]:
    with _writing(folder), contextlib.closing(_writer(folder / "stages", name)) as writer, writer.as_default(step):
        yield


def _writer(folder: Path, name: str) -> tf.summary.SummaryWriter:
    """Writes to a new event file, which sorts after those that are there."""
    # TensorBoard reads the files of a folder in the order of their names, which begin with the second of their birth.
    while any(folder.glob(f"events*.{int(time.time())}.*")):
        time.sleep(0.01)
    return tf.summary.create_file_writer(str(folder), filename_suffix=f".{name}")

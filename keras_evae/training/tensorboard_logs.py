"""What TensorBoard shows of a run: losses of each epoch, states and measures at each stage's end.

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

from keras_evae.files import disk_errors
from keras_evae.plotting.colors import spin_colors, wheel_colors

# TensorBoard sorts by name: what a user looks for comes first. Other scalars of an epoch are weights and rates.
LOSSES, STATES, OTHERS, STAGE, ANGLES = "1 losses", "2 states", "3 weights", "4 end of stage", "5 angles"


class EpochScalars(keras.callbacks.Callback):
    """Writes the logs of each epoch, the training's to `train/`, the validation's to `validation/`.

    A context manager: leaving it closes the files.

    Args:
        folder, stage: TensorBoard's log folder; name of the stage: what it has written before is replaced.
        history: Logs of the stage's epochs that are done already.
    """

    def __init__(self, folder: Path, stage: str, first_epoch: int, history: Mapping[str, list[float]]) -> None:
        super().__init__()
        self.folder = folder
        with _writing(folder):
            for file in folder.rglob(f"events*.{stage}"):
                file.unlink()
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
                    tag = name.removeprefix("val_")
                    tf.summary.scalar(f"{LOSSES if tag.endswith('loss') else OTHERS}/{tag}", value)
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
    with (
        _writing(folder),
        contextlib.closing(_writer(folder / "stages", stage)) as writer,
        writer.as_default(epoch),
    ):
        for group, values in metrics.items():
            for name, value in values.items():
                tf.summary.scalar(f"{STAGE}/{group} {name}", value)
        for name, spins in pictures.items():
            # Row 0 is y = 0: the first row of an image is its upper edge.
            tf.summary.image(f"{STATES}/{name}", spin_colors(spins)[:, ::-1], max_outputs=len(spins))
        if pictures:
            # +x to the right, +y upwards; a white ground suits bright and dark pages.
            wheel = wheel_colors(129)[None, ::-1]
            tf.summary.image(f"{STATES}/wheel of directions", 1.0 - wheel[..., 3:] * (1.0 - wheel[..., :3]))
        for name, theta in angles.items():
            tf.summary.histogram(f"{ANGLES}/{name}", theta)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns TensorFlow's refusals to write event files into a `DiskError` of one line."""
    with disk_errors(folder):
        try:
            yield
        except tf.errors.OpError as error:
            raise OSError(error.message) from error


def _writer(folder: Path, name: str) -> tf.summary.SummaryWriter:
    """Writes to a new event file, which sorts after those that are there."""
    # TensorBoard reads the files of a folder in the order of their names, which begin with the second of their birth.
    while any(folder.glob(f"events*.{int(time.time())}.*")):
        time.sleep(0.01)
    return tf.summary.create_file_writer(str(folder), filename_suffix=f".{name}")

"""What TensorBoard shows of a finished stage, beside the scalars of every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_evae.colors import spin_colors


def drop_unfinished_logs(folder: Path, last_finished: Path | None) -> None:
    """Removes the logs of a stage that was cut short: its epochs come again.

    Args:
        folder: TensorBoard's log folder.
        last_finished: A file written when the last finished stage ended; None if there is none.
    """
    ended = last_finished.stat().st_mtime if last_finished else 0.0
    for file in folder.rglob("events*"):
        if file.stat().st_mtime > ended:
            file.unlink()


def log_stage(
    folder: str | Path,
    epoch: int,
    metrics: Mapping[str, Mapping[str, float]],
    pictures: Mapping[str, np.ndarray],
) -> None:
    """Writes the metrics and pictures at the end of a stage.

    Args:
        folder: TensorBoard's log folder.
        epoch: Position on the continuous epoch axis.
        metrics: Groups of named numbers, such as `{"validation": {"kl_loss": 107.0}}`.
        pictures: Named spin configurations, `(n, y, x, 3)`; hue = in-plane angle, lightness = S_z.
    """
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=epoch):
        for group, values in metrics.items():
            for name, value in values.items():
                tf.summary.scalar(f"stage_{group}/{name}", value)
        for name, spins in pictures.items():
            # Row 0 is y = 0: the first row of an image is its upper edge.
            tf.summary.image(name, spin_colors(spins)[:, ::-1], max_outputs=len(spins))
    writer.close()

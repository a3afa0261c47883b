"""Movies of given spin configurations, frame by frame, as GIF through Pillow."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_evae.files import disk_errors, write_whole
from keras_evae.plotting.colors import spin_colors

# Pixels of the longer side at least, and of the line of text below a picture.
SIDE, LINE = 256, 16


def write_movie(path: Path, states: np.ndarray, labels: Sequence[str] = (), seconds: float = 0.1) -> None:
    """Writes a GIF of states `(n, y, x, 3)`, in the colours of `plot`, y upwards, that starts again at its end.

    `labels` are lines of text below the pictures, of which each stays so many `seconds`.
    """
    scale = max(1, round(SIDE / max(states.shape[1:3])))
    frames = []
    for state, label in zip(states, labels or [""] * len(states), strict=True):
        pixels = np.kron(
            (255 * spin_colors(state[::-1])).round().astype(np.uint8), np.ones((scale, scale, 1), np.uint8)
        )
        frame = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + LINE * any(labels)), "white")
        frame.paste(Image.fromarray(pixels), (0, 0))
        ImageDraw.Draw(frame).text((2, pixels.shape[0] + 2), label, fill="black")
        frames.append(frame)
    content = io.BytesIO()
    frames[0].save(
        content, "GIF", save_all=True, append_images=frames[1:], duration=round(1000 * seconds), loop=0, optimize=False
    )
    with disk_errors(path):
        write_whole(path, content.getbuffer())

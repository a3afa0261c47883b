"""Figures in the style of the package, and their files: without windows, whatever backend the user has chosen."""

import io
import re
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from keras_evae.files import disk_errors, write_whole

STYLE = Path(__file__).with_name("style.mplstyle")


def style() -> AbstractContextManager[None]:
    """Context in which figures have the package's look."""
    return matplotlib.style.context(STYLE)


def as_label(name: str) -> str:
    """The name of a run or a file as it is written, where Matplotlib reads `$` as a formula and hides `_...`.

    Weights of the loss, as in `beta = 1e-3, seed 0`, get their Greek letter.
    """
    text = re.sub(r"\b(beta|gamma) = (?=\d)", r"$\\\1$ = ", name.replace("$", r"\$"))
    return r"$\_$" + text[1:] if text.startswith("_") else text


def new_figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.0, 2.6), shared: bool = False, blank: bool = False
) -> tuple[Figure, np.ndarray]:
    """Figure with a grid `(rows, columns)` of axes of `size` inches each.

    `shared`: one x axis for each column, one y axis for each row. `blank`: nothing is seen of axes without a picture.
    """
    figure = Figure(figsize=(size[0] * columns, size[1] * rows))
    x, y = ("col", "row") if shared else ("none", "none")
    axes = figure.subplots(rows, columns, sharex=x, sharey=y, squeeze=False)  # type: ignore[call-overload]
    for cell in axes.flat if blank else ():
        cell.set_axis_off()
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure, whole or not at all, and frees its memory."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.removeprefix("."))
    with disk_errors(path):
        write_whole(path, content.getbuffer())
    figure.clear()

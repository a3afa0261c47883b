"""The recipes of evaluate.py: each makes one figure of the paper with its tables, numbers and claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

from keras_evae import plotting
from keras_evae.errors import DataError
from keras_evae.evaluation.collapse import fft_mse
from keras_evae.evaluation.interpolation import interpolation
from keras_evae.evaluation.local_correlation import local_correlation
from keras_evae.evaluation.losses import losses
from keras_evae.evaluation.reconstructions import reconstructions
from keras_evae.evaluation.sections import Section
from keras_evae.evaluation.theta import theta
from keras_evae.runs import Run, load_run

Recipe = Callable[[Sequence[Run], Path], Section]

# In the order of the paper; the names are the flags of evaluate.py.
RECIPES: dict[str, Recipe] = {
    "losses": losses,
    "reconstructions": reconstructions,
    "local_correlation": local_correlation,
    "theta": theta,
    "interpolation": interpolation,
    "fft_mse": fft_mse,
}


def evaluate(folders: Sequence[Path], recipes: Sequence[str], output: Path) -> list[Section]:
    """Runs recipes on run folders; their pictures and numbers go to `output`.

    Args:
        folders: Run folders; curves of several runs share one picture.
        recipes: Keys of `RECIPES`.
        output: Folder for the results, made if it is missing.

    Returns:
        What each recipe found, in the order of `recipes`.
    """
    matplotlib.use("Agg")
    runs = [load_run(folder) for folder in folders]
    for run in runs:
        if not run.stages:
            raise DataError(
                f"{run.path}: no stage is finished yet; let train.py go on, it says how long the first stage takes"
            )
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: expected a folder for the results, found a file; choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    sections = []
    with plotting.style():
        for name in recipes:
            section = RECIPES[name](runs, output)
            section.write(output)
            section.log(output)
            sections.append(section)
    return sections

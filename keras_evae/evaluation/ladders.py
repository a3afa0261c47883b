"""Which stages of a run a figure is made of, and the states that their models give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_evae.console import quiet_tensorflow
from keras_evae.dataset import open_dataset, read_energies
from keras_evae.errors import DataError
from keras_evae.runs import Run, planned_stages
from keras_evae.stages import FinishedStage, load_stage_weights

# Seed of the latent vectors of generated states: the same ones for each stage and run.
GENERATION_SEED = 0
# Configurations that go through the model at once.
BATCH = 100


def ladder_of_beta(run: Run) -> list[FinishedStage]:
    """The stages of the standard VAE, gamma = 0."""
    return [stage for stage in run.stages if stage.gamma == 0]


def ladder_of_gamma(run: Run) -> list[FinishedStage]:
    """The gamma = 0 stage from which the E-VAE starts, and the E-VAE's stages.

    Raises:
        DataError: If the run has no E-VAE, or has not reached the stage from which it starts.
    """
    beta = run.config.evae.beta if run.config.evae else None
    stages = [stage for stage in run.stages if stage.beta == beta]
    if not stages:
        wanted = "a run with an evae section" if beta is None else f"the stage at beta = {beta:g}, not reached yet"
        raise DataError(f"{run.path}: figures against gamma need {wanted}")
    return stages


def with_ladder_of_gamma(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs that have a ladder of gamma, and a sentence for each that has none.

    Raises:
        DataError: If none has one.
    """
    fit: list[Run] = []
    reasons: list[DataError] = []
    for run in runs:
        try:
            ladder_of_gamma(run)
        except DataError as error:
            reasons.append(error)
        else:
            fit.append(run)
    if not fit:
        raise reasons[0]
    return fit, [f"left out: {reason}" for reason in reasons]


def nearest_gammas(run: Run, wanted: Sequence[float]) -> tuple[list[FinishedStage], list[str]]:
    """The finished stages nearest to the wanted values of gamma, on a logarithmic scale, each once.

    Returns:
        The stages in the order of training, and a sentence for each wanted gamma that another one stands for.
    """
    stages = ladder_of_gamma(run)
    chosen, notes = set(), []
    for gamma in wanted:
        stage = min(stages, key=lambda stage: _decades(stage.gamma, gamma))
        chosen.add(stage.name)
        if stage.gamma != gamma:
            notes.append(f"{run.name} has no finished stage at gamma = {gamma:g}; the nearest is {stage.gamma:g}")
    return [stage for stage in stages if stage.name in chosen], notes


def awaits_nearer(run: Run, wanted: Sequence[float]) -> bool:
    """Whether a stage that is planned, but not finished, is nearer to a wanted gamma than those that are."""
    if run.config.evae is None:
        return False
    planned = [stage.gamma for stage in planned_stages(run.config) if stage.beta == run.config.evae.beta]
    finished = [stage.gamma for stage in ladder_of_gamma(run)]
    return any(
        min(_decades(other, gamma) for other in planned) < min(_decades(other, gamma) for other in finished)
        for gamma in wanted
    )


def is_finished(run: Run) -> bool:
    """Whether the last stage that is planned is finished."""
    last, planned = run.stages[-1], planned_stages(run.config)[-1]
    return (last.beta, last.gamma) == (planned.beta, planned.gamma)


def data_energy(run: Run) -> float:
    """L_H of the training data: mean of (E - E0) / N."""
    energies = read_energies(run.config.dataset.path, "train")
    return float(energies.mean()) - run.hamiltonian.reference_energy_per_site(run.config.dataset.shape)


def labels(runs: Sequence[Run]) -> dict[Path, str]:
    """A name for each run: its folder's, or the whole path where two folders have the same name."""
    names = [run.name for run in runs]
    return {run.path: run.name if names.count(run.name) == 1 else str(run.path) for run in runs}


def file_name(figure: str, run: Run, runs: Sequence[Run]) -> str:
    """Name of a file that is made for each run: with the run's label where there are several."""
    return figure if len(runs) == 1 else f"{figure}_{labels(runs)[run.path].replace('/', '_')}"


def load_stage(run: Run, stage: FinishedStage) -> None:
    """Gives the run's model the weights of a stage."""
    with quiet_tensorflow():
        load_stage_weights(run.model, stage)


def reconstruct(run: Run, stage: FinishedStage, spins: np.ndarray) -> np.ndarray:
    """X_Out of a stage for configurations `(n, y, x, 3)`, through sampled latent vectors."""
    load_stage(run, stage)
    starts = range(0, len(spins), BATCH)
    return np.concatenate([np.asarray(run.model(spins[s : s + BATCH], training=False)) for s in starts])


def generate(run: Run, stage: FinishedStage, count: int) -> np.ndarray:
    """X'_Out of a stage, `(count, y, x, 3)`: the same latent vectors for each stage."""
    load_stage(run, stage)
    return run.model.generate(count, GENERATION_SEED)


def stream_reconstructed(run: Run, stage: FinishedStage, split: str) -> Iterator[np.ndarray]:
    """X_Out of a stage for a whole split, `(up to 100, y, x, 3)` at a time."""
    load_stage(run, stage)
    for spins in stream_split(run, split):
        yield np.asarray(run.model(spins, training=False))


def stream_generated(run: Run, stage: FinishedStage, count: int) -> Iterator[np.ndarray]:
    """The states of `generate`, `(up to 100, y, x, 3)` at a time."""
    load_stage(run, stage)
    latent = np.random.default_rng(GENERATION_SEED).standard_normal((count, run.model.latent_dim), dtype=np.float32)
    for start in range(0, count, BATCH):
        yield np.asarray(run.model.decode(latent[start : start + BATCH]))


def stream_split(run: Run, split: str) -> Iterator[np.ndarray]:
    """The configurations of a split of the run's dataset, `(up to 100, y, x, 3)` at a time."""
    with open_dataset(run.config.dataset.path) as file:
        spins = file[split]["spins"]
        for start in range(0, len(spins), BATCH):
            yield spins[start : start + BATCH]


def _decades(gamma: float, wanted: float) -> float:
    """Distance on a logarithmic scale; zero is nearest to zero, and far from everything else."""
    if not gamma or not wanted:
        return abs(gamma - wanted) and 100.0 + math.log10(gamma or wanted)
    return abs(math.log10(gamma / wanted))

"""Generated and reconstructed states of the stages of a run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_evae.machine import quiet_tensorflow
from keras_evae.runs.run import BATCH, Run
from keras_evae.runs.stage_folder import FinishedStage, load_stage_weights

# Seed of the latent vectors of generated states: the same ones for each stage and run.
GENERATION_SEED = 0


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
    for spins in run.stream_split(split):
        yield np.asarray(run.model(spins, training=False))


def stream_generated(run: Run, stage: FinishedStage, count: int) -> Iterator[np.ndarray]:
    """The states of `generate`, `(up to 100, y, x, 3)` at a time."""
    load_stage(run, stage)
    latent = np.random.default_rng(GENERATION_SEED).standard_normal((count, run.model.latent_dim), dtype=np.float32)
    for start in range(0, count, BATCH):
        yield np.asarray(run.model.decode(latent[start : start + BATCH]))

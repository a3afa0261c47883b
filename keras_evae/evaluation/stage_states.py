"""Generated and reconstructed states of the stages of a run, from one model that is loaded stage by stage."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage, load_stage_weights
from keras_evae.runs.stage_plan import GENERATION_SEED

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE

BATCH = 100


@functools.lru_cache(maxsize=1)
def _model_of(run: Run) -> EVAE:
    """A model for the run in hand, while `run.model` stays what it is; that of the run before is dropped."""
    return run.new_model()


def load_stage(run: Run, stage: FinishedStage) -> EVAE:
    """A model with the weights of a stage, and its noise where the stage left it, until the next stage is loaded."""
    model = _model_of(run)
    load_stage_weights(model, stage)
    return model


def release_models() -> None:
    """Frees the weights that are in memory."""
    _model_of.cache_clear()


def reconstruct(run: Run, stage: FinishedStage, spins: np.ndarray) -> np.ndarray:
    """X_Out of a stage for configurations `(n, y, x, 3)`, through sampled latent vectors."""
    batches = (spins[start : start + BATCH] for start in range(0, len(spins), BATCH))
    return np.concatenate(list(stream_reconstructed(run, stage, batches)))


def generate(run: Run, stage: FinishedStage, count: int, prior: str = "normal") -> np.ndarray:
    """X'_Out of a stage, `(count, y, x, 3)`: of the prior `normal`, the same latent vectors for each stage."""
    return run.priors(stage, load_stage(run, stage)).generate(count, prior, GENERATION_SEED)


def stream_reconstructed(run: Run, stage: FinishedStage, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """X_Out of a stage for batches `(n, y, x, 3)`, one after the other."""
    model = load_stage(run, stage)
    return (np.asarray(model(spins, training=False)) for spins in batches)


def stream_generated(run: Run, stage: FinishedStage, count: int, batch_size: int = BATCH) -> Iterator[np.ndarray]:
    """The states of `generate`, `(batch_size, y, x, 3)` at a time."""
    priors = run.priors(stage, load_stage(run, stage))
    latent = priors.draw(count, seed=GENERATION_SEED)
    return (priors.model.decode_many(latent[start : start + batch_size]) for start in range(0, count, batch_size))

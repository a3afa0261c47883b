"""Latent vectors of a finished stage by the name of their prior, and the states that they decode to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.dataset import open_dataset
from keras_evae.errors import ArgumentError, DataError
from keras_evae.runs.stage_folder import FinishedStage

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE


@dataclasses.dataclass(frozen=True)
class StagePriors:
    """The ways to draw latent vectors for a stage.

    Args:
        stage: The finished stage.
        model: A model with its weights.
        dataset: File of its training data; the prior `normal` does without.
        augment: Whether it was trained on states that were moved by random symmetries.
    """

    stage: FinishedStage
    model: EVAE
    dataset: Path
    augment: bool

    def generate(self, n: int, prior: str = "normal", seed: int | None = None) -> np.ndarray:
        """States `(n, y, x, 3)` float32 of latent vectors of a prior; the same seed gives the same states."""
        return self.model.decode_many(self.draw(n, prior, seed))

    def draw(self, n: int, prior: str = "normal", seed: int | None = None) -> np.ndarray:
        """Latent vectors `(n, latent_dim)` float32 of a prior.

        Raises:
            ValueError: For a number below 1 or an unknown prior.
            DataError: If the prior needs the training data and they are not there.
        """
        from keras_evae.model.priors import PRIORS, normal_vectors

        if prior not in PRIORS:
            raise ArgumentError("prior", f"one of {', '.join(PRIORS)}", prior)
        if n < 1:
            raise ArgumentError("n", "at least 1", n)
        if prior == "normal":
            return normal_vectors(n, self.model.latent_dim, seed)
        return self._codes(n, np.random.default_rng(seed))

    def _codes(self, n: int, random: np.random.Generator) -> np.ndarray:
        """Latent vectors of the posteriors of random training states."""
        means, deviations = self._posteriors(n, random)
        return means + deviations * random.standard_normal(means.shape, np.float32)

    def _posteriors(self, n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        from keras_evae.model.priors import training_posteriors

        if not self.dataset.is_file():
            raise DataError(
                f"{self.dataset}: expected the training data, whose posteriors the priors posterior and flow are made "
                f"of, found no file; work in the folder that the run was trained in, or take prior=normal"
            )
        with open_dataset(self.dataset) as file:
            return training_posteriors(self.model, file["train"]["spins"], n, random, self.augment)

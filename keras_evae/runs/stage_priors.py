"""Latent vectors of a finished stage by the name of their prior, and the states that they decode to.

The learned density lies in the stage's folder: `prior_flow.npz` has the arrays of `keras_evae.model.latent_flow` and
the checksum of the weights that it belongs to, followed by the 32 bytes of its own SHA-256.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.console import format_seconds
from keras_evae.dataset import DatasetSpecification, check_specification, open_dataset
from keras_evae.errors import ArgumentError, DataError, as_integer
from keras_evae.files import disk_errors, file_checksum, hold_lock, read_sealed, write_sealed
from keras_evae.runs.run_folder import LOCK
from keras_evae.runs.stage_folder import FinishedStage

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE
    from keras_evae.model.latent_flow import FlowSettings, LatentFlow

logger = logging.getLogger(__name__)

FLOW = "prior_flow.npz"
# Of the codes that the density is learned from, and of its network.
FIT_SEED = 0


@dataclasses.dataclass(frozen=True)
class StagePriors:
    """The ways to draw latent vectors for a finished stage, with a model that has its weights.

    Args:
        dataset: File of its training data, made by `specification`; `normal` and a learned density do without.
        augment: Whether it was trained on states that were moved by random symmetries.
    """

    stage: FinishedStage
    model: EVAE
    dataset: Path
    specification: DatasetSpecification
    augment: bool

    def generate(self, n: int, prior: str = "normal", seed: int | None = None) -> np.ndarray:
        """States `(n, y, x, 3)` float32 of latent vectors of a prior; the same seed gives the same states."""
        return self.model.decode_many(self.draw(n, prior, seed))

    def draw(self, n: int, prior: str = "normal", seed: int | None = None) -> np.ndarray:
        """Latent vectors `(n, latent_dim)` float32 of a prior; `flow` is learned first if it is not there.

        Raises:
            ValueError: For a number below 1 or an unknown prior.
            DataError: If the prior needs the training data and they are not there, or if its file is damaged.
            MismatchError: If it needs them and they are those of another configuration.
            LockedError: If the density is to be learned and another process is at work in the run.
        """
        from keras_evae.model.latent_priors import PRIORS, normal_vectors

        if prior not in PRIORS:
            raise ArgumentError("prior", f"one of {', '.join(PRIORS)}", prior)
        n, seed = as_integer("n", n, 1), None if seed is None else as_integer("seed", seed, 0)
        if prior == "flow":
            return self.flow.sample(n, seed)
        if prior == "normal":
            return normal_vectors(n, self.model.latent_dim, seed)
        random = np.random.default_rng(seed)
        means, deviations = self._posteriors(n, random)
        return means + deviations * random.standard_normal(means.shape, np.float32)

    @functools.cached_property
    def flow(self) -> LatentFlow:
        """The learned density: read from the stage's folder, or learned and written there."""
        return self.read_flow() or self.fit_flow()

    def read_flow(self) -> LatentFlow | None:
        """The density in the stage's folder; None if there is none, or one of other weights.

        Raises:
            DataError: If its file is not what was written, to the last bit.
        """
        from keras_evae.model.latent_flow import LatentFlow

        path = self.stage.path / FLOW
        try:
            content = read_sealed(path)
            if content is None:
                return None
            flow, record = LatentFlow.decode(content, path)
            return flow if record["weights_sha256"] == file_checksum(self.stage.weights) else None
        except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = str(error) if isinstance(error, ValueError) else "no density of latent vectors"
            raise DataError(f"{path}: {reason}; delete it, and it will be learned again") from error

    def fit_flow(self, settings: FlowSettings | None = None) -> LatentFlow:
        """Learns the density from posteriors of training states, whatever is there, and writes it.

        Raises:
            DataError, LockedError, DiskError: See `draw`; nothing is changed.
        """
        from keras_evae.model.latent_flow import FlowSettings, LatentFlow

        settings = settings or FlowSettings.for_lattice(self.model.lattice_shape)
        with hold_lock(self.stage.path.parents[1] / LOCK):
            start = time.perf_counter()
            logger.info(
                "Learning the density of latent vectors of %s, once: posteriors of %d states, then %d steps",
                *(self.stage.name, settings.codes, settings.steps),
            )
            posteriors = self._posteriors(settings.codes, np.random.default_rng(FIT_SEED))
            flow = LatentFlow(self.model.latent_dim, settings, FIT_SEED)
            flow.fit(*posteriors)
            with disk_errors(self.stage.path / FLOW):
                record = {"weights_sha256": file_checksum(self.stage.weights)}
                write_sealed(self.stage.path / FLOW, flow.encode(record))
            logger.info("Learned in %s: %s", format_seconds(time.perf_counter() - start), self.stage.path / FLOW)
        return flow

    def _posteriors(self, n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations `(n, latent_dim)` of the posteriors of random training states."""
        from keras_evae.model.latent_priors import training_posteriors

        if not self.dataset.is_file():
            raise DataError(
                f"{self.dataset}: expected the training data, whose posteriors the priors posterior and flow are made "
                f"of, found no file; work in the folder that the run was trained in, or take the prior normal"
            )
        check_specification(self.dataset, self.specification)
        with open_dataset(self.dataset) as file:
            return training_posteriors(self.model, file["train"]["spins"], n, random, self.augment)

"""Run folders: what a training run writes, and how it is read again.

config.yaml          the whole configuration, defaults included
environment.json     versions, machine, command and devices of the run's first start; the run whose stages it has taken
stages/<name>/       one folder for each finished stage; it appears whole (see `keras_evae.runs.stage_folder`)
checkpoint.npz       state of the stage in training (see `keras_evae.runs.checkpoints`)
tensorboard/         TensorBoard logs, one continuous epoch axis over all stages
evaluation/          pictures and tables made by evae-evaluate
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.config import Config, load_config
from keras_evae.dataset import open_dataset, read_energies
from keras_evae.errors import ConfigError, DataError, MismatchError, in_brief
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.from_config import planned_stages
from keras_evae.runs.run_folder import CONFIG
from keras_evae.runs.stage_folder import FinishedStage, finished_stages, load_stage_weights
from keras_evae.terms import EnergyTerm

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE


# Configurations that go through the model at once.
BATCH = 100


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, finished or still in training.

    Args:
        path: The folder.
        config: Its configuration.
        stages: Its finished stages, in the order of training.
        selected: The stage whose weights `model` carries; None when no stage is finished.
    """

    path: Path
    config: Config
    stages: tuple[FinishedStage, ...]
    selected: FinishedStage | None

    def __repr__(self) -> str:
        stages = f"{len(self.stages)} of {len(planned_stages(self.config))} stages finished"
        return f"<Run {self.path}: {stages}{f', selected {self.selected.name}' if self.selected else ''}>"

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def hamiltonian(self) -> Hamiltonian:
        """The energy; a `ConfigError` for energy terms that the run was opened without."""
        unknown = [term for term in self.config.hamiltonian.terms if isinstance(term, str)]
        if unknown:
            raise ConfigError(
                f"{self.path}: its energy terms are Python, which no file holds; from Python it opens with run = "
                f"keras_evae.load_run({str(self.path)!r}, terms=[{in_brief(', '.join(unknown))[1:-1]}]), and "
                f"keras_evae.evaluate([run], ['losses'], 'figures') makes its figures; see docs/energies.md"
            )
        return Hamiltonian(**dict(self.config.hamiltonian))

    @functools.cached_property
    def model(self) -> EVAE:
        """The model with the weights of the selected stage."""
        if self.selected is None:
            raise DataError(f"{self.path}: no stage is finished yet, so there is no model to load")
        # Imported here: everything else about a run can be read without waiting for TensorFlow.
        from keras_evae.model.evae import EVAE

        # The configuration builds the model; the file gives arrays only.
        model = EVAE(
            lattice_shape=self.config.dataset.shape,
            latent_dim=self.config.network.latent_dim,
            hamiltonian=self.hamiltonian,
            seed=self.config.training.seed,
            largest_log_variance=self.config.network.largest_log_variance,
        )
        load_stage_weights(model, self.selected)
        return model


def load_run(path: str | Path, stage: str | int | None = None, terms: Sequence[EnergyTerm] = ()) -> Run:
    """Opens a run folder.

    Args:
        path: The folder, such as `runs/quickstart`.
        stage: Name or index of the finished stage whose weights `.model` shall carry; the last by default.
        terms: The energy terms of a run that was trained with some; files do not hold them. Without them such a run has
            no `.hamiltonian` and no `.model`.

    Raises:
        DataError: If the folder is not a run, or has not finished that stage.
        MismatchError: If the run has other energy terms.
    """
    path = Path(path)
    if not (path / CONFIG).is_file():
        raise DataError(f"{path}: expected a run folder with a {CONFIG}, found none")
    config = load_config(path / CONFIG)
    if terms:
        config = _add_terms(path / CONFIG, config, terms)
    stages = finished_stages(path, planned_stages(config))
    return Run(path, config, stages, _select(path, stages, stage))


def _add_terms(file: Path, config: Config, terms: Sequence[EnergyTerm]) -> Config:
    if not config.hamiltonian.terms:
        raise MismatchError(f"{file}: hamiltonian.terms: expected none as the run was trained, found {list(terms)}")
    try:
        return config.with_terms(*terms)
    except MismatchError as error:
        raise MismatchError(f"{file}: {error}") from error


def latest_run(root: str | Path = "runs") -> Path:
    """The run folder below `root` that was started or finished a stage last."""
    folders = [file.parent for file in Path(root).glob(f"*/{CONFIG}")]
    if not folders:
        raise DataError(f"{root}: no run found; start one with: evae-train --config quickstart")
    return max(folders, key=_last_change)


def _last_change(folder: Path) -> float:
    marks = (folder / CONFIG, folder / "stages", folder / "tensorboard")
    return max(mark.stat().st_mtime for mark in marks if mark.exists())


def _select(path: Path, stages: Sequence[FinishedStage], wanted: str | int | None) -> FinishedStage | None:
    if wanted is None:
        return stages[-1] if stages else None
    for stage in stages:
        if wanted in (stage.name, stage.stage.index):
            return stage
    known = ", ".join(stage.name for stage in stages) or "none"
    raise DataError(f"{path}: expected a finished stage {wanted!r}, found: {known}")


def data_energy(run: Run) -> float:
    """L_H of the training data: mean of (E - E0) / N."""
    energies = read_energies(run.config.dataset.path, "train")
    return float(energies.mean()) - run.hamiltonian.reference_energy_per_site(run.config.dataset.shape)


def stream_split(run: Run, split: str) -> Iterator[np.ndarray]:
    """The configurations of a split of the run's dataset, `(up to 100, y, x, 3)` at a time."""
    with open_dataset(run.config.dataset.path) as file:
        spins = file[split]["spins"]
        for start in range(0, len(spins), BATCH):
            yield spins[start : start + BATCH]


def lowest_annealed(run: Run) -> float:
    """The lowest E/N of the run's annealed data, all splits."""
    return float(min(read_energies(run.config.dataset.path, split).min() for split in ("train", "validation", "test")))

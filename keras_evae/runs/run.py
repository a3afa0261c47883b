"""An open run (`Run`, `load_run`): what the folder of a training run holds, and how it is read again.

config.yaml          the whole configuration, defaults included
manifest.sha256      checksums of these two (see `keras_evae.runs.manifest`)
environment.json     versions, machine, command and devices of the run's first start; the run whose stages it has taken
stages/<name>/       one folder for each finished stage; it appears whole (see `keras_evae.runs.stage_folder`)
checkpoint.npz       state of the stage in training (see `keras_evae.runs.checkpoints`)
tensorboard/         TensorBoard logs, one continuous epoch axis over all stages
evaluation/          pictures and tables made by evae-evaluate
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_evae.config import Config, dump_config
from keras_evae.dataset import SPLITS, open_dataset, read_energies, read_origin, read_split, stream_split
from keras_evae.dataset.specification import check_split
from keras_evae.errors import ConfigError, DataError, MismatchError, in_brief
from keras_evae.files import checksum
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.environment import meant_path
from keras_evae.runs.from_config import dataset_specification, make_model, planned_stages
from keras_evae.runs.manifest import has_manifest
from keras_evae.runs.run_folder import CONFIG, decided_by, read_config
from keras_evae.runs.stage_folder import CHECKSUMS, FinishedStage, finished_stages, load_stage_weights
from keras_evae.runs.stage_plan import Stage, in_words
from keras_evae.runs.stage_priors import StagePriors
from keras_evae.terms import EnergyTerm

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE

logger = logging.getLogger(__name__)


# Compared and hashed as the object that it is.
@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run folder, finished or still in training, with its finished stages in the order of training."""

    path: Path
    config: Config
    stages: tuple[FinishedStage, ...]
    # The one whose weights `model` carries; None when no stage is finished.
    selected: FinishedStage | None

    def __repr__(self) -> str:
        stages = f"{len(self.stages)} of {len(planned_stages(self.config))} stages finished"
        return f"<Run {self.path}: {stages}{f', selected {self.selected.name}' if self.selected else ''}>"

    @property
    def name(self) -> str:
        """Name of its folder, with a question mark for bytes that are no text."""
        return self.path.resolve().name.encode(errors="replace").decode()

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
        model = self.new_model()
        load_stage_weights(model, self.selected)
        return model

    def new_model(self) -> EVAE:
        """A model of this run with new weights."""
        return make_model(self.config, self.hamiltonian)

    def generate(self, n: int, prior: str = "normal", seed: int | None = None) -> np.ndarray:
        """States of the selected stage, `(n, y, x, 3)` float32, from latent vectors drawn as `prior` says.

        Args:
            n: Number of states.
            prior: `normal` (the paper), `posterior` of random training states, or `flow`, a density that is learned
                from such posteriors when it is first asked for, and kept with the stage.
            seed: The same one gives the same states; None draws new ones at each call.

        Raises:
            DataError: If the prior needs the training data and they are not there.
        """
        return self._selected_priors.generate(n, prior, seed)

    def priors(self, stage: FinishedStage, model: EVAE) -> StagePriors:
        """Ways to draw latent vectors of a finished stage, with a model that has its weights."""
        specification = dataset_specification(self.config)
        return StagePriors(stage, model, self.dataset_path, specification, self.config.training.augmentation)

    @functools.cached_property
    def _selected_priors(self) -> StagePriors:
        model = self.model
        # Without a stage there is no model.
        return self.priors(self.selected, model)  # type: ignore[arg-type]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its lattice, `(y, x)`."""
        return self.config.dataset.shape

    @property
    def dataset_path(self) -> Path:
        """File of its annealed configurations, absolute."""
        return meant_path(self.path, self.config.dataset.path)

    @property
    def data_kind(self) -> str:
        """What its dataset is made of, in words."""
        return "imported data" if self.config.dataset.source == "own" else "annealed data"

    @property
    def data_origin(self) -> str:
        """Where its dataset comes from, in words."""
        return read_origin(self.dataset_path) if self.dataset_path.is_file() else self.data_kind

    @property
    def title(self) -> str:
        """What tells it from other runs in a picture, such as `beta = 1e-3, seed 0`."""
        beta = "VAE" if self.evae_beta is None else f"beta = {in_words(self.evae_beta)}"
        return f"{beta}, seed {self.config.training.seed}"

    @property
    def evae_beta(self) -> float | None:
        """Beta of its E-VAE; None for a VAE alone."""
        return self.config.evae.beta if self.config.evae else None

    @property
    def planned(self) -> tuple[Stage, ...]:
        """All its stages, finished or not, in the order of training."""
        return planned_stages(self.config)

    @property
    def seeds(self) -> dict[str, int]:
        """Seeds of its dataset and of its training."""
        return {"dataset": self.config.dataset.seed, "training": self.config.training.seed}

    @property
    def config_text(self) -> str:
        """Its whole configuration as YAML."""
        return dump_config(self.config)

    @property
    def stages_checksum(self) -> str:
        """Of all that it has finished: what was made of other stages is outdated."""
        return checksum(b"".join((stage.path / CHECKSUMS).read_bytes() for stage in self.stages))

    def samples(self, stage: Stage) -> int:
        """Configurations that a stage is trained on, repetitions included; only full batches count."""
        batch = self.config.training.batch_size
        return stage.epochs * (self.config.dataset.train // batch) * batch

    def count(self, split: str) -> int:
        """Configurations in a split of its dataset."""
        return getattr(self.config.dataset, check_split(split))

    def read_split(self, split: str, count: int | None = None) -> np.ndarray:
        """The first configurations of a split of its dataset, `(count, y, x, 3)` float32; all if None."""
        return read_split(self.dataset_path, split, count)

    def stream_split(self, split: str, batch_size: int = 100) -> Iterator[np.ndarray]:
        """The configurations of a split, `(batch_size, y, x, 3)` at a time, the last ones fewer."""
        check_split(split)
        return stream_split(self.dataset_path, split, batch_size)

    def data_energy(self) -> float:
        """L_H of the training data: mean of (E - E0) / N."""
        energies = read_energies(self.dataset_path, "train")
        return float(energies.mean()) - self.hamiltonian.reference_energy_per_site(self.shape)

    def lowest_annealed(self) -> float:
        """The lowest E/N of the annealed data, all splits."""
        return float(min(read_energies(self.dataset_path, split).min() for split in SPLITS))

    def lowest_annealed_state(self) -> np.ndarray:
        """The configuration `(y, x, 3)` with this energy, as it was annealed."""
        energies = {split: read_energies(self.dataset_path, split) for split in SPLITS}
        split = min(energies, key=lambda name: energies[name].min())
        with open_dataset(self.dataset_path) as file:
            return file[split]["spins"][int(energies[split].argmin())]


def load_run(path: str | Path, stage: str | int | None = None, terms: Sequence[EnergyTerm] = ()) -> Run:
    """Opens a run folder.

    Args:
        path: The folder, such as `runs/quickstart`.
        stage: The finished stage whose weights `.model` carries: its name, its index, or words such as `"gamma=100"`
            or `"beta=1e-4, gamma=0"`, of which the last stage that fits is taken; the last of all by default.
        terms: The energy terms of a run that was trained with some; files do not hold them. Without them such a run has
            no `.hamiltonian` and no `.model`.

    Raises:
        DataError: If the folder is not a run, or has not finished that stage.
        MismatchError: If the run has other energy terms.
    """
    path = Path(path).absolute()
    if not (path / CONFIG).is_file():
        raise DataError(f"{path}: expected a run folder with a {CONFIG}, found none")
    config = read_config(path / CONFIG)
    if terms:
        config = _add_terms(path / CONFIG, config, terms)
    if not has_manifest(path):
        logger.info("%s: no manifest (an earlier version began it); config.yaml is taken as it is", path)
    stages = finished_stages(path, planned_stages(config), decided_by(config))
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
        raise DataError(f"{Path(root).absolute()}: no run found; start one with: evae-train --config quickstart")

    def last_change(folder: Path) -> float:
        marks = (folder / name for name in (CONFIG, "stages", "tensorboard"))
        return max(mark.stat().st_mtime for mark in marks if mark.exists())

    return max(folders, key=last_change)


def _select(path: Path, stages: Sequence[FinishedStage], wanted: str | int | None) -> FinishedStage | None:
    if wanted is None:
        return stages[-1] if stages else None
    for stage in reversed(stages):
        if wanted in (stage.name, stage.stage.index) or _has_weights(stage, str(wanted)):
            return stage
    known = ", ".join(stage.name for stage in stages) or "none"
    raise DataError(f"{path}: expected a finished stage {wanted!r}, found: {known}")


def _has_weights(stage: FinishedStage, words: str) -> bool:
    """Whether all of `beta=NUMBER, gamma=NUMBER` are those of a stage."""
    weights = dict(part.replace(" ", "").partition("=")[::2] for part in words.split(","))
    try:
        return weights.keys() <= {"beta", "gamma"} and all(
            float(value) == getattr(stage, name) for name, value in weights.items()
        )
    except ValueError:
        return False

"""Run folders: what a training run writes, and how it is read again.

config.yaml          the whole configuration, defaults included
environment.json     versions, machine, command and devices of the run's first start; the run whose stages it has taken
stages/<name>/       one folder for each finished stage; it appears whole (see `keras_evae.stages`)
checkpoint.npz       state of the stage in training (see `keras_evae.checkpoints`)
tensorboard/         TensorBoard logs, one continuous epoch axis over all stages
evaluation/          pictures and tables made by evae-evaluate
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_evae.annealing import AnnealingSchedule
from keras_evae.config import Config, dump_config, load_config
from keras_evae.dataset import DatasetSpecification
from keras_evae.durable import write_whole
from keras_evae.environment import record_start
from keras_evae.errors import ConfigError, DataError, MismatchError, in_brief
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.schedules import Stage, plan_stages
from keras_evae.stages import FinishedStage, finished_stages, load_stage_weights
from keras_evae.terms import EnergyTerm

if TYPE_CHECKING:
    from keras_evae.model import EVAE

CONFIG = "config.yaml"
# Held by the process that trains the run.
LOCK = ".lock"
# May differ from start to start: the result does not depend on it.
NOT_COMPARED = ("training.checkpoint_minutes",)


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
        from keras_evae.model import EVAE

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


def open_run_folder(path: str | Path, config: Config, details: Mapping[str, Any] | None = None) -> Path:
    """Creates the folder of a run, or checks that the existing one belongs to the same configuration and version.

    Two processes that create one folder would write over each other: hold its lock.

    Args:
        path: The folder.
        config: The run's configuration.
        details: What a new folder shall say about the run's first start, beside versions, machine and command.

    Raises:
        MismatchError: With the first key that differs, or if another version has begun to train; nothing is changed.
        DataError: If the folder is of something else.
    """
    path = Path(path)
    if (path / CONFIG).is_file():
        check_same_config(path / CONFIG, config)
    else:
        refuse_foreign_folder(path)
        path.mkdir(parents=True, exist_ok=True)
        # The configuration first: what makes the folder a run, whatever comes after it is cut short.
        write_whole(path / CONFIG, dump_config(config).encode())
    record_start(path, details)
    return path


def refuse_foreign_folder(path: Path, kind: str = "a run folder", settings: str = CONFIG) -> None:
    """Refuses a folder without settings, unless it is empty but for what a start leaves that was cut short.

    Raises:
        DataError: Nothing is changed.
    """
    if (path / settings).is_file() or not path.exists():
        return
    if not path.is_dir() or set(os.listdir(path)) - {LOCK, "stages", f"{settings}.partial"}:
        raise DataError(f"{path}: expected {kind} or an empty one, found something else; choose another --output")


def planned_stages(config: Config) -> tuple[Stage, ...]:
    """All stages of a configuration, in the order of training."""
    vae, evae = config.vae, config.evae
    if evae is None:
        return plan_stages(vae.betas, vae.epochs)
    return plan_stages(vae.betas, vae.epochs, evae.beta, evae.gammas, evae.epochs)


def dataset_specification(config: Config) -> DatasetSpecification:
    """The dataset that a configuration asks for."""
    dataset = config.dataset
    train = dataset.validation if dataset.source == "stream" else dataset.train
    return DatasetSpecification(
        hamiltonian=Hamiltonian(**dict(config.hamiltonian)),
        shape=dataset.shape,
        sizes=(train, dataset.validation, dataset.test),
        seed=dataset.seed,
        schedule=AnnealingSchedule(**dataset.schedule.model_dump()),
        storage=dataset.storage,
    )


def _select(path: Path, stages: Sequence[FinishedStage], wanted: str | int | None) -> FinishedStage | None:
    if wanted is None:
        return stages[-1] if stages else None
    for stage in stages:
        if wanted in (stage.name, stage.stage.index):
            return stage
    known = ", ".join(stage.name for stage in stages) or "none"
    raise DataError(f"{path}: expected a finished stage {wanted!r}, found: {known}")


def check_same_config(
    file: Path,
    config: Config,
    ignored: Sequence[str] = (),
    remedy: str = "Choose another folder with --output",
) -> None:
    """Compares a configuration with the one in a file, but for some sections.

    Raises:
        MismatchError: With the first key that differs and the remedy.
    """
    for key, (found, expected) in config_differences(load_config(file), config).items():
        if key.partition(".")[0] not in ignored:
            raise MismatchError(
                f"{file}: {key}: expected {in_brief(expected)} as configured now, found {in_brief(found)}; "
                f"nothing was changed. {remedy}"
            )


def config_differences(first: Config, second: Config) -> dict[str, tuple[Any, Any]]:
    """For each key, such as `training.seed`, in which two configurations differ, both values; None for a missing one.

    Keys that no result depends on are left out.
    """
    one, other = (dict(_flatten(config.model_dump(mode="json"))) for config in (first, second))
    keys = sorted((one.keys() | other.keys()) - set(NOT_COMPARED))
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Any:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

"""Run folders: what a training run writes, and how it is read again.

config.yaml          the whole configuration, defaults included
environment.json     versions, machine and command of the run's first start
stages/<name>/       one folder for each finished stage; it appears whole
    model.weights.h5     weights, optimiser state and seed position at the end of the stage
    metrics.json         losses in inference mode, statistics of generated states, checksum of the weights
    history.csv          losses of each epoch
tensorboard/         TensorBoard logs, one continuous epoch axis over all stages
evaluation/          pictures and tables made by evaluate.py
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_evae.annealing import AnnealingSchedule
from keras_evae.config import Config, dump_config, load_config
from keras_evae.dataset import DatasetSpecification
from keras_evae.durable import sync_folder, write_whole
from keras_evae.errors import DataError, MismatchError, in_brief
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.schedules import Stage, plan_stages

if TYPE_CHECKING:
    from keras_evae.model import EVAE

WEIGHTS, METRICS, HISTORY, CONFIG = "model.weights.h5", "metrics.json", "history.csv", "config.yaml"
# Held by the process that trains the run.
LOCK = ".lock"
PACKAGES = ("keras_evae", "tensorflow", "keras", "numpy", "numba", "h5py", "matplotlib", "pydantic", "PyYAML")


@dataclasses.dataclass(frozen=True)
class FinishedStage:
    """A stage whose training is complete, with its measured metrics."""

    stage: Stage
    path: Path
    metrics: Mapping[str, Mapping[str, float]]

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def beta(self) -> float:
        return self.stage.beta

    @property
    def gamma(self) -> float:
        return self.stage.gamma


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

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def hamiltonian(self) -> Hamiltonian:
        return Hamiltonian(**self.config.hamiltonian.model_dump())

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
        )
        load_stage_weights(model, self.selected)
        return model


def load_run(path: str | Path, stage: str | int | None = None) -> Run:
    """Opens a run folder.

    Args:
        path: The folder, such as `runs/quickstart`.
        stage: Name or index of the finished stage whose weights `.model` shall carry; the last by default.

    Raises:
        DataError: If the folder is not a run, or has not finished that stage.
    """
    path = Path(path)
    if not (path / CONFIG).is_file():
        raise DataError(f"{path}: expected a run folder with a {CONFIG}, found none")
    config = load_config(path / CONFIG)
    stages = finished_stages(path, planned_stages(config))
    return Run(path, config, stages, _select(path, stages, stage))


def latest_run(root: str | Path = "runs") -> Path:
    """The run folder below `root` that was started or finished a stage last."""
    folders = [file.parent for file in Path(root).glob(f"*/{CONFIG}")]
    if not folders:
        raise DataError(f"{root}: no run found; start one with: python train.py --config configs/quickstart.yaml")
    return max(folders, key=_last_change)


def _last_change(folder: Path) -> float:
    marks = (folder / CONFIG, folder / "stages", folder / "tensorboard")
    return max(mark.stat().st_mtime for mark in marks if mark.exists())


def open_run_folder(path: str | Path, config: Config) -> Path:
    """Creates the folder of a run, or checks that the existing one belongs to the same configuration.

    Raises:
        MismatchError: With the first key that differs; nothing is changed.
    """
    path = Path(path)
    if (path / CONFIG).is_file():
        _check_same_config(path / CONFIG, config)
        return path
    if path.exists() and (not path.is_dir() or set(os.listdir(path)) - {LOCK, "stages", f"{CONFIG}.partial"}):
        raise DataError(f"{path}: expected a run folder or an empty one, found something else; choose another --output")
    (path / "stages").mkdir(parents=True, exist_ok=True)
    # The configuration first: what makes the folder a run, whatever comes after it is cut short.
    write_whole(path / CONFIG, dump_config(config).encode())
    write_whole(path / "environment.json", json.dumps(describe_environment(), indent=2).encode() + b"\n")
    return path


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
        hamiltonian=Hamiltonian(**config.hamiltonian.model_dump()),
        shape=dataset.shape,
        sizes=(train, dataset.validation, dataset.test),
        seed=dataset.seed,
        schedule=AnnealingSchedule(**dataset.schedule.model_dump()),
        storage=dataset.storage,
    )


def finished_stages(path: Path, planned: Sequence[Stage]) -> tuple[FinishedStage, ...]:
    """The planned stages whose folders are there, up to the first that is missing."""
    finished = []
    for stage in planned:
        folder = path / "stages" / stage.name
        if not folder.is_dir():
            break
        finished.append(FinishedStage(stage, folder, _read_json(folder / METRICS)["metrics"]))
    return tuple(finished)


def refuse_orphans(path: Path, missing: Sequence[Stage]) -> None:
    """Refuses to train a stage before one that is there: that one was trained from another predecessor.

    Raises:
        DataError: With the folders to delete.
    """
    orphans = [str(path / "stages" / stage.name) for stage in missing if (path / "stages" / stage.name).exists()]
    if orphans:
        raise DataError(
            f"{path}: expected no stage after the missing {missing[0].name}, found {', '.join(orphans)}; "
            f"delete them, and train.py will train them again"
        )


def save_stage(
    path: Path, stage: Stage, model: EVAE, metrics: Mapping[str, Mapping[str, float]], history: Mapping[str, list]
) -> None:
    """Writes the folder of a finished stage; it appears under its name only when everything is on disk."""
    folder = path / "stages" / stage.name
    partial = folder.with_name(f".{stage.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save_weights(partial / WEIGHTS)
    _write_history(partial / HISTORY, stage, history)
    record = {**dataclasses.asdict(stage), "metrics": metrics, "weights_sha256": _sha256(partial / WEIGHTS)}
    (partial / METRICS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for file in partial.iterdir():
        with open(file, "rb+") as stream:
            os.fsync(stream.fileno())
    sync_folder(partial)
    partial.rename(folder)
    sync_folder(folder.parent)


def load_stage_weights(model: EVAE, stage: FinishedStage) -> None:
    """Loads the weights of a finished stage, and the optimiser's state if the model has a built optimiser.

    Raises:
        DataError: If the file is missing or not what was written, to the last bit.
    """
    weights = stage.path / WEIGHTS
    expected = _read_json(stage.path / METRICS)["weights_sha256"]
    if not weights.is_file() or _sha256(weights) != expected:
        raise DataError(
            f"{weights}: missing or damaged (its checksum differs from the one written with it); "
            f"delete the folder {stage.path} and later stages, and train.py will train them again"
        )
    model.load_weights(weights)


def describe_environment() -> dict[str, Any]:
    """Versions, machine and command of this process."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "versions": versions,
    }


def _select(path: Path, stages: Sequence[FinishedStage], wanted: str | int | None) -> FinishedStage | None:
    if wanted is None:
        return stages[-1] if stages else None
    for stage in stages:
        if wanted in (stage.name, stage.stage.index):
            return stage
    known = ", ".join(stage.name for stage in stages) or "none"
    raise DataError(f"{path}: expected a finished stage {wanted!r}, found: {known}")


def _check_same_config(file: Path, config: Config) -> None:
    found, expected = (dict(_flatten(c.model_dump(mode="json"))) for c in (load_config(file), config))
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            raise MismatchError(
                f"{file}: {key}: expected {in_brief(expected.get(key))} as configured now, "
                f"found {in_brief(found.get(key))}; "
                f"nothing was changed. Choose another folder with --output"
            )


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Any:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _write_history(file: Path, stage: Stage, history: Mapping[str, list]) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["epoch", *history])
        for epoch, values in enumerate(zip(*history.values(), strict=True), start=stage.first_epoch):
            writer.writerow([epoch, *values])


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: missing or damaged; delete its folder and later stages, and train.py will train them again"
        ) from error


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

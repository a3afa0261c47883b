"""Opening the folder of a run; comparing its configuration with another one, and with that of its stages."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_evae.config import Config, dump_config, load_config
from keras_evae.errors import RESTORE, DataError, MismatchError, in_brief
from keras_evae.runs.environment import ENVIRONMENT, meant_path, record_start
from keras_evae.runs.manifest import MANIFEST, begin_manifest, read_listed, write_listed

CONFIG = "config.yaml"
# Held by the process that trains the run.
LOCK = ".lock"
# Listed in the manifest of a run: checkpoints and stages have checksums of their own.
LISTED = (CONFIG, ENVIRONMENT)
# May differ from start to start: the result does not depend on it. Of the file of a sample only the mask counts.
NOT_COMPARED = ("training.checkpoint_minutes", "dataset.cache", "geometry.file")
# Sections that the weights of a stage depend on; where the dataset lies decides nothing either.
DECISIVE = ("hamiltonian", "geometry", "dataset", "network", "training")


def open_run_folder(path: str | Path, config: Config, details: Mapping[str, Any] | None = None) -> Path:
    """Creates the folder of a run, or checks that the existing one belongs to the same configuration and version.

    Two processes that create one folder would write over each other: hold its lock. A new folder says the details of
    the run's first start, beside versions, machine and command.

    Raises:
        MismatchError: With the first key that differs, or if another version has begun to train; nothing is changed.
        DataError: If the folder is of something else.
    """
    path = Path(path).absolute()
    if (path / CONFIG).is_file():
        check_same_config(path / CONFIG, config)
        begin_manifest(path, LISTED)
    else:
        refuse_foreign_folder(path)
        path.mkdir(parents=True, exist_ok=True)
        # The configuration first: what makes the folder a run, whatever comes after it is cut short.
        begin_manifest(path, LISTED)
        write_listed(path / CONFIG, dump_config(config).encode())
    record_start(path, details)
    return path


def refuse_foreign_folder(path: Path, kind: str = "a run folder", settings: str = CONFIG) -> None:
    """Refuses a folder without settings, unless it is empty but for what a start leaves that was cut short.

    Raises:
        DataError: Nothing is changed.
    """
    if (path / settings).is_file() or not path.exists():
        return
    if not path.is_dir() or set(os.listdir(path)) - {LOCK, MANIFEST, "stages", f"{settings}.partial"}:
        raise DataError(
            f"{path.absolute()}: expected {kind} or an empty one, found something else; choose another --output"
        )


def check_same_config(
    file: Path, config: Config, ignored: Sequence[str] = (), remedy: str = "Choose another folder with --output"
) -> None:
    """Compares a configuration with the one in a file, but for some sections and keys; paths by where they lead.

    Raises:
        MismatchError: With the first key that differs and the remedy.
    """
    known, given = (with_meant_dataset(file.parent, values) for values in (read_config(file), config))
    for key, (found, expected) in config_differences(known, given).items():
        if not {key, key.partition(".")[0]} & {*ignored, "thermal"}:
            raise MismatchError(
                f"{file.absolute()}: {key}: expected {in_brief(expected)} as configured now, found {in_brief(found)}; "
                f"nothing was changed. {remedy}"
            )


def free_keys(config: Config) -> tuple[str, ...]:
    """Keys for `check_same_config` to ignore where two folders share a system.

    Where annealed states lie decides nothing, but a user's own need not be the same elsewhere.
    """
    return () if config.dataset.source == "own" else ("dataset.path",)


def read_config(file: Path) -> Config:
    """The configuration in a run folder; `DataError` if it is not what was written, to the last bit."""
    read_listed(file, f"{RESTORE}, or delete {MANIFEST} if you have changed the file, and it is taken as it is")
    return load_config(file)


def with_meant_dataset(folder: str | Path, config: Config) -> Config:
    """A configuration with the absolute path of its dataset, in the folder of its run or of one that is to begin.

    A relative path that the run has in its own configuration is seen from where the run was started, another one from
    the folder of this process.
    """
    folder, path = Path(folder), config.dataset.path
    if (folder / CONFIG).is_file() and read_config(folder / CONFIG).dataset.path == path:
        path = meant_path(folder, path)
    dataset = config.dataset.model_copy(update={"path": Path(os.path.realpath(path))})
    return config.model_copy(update={"dataset": dataset})


def decided_by(config: Config) -> dict[str, Any]:
    """Keys and values that a stage's weights depend on, as its metrics.json keeps them."""
    values, indifferent = _flatten(config.model_dump(mode="json")), (*NOT_COMPARED, "dataset.path")
    return {key: value for key, value in values if key.partition(".")[0] in DECISIVE and key not in indifferent}


def check_decisive_keys(folder: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Compares what a stage was trained with and what its run says now, in the keys that both have.

    Raises:
        MismatchError: With the first key that differs.
    """
    for key in sorted(found.keys() & expected.keys()):
        if found[key] != expected[key]:
            raise MismatchError(
                f"{folder}: {key}: trained with {in_brief(found[key])}, but the configuration of the run says "
                f"{in_brief(expected[key])}; restore config.yaml, or train another run with another --output"
            )


def config_differences(first: Config, second: Config) -> dict[str, tuple[Any, Any]]:
    """For each key, such as `training.seed`, in which two configurations differ, both values; None for a missing one.

    Keys that no result depends on are left out.
    """
    one, other = (dict(_flatten(config.model_dump(mode="json"))) for config in (first, second))
    keys = sorted((one.keys() | other.keys()) - set(NOT_COMPARED))
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

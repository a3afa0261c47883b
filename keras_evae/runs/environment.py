"""Who trained a run: its first start, the version of the training, and what its last bits depend on beside them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from keras_evae.errors import RESTORE, MismatchError, in_brief, validate_json
from keras_evae.files import json_text
from keras_evae.machine import describe_environment
from keras_evae.runs.checkpoints import CHECKPOINT
from keras_evae.runs.manifest import read_listed, write_listed

logger = logging.getLogger(__name__)

# Raised whenever a change of this package changes the bits that a configuration and seed are trained to.
# 2: moving averages of batch normalisation with momentum 0.9.
# 3: sums are not merged any more (`machine.repeatable_sums`), and oneDNN is on for every x86-64 processor.
TRAINING_VERSION = 3
ENVIRONMENT, VERSION, ARITHMETIC = "environment.json", "training_version", "arithmetic"
# Where the run was started: what relative paths of its configuration were meant to.
FOLDER = "folder"


class TakenStages(TypedDict):
    """Of another run: its folder, and the names of the stages that were taken over from it."""

    run: str
    stages: list[str]


class Environment(TypedDict, total=False):
    """What environment.json says, as far as it is used; everything else is shown as it is."""

    __pydantic_config__ = {"extra": "allow"}  # type: ignore[misc]
    command: list[str]
    training_version: Any
    arithmetic: list[dict[str, Any]]
    stages_from: TakenStages


def record_start(path: Path, details: Mapping[str, Any] | None = None) -> None:
    """Writes the environment of a folder in which nothing is trained yet; checks the version of any other.

    Raises:
        MismatchError: If another version has begun to train; nothing is changed.
    """
    (path / "stages").mkdir(parents=True, exist_ok=True)
    if not training_begun(path) and read_environment(path).get(VERSION) != TRAINING_VERSION:
        write_listed(path / ENVIRONMENT, _json({**_describe_start(), **(details or {})}))
    check_training_version(path)


def training_begun(path: Path) -> list[str]:
    """Names of what training has left in a folder: finished stages and a checkpoint."""
    return [file.name for file in (*(path / "stages").glob("[!.]*"), path / CHECKPOINT) if file.exists()]


def check_training_version(path: Path, remedy: str = "Train anew with another --output") -> None:
    """Compares the version that has trained what is in a folder with the one at work.

    Raises:
        MismatchError: With both and the remedy.
    """
    found = read_environment(path).get(VERSION)
    # As in runs of versions before 0.1.0.
    if found is None:
        too_old = "written by a version before 0.1.0, which this one cannot use"
        raise MismatchError(f"{path}: {too_old}; nothing was changed. {remedy}")
    if found != TRAINING_VERSION:
        raise MismatchError(
            f"{path}: {VERSION}: expected {TRAINING_VERSION} as in this package, found {in_brief(found)}, "
            f"which trains to other bits; nothing was changed. {remedy}"
        )


def record_arithmetic(path: Path, arithmetic: Mapping[str, Any]) -> None:
    """Adds what the last bits depend on to the list in the folder of a run that is about to train, if it is new there.

    A run that goes on with something else than before says so in one line of the log.
    """
    known = read_environment(path).get(ARITHMETIC, []) if training_begun(path) else []
    changes = [
        f"{name} {value}, before {known[-1].get(name)}"
        for name, value in arithmetic.items()
        if known and known[-1].get(name) != value
    ]
    if changes:
        logger.warning(f"Going on with {'; '.join(changes)}: the last bits will differ from those of one machine alone")
    if changes or not known:
        add_to_environment(path, {ARITHMETIC: [*known, dict(arithmetic)]})


def read_environment(path: Path) -> dict[str, Any]:
    """What a run folder says about its first start; nothing, if that was cut short before it was written.

    Raises:
        DataError: If the file is damaged.
    """
    file = path / ENVIRONMENT
    if not file.exists():
        return {}
    return validate_json(file, read_listed(file), Environment, RESTORE)


def meant_path(run: Path, path: Path) -> Path:
    """A path of a run's configuration, absolute: seen from where the run was started.

    If nothing is there, as when the run was moved with its data, or if the run has not recorded its start: seen from
    the folder of this process.
    """
    started = read_environment(run).get(FOLDER)
    here = path.absolute()
    if path.is_absolute() or not isinstance(started, str):
        return here
    places = [Path(started) / path, here]
    return next((place for place in places if place.exists()), places[0])


def add_to_environment(path: Path, entries: Mapping[str, Any]) -> None:
    """Adds to what a run folder says about its first start."""
    write_listed(path / ENVIRONMENT, _json({**(read_environment(path) or _describe_start()), **entries}))


def _describe_start() -> dict[str, Any]:
    return {**describe_environment(), FOLDER: str(Path.cwd()), VERSION: TRAINING_VERSION}


def _json(values: Mapping[str, Any]) -> bytes:
    return json_text(values, indent=2).encode() + b"\n"

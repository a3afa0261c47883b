"""Who trained a run: what its folder says about its first start, and the version of the training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_evae.errors import TOO_OLD, DataError, MismatchError, in_brief
from keras_evae.files import disk_errors, write_whole
from keras_evae.machine import describe_environment
from keras_evae.runs.checkpoints import CHECKPOINT

# Raised whenever a change of this package changes the bits that a configuration and seed are trained to.
# 2: moving averages of batch normalisation with momentum 0.9.
TRAINING_VERSION = 2
ENVIRONMENT, VERSION = "environment.json", "training_version"


def record_start(path: Path, details: Mapping[str, Any] | None = None) -> None:
    """Writes the environment of a folder in which nothing is trained yet; checks the version of any other.

    Raises:
        MismatchError: If another version has begun to train; nothing is changed.
    """
    (path / "stages").mkdir(parents=True, exist_ok=True)
    if not training_begun(path) and read_environment(path).get(VERSION) != TRAINING_VERSION:
        write_whole(path / ENVIRONMENT, _json({**_describe_start(), **(details or {})}))
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
        raise MismatchError(f"{path}: {TOO_OLD}; nothing was changed. {remedy}")
    if found != TRAINING_VERSION:
        raise MismatchError(
            f"{path}: {VERSION}: expected {TRAINING_VERSION} as in this package, found {in_brief(found)}, "
            f"which trains to other bits; nothing was changed. {remedy}"
        )


def read_environment(path: Path) -> dict[str, Any]:
    """What a run folder says about its first start; nothing, if that was cut short before it was written.

    Raises:
        DataError: If the file is damaged.
    """
    file = path / ENVIRONMENT
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise DataError(f"{file}: expected a JSON object, found something else; restore the file") from error


def add_to_environment(path: Path, entries: Mapping[str, Any]) -> None:
    """Adds to what a run folder says about its first start."""
    with disk_errors(path / ENVIRONMENT):
        write_whole(path / ENVIRONMENT, _json({**(read_environment(path) or _describe_start()), **entries}))


def _describe_start() -> dict[str, Any]:
    return {**describe_environment(), VERSION: TRAINING_VERSION}


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, indent=2).encode() + b"\n"

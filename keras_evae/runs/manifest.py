"""What the files of a run and of its results must be: a checksum of each, and the configuration of each stage.

    manifest.sha256      in a run folder: config.yaml, environment.json; in a folder of results: all that is in it

Each line is `<sha256>  <file>`, as for `sha256sum --check`. A line is appended before its file appears: a kill between
the two leaves a file that an earlier line of the same name describes. What lies in the folder of a stage has checksums
of its own; its metrics.json holds the keys of the configuration that its weights depend on, see `decisive_keys`.

A folder of an earlier version has no manifest. It is read as it is, and one line says so; where this version writes to
it, its files are taken as they are and get their lines.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from keras_evae.errors import RESTORE, DataError, MismatchError, in_brief, reading_errors
from keras_evae.files import append_line, checksum, disk_errors, file_checksum, read_checksums, write_whole

logger = logging.getLogger(__name__)

MANIFEST = "manifest.sha256"
# Sections of a configuration that weights depend on, and their keys that weights do not depend on.
DECISIVE = ("hamiltonian", "geometry", "dataset", "network", "training")
INDIFFERENT = ("geometry.file", "dataset.path", "dataset.cache", "training.checkpoint_minutes")


class Numbers(dict[str, Any]):
    """Numbers, or groups of them, by their names; a `DataError` where one is missing."""

    def __init__(self, file: Path, remedy: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._file, self._remedy = file, remedy

    def __missing__(self, name: str) -> float:
        raise DataError(f"{self._file}: expected {name}, found none; {self._remedy}")


class StageRecord(TypedDict):
    """What metrics.json holds of a stage."""

    index: int
    beta: float
    gamma: float
    first_epoch: int
    epochs: int
    metrics: dict[str, dict[str, float]]
    # Not in stages of earlier versions: the configuration, and beta, gamma and epochs of all stages up to this one.
    config: NotRequired[dict[str, Any]]
    stages: NotRequired[list[list[float]]]


def begin_manifest(folder: Path, names: Sequence[str] = ()) -> None:
    """Starts the manifest of a folder that has none, with the files of some names in it, all by default."""
    if (folder / MANIFEST).exists():
        return
    files = [file for file in sorted(folder.glob("[!.]*")) if file.is_file() and (not names or file.name in names)]
    if files:
        logger.info("%s: it has no manifest yet; its files are taken as they are", folder)
    lines = "".join(f"{file_checksum(file)}  {file.name}\n" for file in files)
    write_whole(folder / MANIFEST, lines.encode())


def write_listed(path: Path, content: bytes) -> None:
    """Writes a file whole, after its line in the manifest of its folder.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    with disk_errors(path):
        list_file(path, checksum(content))
        write_whole(path, content)


def list_file(path: Path, digest: str) -> None:
    """Adds the line of a file to the manifest of its folder, if it has one."""
    if has_manifest(path.parent) and digest not in _known(path):
        append_line(path.parent / MANIFEST, f"{digest}  {path.name}")


def has_manifest(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def read_listed(path: Path, remedy: str = RESTORE) -> bytes:
    """The content of a file, compared with the manifest of its folder, if it has one.

    Raises:
        DataError: If the file is missing or not what was written, to the last bit.
    """
    with reading_errors(path, remedy):
        content = path.read_bytes()
        known = _known(path) if has_manifest(path.parent) else None
    if known is not None and checksum(content) not in known:
        raise DataError(f"{path}: truncated, damaged or changed (not what {MANIFEST} beside it says); {remedy}")
    return content


def _known(path: Path) -> list[str]:
    """Checksums under which a file is listed."""
    return [digest for name, digest in read_checksums(path.parent / MANIFEST) if name == path.name]


def decisive_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a configuration's keys, such as `training.seed`, those that weights depend on beside the stages."""
    return {key: value for key, value in values.items() if key.partition(".")[0] in DECISIVE and key not in INDIFFERENT}


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


def describe_plan(stages: Sequence[Any]) -> list[list[float]]:
    """Beta, gamma and epochs of stages, as a stage keeps those up to itself."""
    return [[stage.beta, stage.gamma, stage.epochs] for stage in stages]

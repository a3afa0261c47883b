"""Manifests: a checksum of each file in the folder of a run and of its results, compared when the file is read.

    manifest.sha256      in a run folder: config.yaml, environment.json; in a folder of results: all that is in it

Each line is `<sha256>  <file>`, as for `sha256sum --check`. A line is appended before its file appears: a kill between
the two leaves a file that an earlier line of the same name describes. What lies in the folder of a stage has checksums
of its own.

A folder of an earlier version has no manifest. It is read as it is, and one line says so; where this version writes to
it, its files are taken as they are and get their lines.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from keras_evae.errors import RESTORE, DataError, reading_errors
from keras_evae.files import append_line, checksum, disk_errors, file_checksum, read_checksums, write_whole

logger = logging.getLogger(__name__)

MANIFEST = "manifest.sha256"


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

"""Writing that survives a crash: whole or not at all, and still there when the call has returned."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from keras_evae.errors import DiskError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_IN_WORDS = ("No space left", "Disk quota exceeded", "File too large")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a file that appears under its name only when all of it is on the disk."""
    partial = path.with_name(f"{path.name}.partial")
    with open(partial, "wb") as file:
        file.write(content)
    publish(partial, path)


def publish(partial: Path, path: Path) -> None:
    """Makes a complete file visible under its name, in one step that a crash cannot split."""
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Appends a line to a file; a crash may leave a part of it."""
    with open(path, "ab") as file:
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write into a `DiskError` of one line."""
    try:
        yield
    except OSError as error:
        # HDF5 tells the cause in its message only.
        if error.errno in FULL or any(words in str(error) for words in FULL_IN_WORDS):
            reason = "the disk is full; make room"
        else:
            reason = f"cannot be written ({error.strerror or str(error).splitlines()[0]}); mend it"
        raise DiskError(f"{path}: {reason}. Finished work is kept, the same command goes on from there") from error

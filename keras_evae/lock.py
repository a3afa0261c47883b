"""One process at a time in a folder: a lock that the operating system drops when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from keras_evae.errors import LockedError

BUSY = (errno.EWOULDBLOCK, errno.EACCES)


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, which says who holds it, while the block runs.

    Raises:
        LockedError: With host, process and start of the process that holds it.
    """
    descriptor = _acquire(path)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            # The last holder has removed the folder in this moment.
            continue
        try:
            _lock(descriptor, path)
            if _is_current(descriptor, path):
                _introduce(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in BUSY:
            raise OSError(error.errno, f"the file system has no locks: {error.strerror}", str(path)) from error
        holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "another process"
        raise LockedError(
            f"{path.parent}: expected no other process at work here, found {holder}; wait for it or stop it"
        ) from error


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether the locked file still is the one under its name, and not one that its last holder removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _introduce(descriptor: int) -> None:
    started = time.strftime("%Y-%m-%d %H:%M:%S %z")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}, started {started}\n".encode(), 0)

"""Files: written whole or not at all, locked, with checksums; arrays of NPZ and NPY files read without trust.

`keras_evae.dataset.reading` does for HDF5 what is done here for arrays in NPZ and NPY, and for JSON.
"""

import contextlib
import errno
import hashlib
import io
import json
import logging
import math
import os
import re
import shutil
import socket
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_evae.errors import BUSY, RESTORE, DataError, DiskError, LockedError, in_brief, reading_errors
from keras_evae.machine import check_memory

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_IN_WORDS = ("No space left", "Disk quota exceeded", "File too large")
CHECKSUM_LINE = re.compile(r"[0-9a-f]{64}  .+\n")


def checksum(content: bytes | memoryview) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_checksum(path: Path) -> str:
    """SHA-256 of the content of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_checksums(path: Path) -> list[tuple[str, str]]:
    """Names and checksums in a file as `sha256sum` reads it, if it is there; a torn line is no line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if path.exists() else []
    return [(line[66:-1], line[:64]) for line in lines if CHECKSUM_LINE.fullmatch(line)]


def expand_path(path: str | Path) -> Path:
    """A path as a configuration writes it, with what `~` and variables (`$SCRATCH/spins.h5`) stand for.

    Raises:
        ValueError: For a variable that is not set, or characters that no file name has.
    """
    text = os.path.expandvars(str(path))
    unset = re.search(r"\$(\w+|\{[^}]*\})", text)
    if unset:
        raise ValueError(f"a path whose variables are set (${unset[1].strip('{}')} is not)")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("a path of characters that a file name can have")
    return Path(os.path.expanduser(text))


def json_text(values: Any, indent: int | None = None) -> str:
    """Values as strict JSON, which knows neither NaN nor infinity: both become null."""
    loose = json.dumps(values, default=lambda value: dict(value) if isinstance(value, Mapping) else float(value))
    return json.dumps(json.loads(loose, parse_constant=lambda name: None), indent=indent)


def existing_folder(folder: Path) -> Path:
    """A folder, or the one around it that is there."""
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


def check_room(folder: Path, needed: float, what: str, remedy: str) -> None:
    """Compares the bytes that something needs with what the disk of a folder, which may be missing yet, has left.

    Raises:
        DiskError: With both and the remedy.
    """
    free = shutil.disk_usage(existing_folder(folder)).free
    if free < needed:
        raise DiskError(
            f"{folder.absolute()}: {what} need {needed / 1e9:.2f} GB, found {free / 1e9:.2f} GB free; {remedy}"
        )


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a file that appears under its name only when all of it is on the disk."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
        publish(partial, path)
    except BaseException:
        # What a full disk has cut short shall not fill it.
        partial.unlink(missing_ok=True)
        raise


def write_sealed(path: Path, content: bytes | memoryview) -> None:
    """Writes a file whole, with the 32 bytes of the SHA-256 of its content at its end."""
    write_whole(path, bytes(content) + bytes.fromhex(checksum(content)))


def read_sealed(path: Path) -> bytes | None:
    """The content of a file of `write_sealed`; None if there is no file.

    Raises:
        ValueError: If it is not what was written, to the last bit.
    """
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return None
    content, digest = whole[:-32], whole[-32:]
    if checksum(content) != digest.hex():
        raise ValueError("truncated or damaged (its checksum is not the one written with it)")
    return content


def as_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The content of an uncompressed `.npz` file."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def load_arrays(
    path: Path, stream: IO[bytes], names: Sequence[str] | None = None, remedy: str = RESTORE
) -> dict[str, np.ndarray]:
    """Reads arrays of an open `.npz` file by their names, all by default; nothing but arrays, and none of objects.

    `path` and `remedy` are as in `keras_evae.errors.reading_fault`.

    Raises:
        DataError: If an array is missing, has no room in memory, or is not what its header says.
    """
    with reading_errors(path, remedy), zipfile.ZipFile(stream) as archive:
        headers = array_headers(path, archive)
        if missing := set(names or ()) - headers.keys():
            raise DataError(f"{path}: expected an array {min(missing)!r}, found {in_brief(sorted(headers))}")
        wanted = headers if names is None else names
        needed = sum(math.prod(headers[name][0]) * headers[name][1].itemsize for name in wanted)
        check_memory(needed, f"{path}: its arrays")
        arrays = {}
        for name in wanted:
            with archive.open(f"{name}.npy") as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
                # To the end, where the checksum of the member is compared.
                member.read()
        return arrays


def array_headers(path: Path, archive: zipfile.ZipFile) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types of the arrays in an archive, by their names."""
    headers = {}
    for entry in archive.infolist():
        with archive.open(entry) as member:
            headers[entry.filename.removesuffix(".npy")] = array_header(path, member, entry.file_size)
    return headers


def array_header(path: Path, stream: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in the NPY format, of so many bytes, which must be those that its header declares."""
    # Later versions have room for longer headers, which names of fields alone would need.
    if np.lib.format.read_magic(stream) != (1, 0):
        raise DataError(f"{path}: expected version 1.0 of the NPY format, found a later one")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise DataError(f"{path}: expected numbers, found Python objects, which could run code; nothing was read")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize + stream.tell() != size:
        raise ValueError(f"its header declares {dtype} {shape}, which is not what follows")
    return shape, dtype


def map_array(path: Path, stream: IO[bytes]) -> np.ndarray:
    """The array of an open NPY file, of which the operating system reads what is used; errors as `array_header`."""
    array_header(path, stream, os.fstat(stream.fileno()).st_size)
    return np.lib.format.open_memmap(path, mode="r")


def check_file(path: str | Path) -> None:
    """Refuses what is no file: a pipe would be waited for."""
    if not Path(path).is_file():
        number = errno.EISDIR if Path(path).is_dir() else errno.ENOENT
        raise OSError(number, os.strerror(number))


def publish(partial: Path, path: Path) -> None:
    """Makes a complete file visible under its name, in one step that a crash cannot split."""
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Appends a line to a file; a crash may leave a part of it, which the next line does not continue."""
    with open(path, "ab+") as file:
        file.seek(max(0, file.tell() - 1))
        torn = file.read() not in (b"", b"\n")
        file.write(b"\n" * torn + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system lets a program wait for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
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
    except (OSError, RuntimeError) as error:
        # HDF5 tells the cause in its message only.
        full = getattr(error, "errno", None) in FULL or any(words in str(error) for words in FULL_IN_WORDS)
        if isinstance(error, RuntimeError) and not full:
            raise
        why = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        reason = "the disk is full; make room" if full else f"cannot be written ({why}); mend it"
        raise DiskError(
            f"{path.absolute()}: {reason}. Finished work is kept, the same command goes on from there"
        ) from error


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, which says who holds it, while the block runs.

    Where the system has no such locks (Windows), one line of the log says so, and the block runs without.

    Raises:
        LockedError: With host, process and start of the process that holds it.
    """
    if fcntl is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        logger.warning("%s: this system has no locks; let no other process work in this folder", path.parent.absolute())
        yield
        return
    descriptor = _acquire(path)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            # The last holder has removed the folder in this moment.
            continue
        try:
            _lock(descriptor, path)
            # The last holder may have removed the file under this name.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    started = time.strftime("%Y-%m-%d %H:%M:%S %z")
                    holder = f"process {os.getpid()} on {socket.gethostname()}, started {started}\n"
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, holder.encode(), 0)
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
            f"{path.parent.absolute()}: expected no other process at work here, found {holder}; wait for it or stop it"
        ) from error

"""Files that are read without trust: what is in them is checked before it takes memory, and says what is wrong.

A file never makes the program read another one, or take memory that the machine does not have. Data elsewhere
(external storage, links, virtual datasets) are refused, sizes are compared with the memory available, and values are
converted in parts. The faults of reading are told apart by `keras_evae.errors.reading_fault`, which rooms below this
one use too, as they do the functions for NPZ in `keras_evae.files`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from keras_evae.errors import RESTORE, DataError, in_brief, reading_errors
from keras_evae.files import array_headers, check_file, map_array
from keras_evae.machine import available_memory, check_memory

# Bytes that are read and converted at once.
PART = 2**26
HDF5, NPZ, NPY = (".h5", ".hdf5"), (".npz",), (".npy",)
# Names in a message.
MOST_NAMES = 6
Memory = Callable[[], int]


class StoredArray:
    """An array in an open HDF5 file, which reads what is sliced: `array[index]`, `array[start:stop]`.

    Raises:
        DataError: At the first use, if its data lie elsewhere or have no room, if their filter is missing, or for
            damage.
    """

    def __init__(self, path: str | Path, name: str, stored: h5py.Dataset, remedy: str, memory: Memory) -> None:
        self.path, self.name = path, name
        self._stored, self._remedy, self._memory = stored, remedy, memory
        self._refusal = _refusal(stored)

    def __len__(self) -> int:
        return self.shape[0]

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        with reading_errors(self.path, self._remedy):
            return self._stored.shape or ()

    @functools.cached_property
    def dtype(self) -> np.dtype:
        with reading_errors(self.path, self._remedy):
            return self._stored.dtype

    @functools.cached_property
    def _chunk(self) -> int:
        """Entries of a chunk, which HDF5 unpacks as a whole."""
        return math.prod(self._stored.chunks or ())

    def __getitem__(self, key: Any) -> np.ndarray:
        if self._refusal:
            raise DataError(f"{self.path}: {self.name}: {self._refusal}")
        with reading_errors(self.path, self._remedy):
            needed = (_selected(self.shape, key) + self._chunk) * self.dtype.itemsize
            # Looking at the memory takes longer than reading a little.
            if needed > PART:
                check_memory(needed, f"{self.path}: its arrays", memory=self._memory)
            return self._stored[key]


class StoredFile(Mapping[str, StoredArray]):
    """Arrays of an open HDF5 file by their names, such as `train/spins`; links are not followed."""

    def __init__(self, path: str | Path, file: h5py.File, remedy: str, memory: Memory) -> None:
        self.path, self._file, self._remedy = path, file, remedy
        with reading_errors(path, remedy):
            self.links: list[str] = []
            found = _datasets(file, self.links)
            self._arrays = {name: StoredArray(path, name, array, remedy, memory) for name, array in found}

    def __getitem__(self, name: str) -> StoredArray:
        if name not in self._arrays:
            link = "; a link of that name leads elsewhere and was not followed" if name in self.links else ""
            raise DataError(f"{self.path}: expected an array {name!r}, found {some_names(list(self))}{link}")
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the file, or another value if it has none of this name."""
        with reading_errors(self.path, self._remedy):
            return self._file.attrs.get(name, default)


@contextlib.contextmanager
def open_hdf5(
    path: str | Path, remedy: str = RESTORE, memory: Callable[[], int] = available_memory
) -> Iterator[StoredFile]:
    """Opens an HDF5 file for reading. What the caller raises in the block is raised as it is.

    `remedy` is what mends a damaged file; `memory` gives the bytes that are available.

    Raises:
        DataError, DiskError, LockedError: As `errors.reading_fault` says, here and where an array is read.
    """
    path = Path(path).absolute()
    with opened(path, lambda: h5py.File(path, "r"), remedy) as file:
        yield StoredFile(path, file, remedy, memory)


@contextlib.contextmanager
def opened(path: Path, opening: Callable[[], Any], remedy: str = RESTORE) -> Iterator[Any]:
    """What a library gives for a file, closed behind the block; errors of opening it as `reading_fault` says."""
    with contextlib.ExitStack() as stack:
        with reading_errors(path, remedy):
            check_file(path)
            file = stack.enter_context(opening())
        yield file


@contextlib.contextmanager
def open_arrays(path: Path, memory: Callable[[], int] = available_memory) -> Iterator[Mapping[str, Readable]]:
    """Opens a file of arrays by its suffix: HDF5, NPZ, or NPY, whose array has the name of the file.

    Raises:
        DataError, DiskError, LockedError: As `open_hdf5`.
    """
    if path.suffix in HDF5:
        with open_hdf5(path, memory=memory) as file:
            yield file
        return
    with opened(path, lambda: open(path, "rb")) as stream:
        with reading_errors(path):
            found = _archived(path, stream, memory) if path.suffix in NPZ else {path.stem: map_array(path, stream)}
        yield found


class _ArchivedArray:
    """An array in an open NPZ file, of which slices are unpacked one after the other, once its checksum is right."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, name: str, memory: Memory) -> None:
        self._path, self._archive, self._name, self._memory = path, archive, name, memory
        with archive.open(name) as member:
            np.lib.format.read_magic(member)
            self.shape, self._columns_first, self.dtype = np.lib.format.read_array_header_1_0(member)
            self._begin = member.tell()

    @functools.cached_property
    def _member(self) -> IO[bytes]:
        with self._archive.open(self._name) as member:
            # To the end, where the checksum of the member is compared.
            while member.read(2**20):
                continue
        return self._archive.open(self._name)

    @functools.cached_property
    def _whole(self) -> np.ndarray:
        return self._read(0, math.prod(self.shape)).reshape(self.shape, order="F" if self._columns_first else "C")

    def _read(self, start: int, count: int) -> np.ndarray:
        """So many numbers, flat."""
        with reading_errors(self._path):
            needed = count * self.dtype.itemsize
            check_memory(needed, f"{self._path}: its arrays", memory=self._memory)
            self._member.seek(self._begin + start * self.dtype.itemsize)
            return np.frombuffer(self._member.read(needed), self.dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        rows = range(len(self.shape) and self.shape[0])[key if isinstance(key, slice) else slice(None)]
        # Entries of an array in Fortran's order lie apart.
        if not isinstance(key, slice) or rows.step != 1 or self._columns_first:
            return self._whole[key]
        row = math.prod(self.shape[1:])
        return self._read(rows.start * row, len(rows) * row).reshape(len(rows), *self.shape[1:])


Readable = StoredArray | _ArchivedArray | np.ndarray


def _archived(path: Path, stream: IO[bytes], memory: Memory) -> dict[str, Readable]:
    archive = zipfile.ZipFile(stream)
    return {name: _ArchivedArray(path, archive, f"{name}.npy", memory) for name in array_headers(path, archive)}


def some_names(names: list[str]) -> str:
    """The first of some names, for a message."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return in_brief(", ".join(names[:MOST_NAMES]))[1:-1] + more or "no array"


def _datasets(file: h5py.File, links: list[str]) -> Iterator[tuple[str, h5py.Dataset]]:
    """Datasets in the file itself, each once, with their names; the names of links are added to `links`."""
    groups, seen = [("", file["/"])], set()
    while groups:
        prefix, group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                links.append(f"{prefix}{name}")
                continue
            member = group[name]
            address = h5py.h5o.get_info(member.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(member, h5py.Group):
                groups.append((f"{prefix}{name}/", member))
            elif isinstance(member, h5py.Dataset):
                yield f"{prefix}{name}", member


def _refusal(stored: h5py.Dataset) -> str:
    """Why a dataset is not read; nothing, if it is."""
    try:
        properties = stored.id.get_create_plist()
        if stored.external or stored.is_virtual:
            return "its data lie in other files, which are not read; copy them into this one, as with h5repack"
        for number in range(properties.get_nfilters()):
            code, _, _, name = properties.get_filter(number)
            if not h5py.h5z.filter_avail(code):
                words = name.decode(errors="replace") or "unknown"
                return f"its filter {words} ({code}) is not installed; import hdf5plugin, or take h5repack -f NONE"
        if h5py.check_vlen_dtype(stored.dtype) or stored.dtype.hasobject:
            return "expected numbers, found entries of variable length"
    # Its type is none of NumPy's, or its header is damaged, which reading says.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
        return ""
    return ""


def _selected(shape: tuple[int, ...], key: Any) -> int:
    """Number of entries that indices and slices take from an array of a shape."""
    keys, taken = key if isinstance(key, tuple) else (key,), 1
    for length, part in zip(shape, (*keys, *[slice(None)] * (len(shape) - len(keys))), strict=True):
        taken *= len(range(length)[part]) if isinstance(part, slice) else np.size(part)
    return taken

"""The HDF5 file of a dataset: written, checked, read by split into train, validation and test.

Layout, for each split:

    <split>/spins    (n, y, x, 3) float32 or float16, one chunk a configuration, checksummed (fletcher32)
    <split>/energy   (n,) float64, total energy of the annealed float32 spins
    <split>/charge   (n,) float64, topological charge of the annealed float32 spins

The attributes of the file hold the Hamiltonian, the annealing schedule, shape, seed, storage, versions and the
version of the format. Readers give float32 unit vectors whatever the storage, and zero vectors outside of the
Hamiltonian's mask. Each component of a spin stored as float16 is rounded by at most 2^-12, each spin by at most
|dS| = 5e-4; in a minimum of the energy that changes the energy in second order only.
"""

import contextlib
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import keras_evae
from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.dataset.reading import MOST_NAMES, PART, StoredArray, StoredFile, open_hdf5
from keras_evae.dataset.specification import SPLITS, DatasetSpecification, check_split, describe_difference
from keras_evae.errors import DataError, MismatchError, in_brief, reading_errors, validate_json
from keras_evae.files import json_text
from keras_evae.lattice import decode_mask
from keras_evae.machine import check_memory

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
VERSIONS = {"keras_evae": keras_evae.__version__, "kernel": KERNEL_VERSION}
# Room for HDF5's index, for each configuration; more than it takes.
METADATA_BYTES = 128
# Of a damaged file.
AGAIN = "delete it, and it will be generated again"
# A component of a unit vector, rounded to half precision.
LARGEST_COMPONENT = 1.01


class StoredSpins:
    """Spins `(n, y, x, 3)` in an open file, read as float32 unit vectors: `spins[index]`, `spins[start:stop]`."""

    dtype = np.dtype(np.float32)

    def __init__(self, stored: StoredArray) -> None:
        self._stored = stored
        count, height, width, components = stored.shape
        self.shape = (count, height, width, components)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        spins = self._stored[key]
        if spins.dtype == self.dtype:
            return spins
        spins = spins.astype(self.dtype)
        norms = np.sqrt(np.einsum("...a,...a->...", spins, spins))[..., None]
        # Zero vectors, where there is no spin, stay zero.
        return spins / np.maximum(norms, np.finfo(self.dtype).tiny)


def write_dataset(
    path: Path,
    specification: DatasetSpecification,
    shards: Iterable[Mapping[str, np.ndarray]],
    order: Iterable[int] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Writes a file from arrays `spins`, `energy` and `charge` of configurations, piece by piece.

    Its bytes follow from the specification and the versions of the software alone, if the states are annealed.

    Args:
        shards: The arrays, of consecutive configurations or in another `order`, which gives the place of each.
        origin: Where a user's own states come from, kept as JSON.

    Raises:
        OSError: If the disk has no room for all of it; nothing is written then.
    """
    create_file(path, specification.disk_bytes + METADATA_BYTES * (specification.count + 256))
    with h5py.File(path, "r+", libver="latest") as file:
        file.attrs["format_version"] = FORMAT_VERSION
        write_attribute(file, "specification", specification.attributes())
        write_attribute(file, "versions", VERSIONS)
        splits = [
            _create_split(file, split, size, specification)
            for split, size in zip(SPLITS, specification.sizes, strict=True)
        ]
        if origin is not None:
            write_attribute(file, "origin", dict(origin))
        all_places = [(split, index) for split in splits for index in range(len(split["spins"]))]
        places = iter(all_places) if order is None else (all_places[place] for place in order)
        for arrays in shards:
            # One by one: where HDF5 puts them shall not depend on the length of the shards.
            for row, (split, index) in zip(range(len(arrays["spins"])), places, strict=False):
                for name, values in arrays.items():
                    split[name][index] = values[row]


def check_specification(path: str | Path, specification: DatasetSpecification) -> None:
    """Checks that a file was made by a specification, from its attributes alone; errors as `check_dataset`."""
    path = Path(path).absolute()
    expected, found = specification.attributes(), read_attributes(path)
    difference = describe_difference(expected, found)
    if expected.get("dataset.source") != found.get("dataset.source"):
        kinds = ["annealed states", "states of a user's own"][:: 1 if specification.files is None else -1]
        difference = f"dataset.source: expected {kinds[0]} as configured, found {kinds[1]}"
    if difference:
        raise MismatchError(
            f"{path}: {difference} in the dataset; choose another dataset.path, or mend the configuration"
        )


def check_dataset(path: str | Path, specification: DatasetSpecification) -> None:
    """Checks that a file was made by a specification and is complete and undamaged to the last bit.

    Kernels of another version draw other states from the same distribution: one line says so, and the file is good.

    Raises:
        DataError: If the file is missing, damaged, or not a dataset.
        MismatchError: With the name of the first key that differs.
    """
    check_specification(path, specification)
    with (
        open_hdf5(path, AGAIN) as file,
        progress_bar(None, "checking", specification.count, unit="lattice") as progress,
    ):
        kernel = json_attribute(file, "versions").get("kernel")
        if kernel != KERNEL_VERSION:
            logger.info("%s: annealed with kernel version %s, read by %d; used as it is", path, kernel, KERNEL_VERSION)
        for split, size in zip(SPLITS, specification.sizes, strict=True):
            spins = _layout(file, f"{split}/spins", (size, *specification.shape, 3), specification.storage)
            for name in ("energy", "charge"):
                if not np.isfinite(_layout(file, f"{split}/{name}", (size,), "float64")[:]).all():
                    raise DataError(f"{file.path}: expected finite numbers as {split}/{name}; {AGAIN}")
            # Reading a configuration verifies its checksum.
            for index in range(size):
                # Nor is NaN within the bound.
                if not np.abs(spins[index]).max() <= LARGEST_COMPONENT:
                    raise DataError(f"{file.path}: expected unit vectors as {split}/spins, found others; {AGAIN}")
                progress.update()


def _layout(file: StoredFile, name: str, shape: tuple[int, ...], dtype: str) -> StoredArray:
    array = file[name]
    if array.shape != shape or array.dtype != dtype:
        raise DataError(
            f"{file.path}: expected {name} of shape {shape} and type {dtype}, found {array.shape} and {array.dtype}; "
            f"{AGAIN}"
        )
    return array


def read_attributes(path: str | Path) -> dict[str, Any]:
    """The specification stored in a file, as `DatasetSpecification.attributes` gives it."""
    with open_hdf5(path, AGAIN) as file:
        version = file.attribute("format_version")
        if not np.array_equal(version, FORMAT_VERSION):
            raise DataError(f"{file.path}: expected a spin dataset of format version {FORMAT_VERSION}, found {version}")
        return json_attribute(file, "specification")


def json_attribute(file: StoredFile, name: str) -> dict[str, Any]:
    content = file.attribute(name)
    if not isinstance(content, bytes):
        raise DataError(f"{file.path}: expected the attribute {name} of a spin dataset, found {in_brief(content)}")
    return validate_json(f"{file.path}: {name}", content, dict[str, Any], AGAIN)


def read_origin(path: str | Path) -> str:
    """Where the states of a dataset come from, in words."""
    with open_hdf5(path, AGAIN) as file:
        if file.attribute("origin") is None:
            return "annealed"
        files = json_attribute(file, "origin")["files"]
    names = [f"{Path(name).name} ({entry['states']} states)" for name, entry in files.items()]
    more = f" and {len(names) - MOST_NAMES} more files" if len(names) > MOST_NAMES else ""
    return f"imported from {', '.join(names[:MOST_NAMES])}{more}"


def read_split(path: str | Path, split: str, count: int | None = None) -> np.ndarray:
    """Spins `(n, y, x, 3)`, float32, of the first `count` configurations of a split (all by default)."""
    check_split(split)
    with open_dataset(path) as file:
        spins = file[split]["spins"]
        shape = (len(range(len(spins))[:count]), *spins.shape[1:])
        check_memory(4 * math.prod(shape), f"{path}: its arrays")
        values = np.empty(shape, np.float32)
        step = max(1, PART // max(1, 4 * math.prod(shape[1:])))
        for start in range(0, len(values), step):
            with np.errstate(over="ignore", invalid="ignore"):
                values[start : start + step] = spins[start : min(start + step, len(values))]
            if not np.isfinite(values[start : start + step]).all():
                found = "NaN, Inf or larger ones"
                raise DataError(f"{path}: expected finite spins in single precision, found {found}; {AGAIN}")
    return values


def stream_split(path: str | Path, split: str, batch_size: int) -> Iterator[np.ndarray]:
    """Spins `(batch_size, y, x, 3)`, float32, of a whole split in its stored order; the last ones may be fewer."""
    with open_dataset(path) as file:
        spins = file[split]["spins"]
        for start in range(0, len(spins), batch_size):
            yield spins[start : start + batch_size]


def read_energies(path: str | Path, split: str) -> np.ndarray:
    """Energy per site that carries a spin, `(n,)`, of the configurations of a split, as they were annealed."""
    check_split(split)
    mask = read_attributes(path).get("hamiltonian.mask")
    with open_dataset(path) as file:
        spins, energies = file[split]["spins"], file[split]["energy"][:]
        with reading_errors(path, AGAIN):
            sites = math.prod(spins.shape[1:3]) if mask is None else np.count_nonzero(decode_mask(mask))
        return energies / sites


class _Splits(dict[str, dict[str, Any]]):
    """Splits of an open file."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        super().__init__({split: self[split] for split in SPLITS if f"{split}/spins" in file})

    def __missing__(self, split: str) -> dict[str, Any]:
        spins, energy, charge = (self._file[f"{split}/{name}"] for name in ("spins", "energy", "charge"))
        if len(spins.shape) != 4 or spins.shape[-1] != 3 or spins.dtype.kind != "f":
            raise DataError(f"{spins.path}: expected spins (n, y, x, 3) as {spins.name}, found {spins.shape}; {AGAIN}")
        return {"spins": StoredSpins(spins), "energy": energy, "charge": charge}


@contextlib.contextmanager
def open_dataset(path: str | Path) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Opens a dataset for reading: `file[split]["spins"]` and "energy", "charge", which read what is sliced.

    What the caller raises in the block is raised as it is.

    Raises:
        DataError, DiskError, LockedError: As `keras_evae.dataset.reading.open_hdf5`, here and at each reading.
    """
    with open_hdf5(path, AGAIN) as file:
        yield _Splits(file)


def create_file(path: Path, room: int) -> None:
    """An empty HDF5 file in the latest format, which checksums the file's structure too, not only its data.

    Args:
        room: Bytes reserved on the disk. HDF5 does not survive a full disk: it loses what it holds, and its process.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    creation = _without_times(h5py.h5p.FILE_CREATE)
    h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access).close()
    with open(path, "rb+") as reserved:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(reserved.fileno(), 0, room)


def _without_times(kind: Any) -> Any:
    """A property list by which files and groups do not record when they were made."""
    properties = h5py.h5p.create(kind)
    properties.set_obj_track_times(False)
    return properties


def write_attribute(file: h5py.File, name: str, values: dict[str, Any]) -> None:
    """Writes plain values as JSON."""
    # Bytes of fixed length lie in the checksummed header; strings would lie in a heap without checksum.
    file.attrs[name] = np.bytes_(json_text(values))


def _create_split(
    file: h5py.File, split: str, size: int, specification: DatasetSpecification
) -> dict[str, h5py.Dataset]:
    shape = (size, *specification.shape, 3)
    group = h5py.Group(h5py.h5g.create(file.id, split.encode(), gcpl=_without_times(h5py.h5p.GROUP_CREATE)))
    group.create_dataset("spins", shape, specification.storage, chunks=(1, *shape[1:]), fletcher32=True)
    for name in ("energy", "charge"):
        group.create_dataset(name, (size,), "f8", chunks=(size,), fletcher32=True)
    return dict(group)

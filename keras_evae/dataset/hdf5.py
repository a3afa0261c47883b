"""The file of a dataset: HDF5, split by index into train, validation and test.

Layout, for each split:

    <split>/spins    (n, y, x, 3) float32 or float16, one chunk a configuration, checksummed (fletcher32)
    <split>/energy   (n,) float64, total energy of the annealed float32 spins
    <split>/charge   (n,) float64, topological charge of the annealed float32 spins

The attributes of the file hold the Hamiltonian, the annealing schedule, shape, seed, storage, versions and the
version of the format. Readers give float32 unit vectors whatever the storage, and zero vectors outside of the
Hamiltonian's mask. Each component of a spin stored as float16 is rounded by at most 2^-12, each spin by at most
|dS| = 5e-4; in a minimum of the energy that changes the energy in second order only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

import keras_evae
from keras_evae.annealing import KERNEL_VERSION
from keras_evae.dataset.specification import SPLITS, DatasetSpecification, check_split, describe_difference
from keras_evae.errors import TOO_OLD, DataError, MismatchError
from keras_evae.lattice import decode_mask

logger = logging.getLogger(__name__)


FORMAT_VERSION = 1
VERSIONS = {"keras_evae": keras_evae.__version__, "kernel": KERNEL_VERSION}
# Room for HDF5's index, for each configuration; more than it takes.
METADATA_BYTES = 128


class StoredSpins:
    """Spins `(n, y, x, 3)` in an open file, read as float32 unit vectors: `spins[index]`, `spins[start:stop]`."""

    dtype = np.dtype(np.float32)

    def __init__(self, stored: h5py.Dataset) -> None:
        self._stored = stored
        self.shape = stored.shape

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


def write_dataset(path: Path, specification: DatasetSpecification, shards: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Writes a file from arrays `spins`, `energy` and `charge` of consecutive configurations, piece by piece.

    Its bytes follow from the specification and the versions of the software alone.

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
        places = ((split, index) for split in splits for index in range(len(split["spins"])))
        for arrays in shards:
            # One by one: where HDF5 puts them shall not depend on the length of the shards.
            for row, (split, index) in zip(range(len(arrays["spins"])), places, strict=False):
                for name, values in arrays.items():
                    split[name][index] = values[row]


def check_specification(path: str | Path, specification: DatasetSpecification) -> None:
    """Checks that a file was made by a specification, from its attributes alone; errors as `check_dataset`."""
    difference = describe_difference(specification.attributes(), read_attributes(path))
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
        open_file(path) as file,
        tqdm(None, "checking", specification.count, unit="lattice", leave=False, delay=1, disable=None) as progress,
    ):
        kernel = json.loads(bytes(file.attrs["versions"]))["kernel"]
        if kernel != KERNEL_VERSION:
            logger.info("%s: annealed with kernel version %s, read by %d; used as it is", path, kernel, KERNEL_VERSION)
        for split, size in zip(SPLITS, specification.sizes, strict=True):
            shape = (size, *specification.shape, 3)
            spins = file[split]["spins"] if split in file else None
            if spins is None or spins.shape != shape or spins.dtype != specification.storage:
                raise DataError(f"{path}: expected {split}/spins of shape {shape}; the file is damaged")
            for name in ("energy", "charge"):
                file[split][name][:]
            # Reading a configuration verifies its checksum.
            for index in range(size):
                spins[index]
                progress.update()


def read_attributes(path: str | Path) -> dict[str, Any]:
    """The specification stored in a file, as `DatasetSpecification.attributes` gives it."""
    with open_file(path) as file:
        version = file.attrs.get("format_version")
        if version != FORMAT_VERSION:
            raise DataError(f"{path}: expected a spin dataset of format version {FORMAT_VERSION}, found {version}")
        attributes = json.loads(bytes(file.attrs["specification"]))
    if not {"dataset.storage", "hamiltonian.J2"} <= attributes.keys():
        raise DataError(f"{path}: {TOO_OLD}; delete it, and it will be generated again")
    return attributes


def read_split(path: str | Path, split: str, count: int | None = None) -> np.ndarray:
    """Spins `(n, y, x, 3)`, float32, of the first `count` configurations of a split (all by default)."""
    check_split(split)
    with open_dataset(path) as file:
        return file[split]["spins"][:count]


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
        _, height, width, _ = file[split]["spins"].shape
        sites = height * width if mask is None else np.count_nonzero(decode_mask(mask))
        return file[split]["energy"][:] / sites


@contextlib.contextmanager
def open_dataset(path: str | Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Opens a dataset for reading: `file[split]["spins"]` and "energy", "charge", which read what is sliced.

    Raises:
        DataError: For any damage that shows while it is open.
    """
    with open_file(path) as file:
        yield {
            split: {"spins": StoredSpins(group["spins"]), "energy": group["energy"], "charge": group["charge"]}
            for split, group in file.items()
            if split in SPLITS
        }


@contextlib.contextmanager
def open_file(path: str | Path) -> Iterator[h5py.File]:
    if not Path(path).is_file():
        raise DataError(f"{path}: expected a dataset, found no file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0].strip("'\"")
        raise DataError(
            f"{path}: truncated or damaged ({reason}); delete it, and it will be generated again"
        ) from error


def create_file(path: Path, room: int) -> None:
    """An empty HDF5 file in the latest format, which checksums the file's structure too, not only its data.

    Args:
        path: Where it is made.
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
    file.attrs[name] = np.bytes_(json.dumps(values))


def _create_split(
    file: h5py.File, split: str, size: int, specification: DatasetSpecification
) -> dict[str, h5py.Dataset]:
    shape = (size, *specification.shape, 3)
    group = h5py.Group(h5py.h5g.create(file.id, split.encode(), gcpl=_without_times(h5py.h5p.GROUP_CREATE)))
    group.create_dataset("spins", shape, specification.storage, chunks=(1, *shape[1:]), fletcher32=True)
    for name in ("energy", "charge"):
        group.create_dataset(name, (size,), "f8", chunks=(size,), fletcher32=True)
    return dict(group)

"""Datasets of annealed spin configurations: one HDF5 file, split by index into train, validation and test.

Layout, for each split:

    <split>/spins    (n, y, x, 3) float32, one chunk a configuration, checksummed (fletcher32)
    <split>/energy   (n,) float64, total energy
    <split>/charge   (n,) float64, topological charge

The attributes of the file hold the Hamiltonian, the annealing schedule, shape, seed, versions and the version
of the format. A file is written under a temporary name and appears whole: no reader ever sees half of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

import keras_evae
from keras_evae.analysis import topological_charge
from keras_evae.annealing import KERNEL_VERSION, AnnealingSchedule, anneal_many
from keras_evae.errors import DataError, DiskError, MismatchError
from keras_evae.hamiltonian import Hamiltonian

SPLITS = ("train", "validation", "test")
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class DatasetSpecification:
    """Everything that fixes the content of a dataset.

    Args:
        hamiltonian: Energy that is annealed.
        shape: Lattice `(y, x)`.
        sizes: Number of configurations in train, validation and test.
        seed: Seed of the annealing; configuration k depends on (seed, k) alone.
        schedule: Annealing schedule.
    """

    hamiltonian: Hamiltonian
    shape: tuple[int, int]
    sizes: tuple[int, int, int]
    seed: int
    schedule: AnnealingSchedule

    @property
    def count(self) -> int:
        """Configurations in all splits."""
        return sum(self.sizes)

    @property
    def disk_bytes(self) -> int:
        """Size of the finished file, without its few kilobytes of metadata."""
        return self.count * self.shape[0] * self.shape[1] * 3 * 4

    def attributes(self) -> dict[str, Any]:
        """The specification as plain values, by the names under which the configuration knows them."""
        values = {
            "dataset.shape": list(self.shape),
            **{f"dataset.{split}": size for split, size in zip(SPLITS, self.sizes, strict=True)},
            "dataset.seed": self.seed,
        }
        values |= {f"hamiltonian.{name}": value for name, value in self.hamiltonian.to_config().items()}
        values |= {f"dataset.schedule.{n}": value for n, value in dataclasses.asdict(self.schedule).items()}
        return values


def generate_dataset(path: str | Path, specification: DatasetSpecification, workers: int | None = None) -> None:
    """Anneals all configurations of a dataset and writes its file, which appears only when it is complete.

    Args:
        path: File to be made; must not exist.
        specification: What to anneal.
        workers: Threads; all cores by default. The result does not depend on it.

    Raises:
        DataError: If the file exists.
        DiskError: If the disk has less room than the file needs.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path}: exists already; nothing was overwritten. Choose another path or move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(path.parent, specification.disk_bytes)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _write(partial, specification, workers)
        _publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_dataset(path: str | Path, specification: DatasetSpecification) -> None:
    """Checks that a file was made by a specification and is complete and undamaged to the last bit.

    Raises:
        DataError: If the file is missing, damaged, or not a dataset.
        MismatchError: With the name of the first key that differs.
    """
    found = read_attributes(path)
    for key, expected in specification.attributes().items():
        if found.get(key) != expected:
            raise MismatchError(
                f"{path}: {key}: expected {expected!r} as configured, found {found.get(key)!r} in the dataset; "
                f"choose another dataset.path, or mend the configuration"
            )
    with open_dataset(path) as file:
        for split, size in zip(SPLITS, specification.sizes, strict=True):
            shape = (size, *specification.shape, 3)
            if split not in file or file[split]["spins"].shape != shape:
                raise DataError(f"{path}: expected {split}/spins of shape {shape}; the file is damaged")
            for name in ("energy", "charge"):
                file[split][name][:]
            # Reading a configuration verifies its checksum.
            for index in range(size):
                file[split]["spins"][index]


def read_attributes(path: str | Path) -> dict[str, Any]:
    """The specification stored in a file, as `DatasetSpecification.attributes` gives it."""
    with open_dataset(path) as file:
        version = file.attrs.get("format_version")
        if version != FORMAT_VERSION:
            raise DataError(f"{path}: expected a spin dataset of format version {FORMAT_VERSION}, found {version}")
        return json.loads(bytes(file.attrs["specification"]))


def read_split(path: str | Path, split: str, count: int | None = None) -> np.ndarray:
    """Spins `(n, y, x, 3)` of the first `count` configurations of a split (all by default)."""
    with open_dataset(path) as file:
        return file[split]["spins"][:count]


def read_energies(path: str | Path, split: str) -> np.ndarray:
    """Energy per site `(n,)` of the configurations of a split."""
    with open_dataset(path) as file:
        _, height, width, _ = file[split]["spins"].shape
        return file[split]["energy"][:] / (height * width)


@contextlib.contextmanager
def open_dataset(path: str | Path) -> Iterator[h5py.File]:
    """Opens a dataset for reading; any damage that shows while it is open becomes a `DataError`."""
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


def _write(path: Path, specification: DatasetSpecification, workers: int | None) -> None:
    hamiltonian, shape = specification.hamiltonian, specification.shape
    configurations = anneal_many(
        hamiltonian, shape, specification.count, specification.schedule, specification.seed, workers
    )
    with (
        tqdm(configurations, "annealing", specification.count, unit="lattice", leave=False) as progress,
        # The latest format checksums the file's structure too, not only its data.
        h5py.File(path, "w", libver="latest") as file,
    ):
        annealed = iter(progress)
        file.attrs["format_version"] = FORMAT_VERSION
        _write_attribute(file, "specification", specification.attributes())
        _write_attribute(file, "versions", {"keras_evae": keras_evae.__version__, "kernel": KERNEL_VERSION})
        for split, size in zip(SPLITS, specification.sizes, strict=True):
            group = _create_split(file, split, size, shape)
            for index in range(size):
                spins = next(annealed)
                group["spins"][index] = spins
                group["energy"][index] = hamiltonian.energy(spins.astype(np.float64))
                group["charge"][index] = topological_charge(spins, hamiltonian.periodic)


def _write_attribute(file: h5py.File, name: str, values: dict[str, Any]) -> None:
    # Bytes of fixed length lie in the checksummed header; strings would lie in a heap without checksum.
    file.attrs[name] = np.bytes_(json.dumps(values))


def _create_split(file: h5py.File, split: str, size: int, shape: tuple[int, int]) -> h5py.Group:
    group = file.create_group(split)
    group.create_dataset("spins", (size, *shape, 3), "f4", chunks=(1, *shape, 3), fletcher32=True)
    for name in ("energy", "charge"):
        group.create_dataset(name, (size,), "f8", chunks=(size,), fletcher32=True)
    return group


def _publish(partial: Path, path: Path) -> None:
    """Makes a complete file visible under its name, in one step that a crash cannot split."""
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(f"{folder}: the dataset needs {needed / 1e9:.2f} GB, found {free / 1e9:.2f} GB free")

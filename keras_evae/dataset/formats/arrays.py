"""Spin configurations as arrays in HDF5, NPZ and NPY files, of this and of other programs: read and written."""

import contextlib
import dataclasses
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from keras_evae.dataset.hdf5 import VERSIONS, write_attribute
from keras_evae.dataset.reading import Readable, StoredFile, open_arrays, some_names
from keras_evae.errors import DataError
from keras_evae.hamiltonian import Hamiltonian

SMALLEST_SIDE = 4


@dataclasses.dataclass(frozen=True)
class States:
    """Vectors `(n, y, x, 3)` of an open file, read when sliced: `states[start:stop]`.

    Args:
        shape: Theirs.
        read: Gives those of a slice.
        any_length: Whether lengths mean nothing, as in a file that says its unit.
    """

    shape: tuple[int, ...]
    read: Callable[[slice], np.ndarray]
    any_length: bool = False

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice) -> np.ndarray:
        return self.read(key)


def choose_layer(source: Any, layers: int, layer: int | None) -> int:
    """The layer along z that is asked for, or the only one."""
    if layer is None and layers > 1:
        raise DataError(
            f"{source}: expected one layer along z, found {layers}; choose one, from 0 to {layers - 1}: layer=0 in "
            f"Python, FILE:0 on the command line"
        )
    if layer is not None and not 0 <= layer < layers:
        raise DataError(f"{source}: expected a layer along z from 0 to {layers - 1}, found {layer}")
    return layer or 0


@contextlib.contextmanager
def open_array_states(file: Path, name: str | None, layer: int | None) -> Iterator[States]:
    """The array of this name, or the only one that can be spins.

    Raises:
        DataError: If there is none, or its axes are not `(n, y, x, 3)` or `(y, x, 3)`.
    """
    with open_arrays(file) as arrays:
        if name is None and isinstance(arrays, StoredFile) and _is_field(arrays):
            yield _field_states(file, arrays["field/array"], layer)
            return
        array = arrays[_choose(file, arrays, name)]
        _check_layout(f"{file}:{name}" if name else str(file), array)
        if len(array.shape) == 3:
            yield States((1, *array.shape), lambda key: array[:][None][key])
        else:
            yield States(array.shape, array.__getitem__)


def _is_field(file: StoredFile) -> bool:
    """Whether discretisedfield has written the file; its older versions have left no mark but the mesh."""
    return "field/array" in file and ("field/mesh/n" in file or "Field" in str(file.attribute("type", "")))


def _field_states(file: Path, array: Readable, layer: int | None) -> States:
    """One field with the axes (x, y, z, 3), or (x, y, 3) of a plane, in any unit."""
    if len(array.shape) not in (3, 4) or array.shape[-1] != 3:
        raise DataError(f"{file}: expected a field of three components over x, y and z, found {array.shape}")
    width, height, *layers = array.shape[:-1]
    index = choose_layer(file, layers[0] if layers else 1, layer)
    shape = (1, height, width, 3)
    _check_sides(file, shape, array.shape)

    def read(key: slice) -> np.ndarray:
        field = array[:, :, index] if layers else array[:]
        return field.swapaxes(0, 1)[None][key]

    return States(shape, read, any_length=True)


def _choose(file: Path, arrays: Mapping[str, Readable], wanted: str | None) -> str:
    """The wanted array, or the only one, or the only one with the shape of spins."""
    names = list(arrays)
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"{file}: expected an array '{wanted}', found {some_names(names)}")
        return wanted
    if len(names) == 1:
        return names[0]
    shaped = [name for name in names if len(arrays[name].shape) == 4 and arrays[name].shape[-1] == 3]
    if len(shaped) != 1:
        found = some_names(shaped or names)
        raise DataError(f"{file}: expected one array of spins (n, y, x, 3), found {found}; name one as {file}:NAME")
    return shaped[0]


def _check_layout(source: str, array: Readable) -> None:
    """Refuses what are no spins; the message names the axes where they look swapped."""
    shape = array.shape
    if array.dtype.kind != "f":
        raise DataError(f"{source}: expected floating-point spins, found {array.dtype}; convert them with astype")
    if len(shape) in (3, 4) and shape[-1] != 3 and 3 in shape[:-1]:
        axis = max(axis for axis, side in enumerate(shape) if side == 3)
        raise DataError(
            f"{source}: expected the components of the spins on the last axis (n, y, x, 3), found {shape}, where axis "
            f"{axis} has three entries; write np.moveaxis(spins, {axis}, -1)"
        )
    if len(shape) == 4 and shape[2:] == (1, 3):
        raise DataError(
            f"{source}: expected the axes (n, y, x, 3), found {shape}, which looks like (x, y, z, 3) with one layer; "
            f"write spins[:, :, 0].swapaxes(0, 1)[None]"
        )
    _check_sides(source, shape, shape)


def _check_sides(source: Any, shape: tuple[int, ...], found: tuple[int, ...]) -> None:
    if len(shape) not in (3, 4) or shape[-1] != 3 or not min(shape) or min(shape[-3:-1]) < SMALLEST_SIDE:
        raise DataError(
            f"{source}: expected spins of shape (n, y, x, 3) or (y, x, 3) with n of at least 1 and sides of at least "
            f"{SMALLEST_SIDE}, found {found}"
        )


def write_hdf5(path: Path, states: Any, hamiltonian: Hamiltonian | None) -> None:
    """Writes `spins`, float32 with a checksum for each state, and the Hamiltonian as JSON."""
    with h5py.File(path, "w", libver="latest") as file:
        write_attribute(file, "versions", VERSIONS)
        if hamiltonian is not None:
            write_attribute(file, "hamiltonian", hamiltonian.to_config())
        shape = states.shape
        spins = file.create_dataset("spins", shape, "f4", chunks=(1, *shape[1:]), fletcher32=True)
        for index in range(shape[0]):
            spins[index] = states[index : index + 1][0]


def write_npz(stream: IO[bytes], states: Any) -> None:
    """Writes the array `spins`."""
    with zipfile.ZipFile(stream, "w") as archive, archive.open("spins.npy", "w", force_zip64=True) as member:
        write_npy(member, states)


def write_npy(stream: IO[bytes], states: Any) -> None:
    """Writes float32 spins, one state after the other."""
    header = {"descr": "<f4", "fortran_order": False, "shape": tuple(states.shape)}
    np.lib.format.write_array_header_1_0(stream, header)
    for index in range(states.shape[0]):
        stream.write(np.asarray(states[index : index + 1], "<f4").tobytes())

"""Reads and writes spin configurations by the suffix of the file; checks and normalises what it reads."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_evae.dataset.formats.arrays import States, open_array_states, write_hdf5, write_npy, write_npz
from keras_evae.dataset.formats.ovf import REPRESENTATIONS, open_ovf, write_ovf
from keras_evae.dataset.formats.vtk import write_vtk
from keras_evae.dataset.hdf5 import StoredSpins
from keras_evae.dataset.reading import HDF5, NPY, NPZ, PART, open_hdf5, opened
from keras_evae.errors import ArgumentError, DataError, MismatchError
from keras_evae.files import disk_errors, publish
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import check_memory
from keras_evae.units import as_cell

logger = logging.getLogger(__name__)

OVF = (".ovf", ".omf", ".ohf")
READ = {"HDF5": HDF5, "NPZ": NPZ, "NPY": NPY, "OVF": OVF}
SUFFIXES = sum(READ.values(), ())
WRITTEN = (".ovf", ".omf", ".vti", *NPZ, *NPY, *HDF5)
CELL = (1e-9, 1e-9, 1e-9)
# Largest deviation of a spin's length from 1 where there is no unit; half precision gives 5e-4.
LENGTH_TOLERANCE = 1e-2
# Vectors as close to unit length are not touched: single precision comes back bit for bit.
UNIT_TOLERANCE = 1e-6


def read_spins(path: str | Path, layer: int | None = None) -> np.ndarray:
    """Reads spin configurations of this or another program.

    Args:
        path: `FILE`, or one of several arrays in it as `FILE:NAME`. Suffixes: .ovf and .omf (OVF 1.0 and 2.0 of OOMMF,
            mumax3, Spirit or ubermag; several segments are several states), .h5 and .hdf5 (of this package, of
            discretisedfield, or with one array `(n, y, x, 3)`), .npz, .npy.
        layer: Which of several layers along z; `FILE:LAYER` says the same for OVF.

    Returns:
        Unit vectors `(n, y, x, 3)`, float32, and zero vectors where the file has them: absent sites, of each state its
        own. Vectors in the unit of the file are divided by their lengths.

    Raises:
        DataError: If the file cannot be read, or has anything but spins.

    Example:

    >>> import tempfile
    >>> from keras_evae.dataset.formats.spin_files import write_spins
    >>> up = np.zeros((1, 16, 32, 3), np.float32); up[..., 2] = 1.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_spins(f"{folder}/up.ovf", up)
    ...     bool((read_spins(f"{folder}/up.ovf") == up).all())
    True
    """
    return read_states(str(path), layer=layer)[0]


def read_states(
    source: str, limit: int | None = None, mask: np.ndarray | None = None, layer: int | None = None
) -> tuple[np.ndarray, int]:
    """The first `limit` states as `read_spins` gives them, and the number of states in the file.

    Raises:
        MismatchError: If lattice or absent sites are not those of a mask `(y, x)`.
    """
    with open_states(source, layer) as states:
        count = min(len(states), limit or len(states))
        check_memory(4 * int(np.prod(states.shape[1:], dtype=object)) * count, f"{source}: its arrays")
        spins = np.empty((count, *states.shape[1:]), np.float32)
        for start, part in unit_vectors(source, states, count):
            if mask is not None:
                _check_mask(source, part, mask)
            spins[start : start + len(part)] = part
        return spins, len(states)


@contextlib.contextmanager
def open_states(source: str, layer: int | None = None) -> Iterator[States]:
    """Opens a file of spins by its suffix, see `read_spins`; errors as there."""
    file, name = split_source(source)
    if file.suffix not in OVF:
        with open_array_states(file, name, layer) as arrays:
            yield arrays
        return
    if name is not None and not name.isdecimal():
        raise DataError(f"{file}: expected the number of a layer behind the colon, found {name!r}")
    with opened(file, lambda: open(file, "rb")) as stream:
        yield open_ovf(file, stream, layer if name is None else int(name))


def split_source(source: str) -> tuple[Path, str | None]:
    """File and name of `FILE:name`; a file whose own name has a colon is taken as it is."""
    file, colon, name = source.rpartition(":")
    path = Path(file if colon and name and not Path(source).exists() else source).expanduser()
    if path.suffix not in SUFFIXES:
        known = ", ".join(f"{', '.join(suffixes)} ({kind})" for kind, suffixes in READ.items())
        raise DataError(f"{path}: expected a file with one of the suffixes {known}; save the spins as one of them")
    return path, name if path != Path(source).expanduser() else None


def unit_vectors(source: str, states: States, count: int) -> Iterator[tuple[int, np.ndarray]]:
    """Parts of the first `count` states as unit vectors, float32, each with the number of its first state."""
    step = max(1, PART // max(1, 8 * int(np.prod(states.shape[1:]))))
    for start in range(0, count, step):
        yield start, _normalized(source, states[start : min(start + step, count)], start, states.any_length)


def _normalized(source: str, vectors: np.ndarray, start: int, any_length: bool) -> np.ndarray:
    """Vectors divided by their lengths in double precision, whatever their size; zero vectors stay."""
    with np.errstate(all="ignore"):
        largest = np.abs(vectors).max(axis=-1, keepdims=True).astype(np.float64)
        if not np.isfinite(largest).all():
            state, *site = map(int, np.argwhere(~np.isfinite(largest[..., 0]))[0])
            first = (start + state, *site)
            raise DataError(f"{source}: expected finite spins, found NaN or Inf, first at (n, y, x) = {first}")
        present = largest > 0
        if not (found := present.any(axis=(1, 2, 3))).all():
            raise DataError(
                f"{source}: expected unit vectors, found zero vectors only in state {start + int(np.argmin(found))}"
            )
        scaled = vectors / np.where(present, largest, 1)
        lengths = np.sqrt(np.sum(scaled**2, axis=-1, keepdims=True))
        directions = np.where(present, scaled / lengths, 0)
        lengths *= largest
        if not any_length and np.abs(lengths[present] - 1).max() > LENGTH_TOLERANCE:
            raise DataError(
                f"{source}: expected unit vectors, found lengths from {lengths[present].min():.4g} to "
                f"{lengths[present].max():.4g}; divide each vector by its length, but leave vectors of length 0"
            )
        return np.where(np.abs(lengths - 1) <= UNIT_TOLERANCE, vectors, directions).astype(np.float32)


def _check_mask(source: str, spins: np.ndarray, mask: np.ndarray) -> None:
    shape = spins.shape[1:3]
    if shape != mask.shape:
        swapped = "; its axes y and x look swapped" if shape == mask.shape[::-1] else ""
        found = f"the lattice of the mask, {mask.shape}, found {shape}{swapped}"
    elif spins[:, ~mask].any():
        found = f"zero vectors at the {np.count_nonzero(~mask)} sites outside of the mask, found others"
    elif not spins[:, mask].any(axis=-1).all():
        found = "a spin at every site of the mask, found zero vectors"
    else:
        return
    raise MismatchError(f"{source}: expected {found}; give the configuration of these spins as --config")


def write_spins(
    path: str | Path,
    spins: Any,
    representation: str = "binary4",
    hamiltonian: Hamiltonian | None = None,
    cell: tuple[float, float, float] = CELL,
) -> None:
    """Writes spin configurations for other programs; the file appears whole, in place of one of its name.

    Args:
        path: File to be made; the suffix says how: .ovf and .omf (OVF 2.0, a segment for each state), .vti (VTK image
            data, an array for each state), .npz, .npy, .h5, .hdf5.
        spins: Unit vectors `(n, y, x, 3)` or `(y, x, 3)`, zero vectors on absent sites.
        representation: Of numbers in OVF: `text`, `csv` (Spirit's), `binary4`, `binary8`. All keep single precision.
        hamiltonian: Of the spins. OVF and HDF5 record it; vectors outside of its mask are written as zero.
        cell: Size of a cell `(dx, dy, dz)` in metres, in the header of OVF and VTK.

    Raises:
        ValueError: For other spins, or a suffix, representation or cell that does not exist.
        DiskError: If the disk is full or cannot be written.
    """
    path, states = Path(path), np.asarray(spins)[None] if np.ndim(spins) == 3 else np.asarray(spins)
    if states.ndim != 4 or states.shape[-1] != 3 or 0 in states.shape or states.dtype.kind != "f":
        raise ArgumentError(
            "spins", "floating-point vectors (n, y, x, 3) or (y, x, 3)", f"{states.dtype} {states.shape}"
        )
    if not np.isfinite(states).all():
        raise ArgumentError("spins", "finite vectors", "NaN or Inf")
    if hamiltonian is not None and hamiltonian.mask is not None:
        hamiltonian.check_lattice(states.shape[1:3])
        states = states * hamiltonian.mask[..., None].astype(states.dtype)
    _write(path, states, representation, hamiltonian, cell)


def _write(path: Path, states: Any, representation: str, hamiltonian: Hamiltonian | None, cell: Any) -> None:
    if path.suffix not in WRITTEN:
        raise ArgumentError("path", f"a file with one of the suffixes {', '.join(WRITTEN)}", str(path))
    if representation not in REPRESENTATIONS:
        raise ArgumentError("representation", f"one of {', '.join(REPRESENTATIONS)}", representation)
    cell = as_cell(cell)
    partial = path.with_name(f"{path.name}.partial")
    with disk_errors(path):
        if path.suffix in HDF5:
            write_hdf5(partial, states, hamiltonian)
        else:
            with open(partial, "wb") as stream:
                if path.suffix == ".npz":
                    write_npz(stream, states)
                elif path.suffix == ".npy":
                    write_npy(stream, states)
                elif path.suffix == ".vti":
                    write_vtk(stream, states, cell)
                else:
                    write_ovf(stream, states, representation, cell, hamiltonian.describe() if hamiltonian else "")
        publish(partial, path)


def export_states(path: Path, kind: str | None, hamiltonian: Hamiltonian | None = None) -> None:
    """Writes all states of an HDF5 file of this package as `ovf`, `vti` or `npz`, beside that file; nothing for None.

    Each array `spins` becomes a file of its own, with the name of its group: `data.h5` becomes `data_train.ovf` and so
    on, `states.h5` with one array becomes `states.ovf`.
    """
    if kind is None:
        return
    with open_hdf5(path) as file:
        for name in file:
            if name.rpartition("/")[2] == "spins":
                parts = [path.stem, *name.split("/")[:-1]]
                target = path.with_name(f"{'_'.join(parts)}.{kind}")
                _write(target, StoredSpins(file[name]), "binary4", hamiltonian, CELL)
                logger.info("%s: %d states", target, len(file[name]))

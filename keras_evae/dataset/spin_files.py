"""Spin configurations from files of other programs: HDF5, NPZ or NPY, arrays only."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_evae.errors import DataError, MismatchError

SUFFIXES = {"HDF5": (".h5", ".hdf5"), "NPZ": (".npz",), "NPY": (".npy",)}
# Largest deviation of a spin's length from 1; half precision gives 5e-4.
LENGTH_TOLERANCE = 1e-2
SMALLEST_SIDE = 4
# Names of arrays in a message.
MOST_NAMES = 6
DAMAGE = (OSError, ValueError, RuntimeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def read_spins(source: str, limit: int, mask: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """Reads spins from `FILE`, or from one of several arrays as `FILE:name`.

    Args:
        source: File with the suffix .h5, .hdf5, .npz or .npy, and optionally the name of the array in it.
        limit: Number of configurations to read at most, the first ones.
        mask: Sites that carry a spin, `(y, x)`. Without it these are all sites but those at which every configuration
            has a zero vector.

    Returns:
        Unit vectors `(n, y, x, 3)`, float32, zero vectors where there is no spin, and the number of configurations in
        the file.

    Raises:
        DataError: If there is no such array, or it is not one of floating-point unit vectors of that shape.
        MismatchError: If lattice or absent sites are not those of the mask.
    """
    file, name = split_source(source)
    if not file.is_file():
        raise DataError(f"{file}: expected a file of spins, found none")
    # Damage in one of the library's many errors; what is wrong with sound arrays is said by the errors below.
    try:
        with _open(file) as (names, get):
            array = get(_choose(file, names, get, name))
            _check_layout(source, array)
            count = array.shape[0]
            spins = np.asarray(array[:limit])
    except DAMAGE as error:
        reason = str(error).splitlines()[0].strip("'\"")
        raise DataError(f"{file}: truncated, damaged or not the kind that its suffix says ({reason})") from error
    if mask is not None:
        _check_mask(source, spins, mask)
    present = np.any(spins, axis=(0, -1)) if mask is None else mask
    return _unit_vectors(source, spins, np.asarray(present)), count


@contextlib.contextmanager
def _open(file: Path) -> Iterator[tuple[list[str], Callable[[str], Any]]]:
    """Names of the arrays in a file, and the function that gives them."""
    if file.suffix in SUFFIXES["HDF5"]:
        with h5py.File(file, "r") as opened:
            yield list(_datasets(opened)), opened.__getitem__
    elif file.suffix in SUFFIXES["NPZ"]:
        # Opened here, for `np.load` leaves a damaged archive open.
        with open(file, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("no archive")
            yield list(archive.files), archive.__getitem__
    else:
        array = np.lib.format.open_memmap(file, mode="r")
        yield [file.stem], lambda name: array


def _datasets(group: h5py.Group, prefix: str = "") -> Iterator[str]:
    """Names of the datasets in the file itself: links to other files are not followed."""
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            member = group[name]
            if isinstance(member, h5py.Group):
                yield from _datasets(member, f"{prefix}{name}/")
            elif isinstance(member, h5py.Dataset):
                yield f"{prefix}{name}"


def split_source(source: str) -> tuple[Path, str | None]:
    """File and name of `FILE:name`; a file whose own name has a colon is taken as it is."""
    file, colon, name = source.rpartition(":")
    path = Path(file if colon and name and not Path(source).exists() else source).expanduser()
    if path.suffix not in sum(SUFFIXES.values(), ()):
        known = ", ".join(f"{', '.join(suffixes)} ({kind})" for kind, suffixes in SUFFIXES.items())
        raise DataError(f"{path}: expected a file with one of the suffixes {known}; save the spins as one of them")
    return path, name if path != Path(source).expanduser() else None


def _choose(file: Path, names: list[str], get: Callable[[str], Any], wanted: str | None) -> str:
    """The wanted array, or the only one, or the only one with the shape of spins."""
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"{file}: expected an array '{wanted}', found {_some(names)}")
        return wanted
    if len(names) == 1:
        return names[0]
    shaped = [name for name in names if get(name).ndim == 4 and get(name).shape[-1] == 3]
    if len(shaped) != 1:
        found = _some(shaped or names)
        raise DataError(f"{file}: expected one array of spins (n, y, x, 3), found {found}; name one as {file}:NAME")
    return shaped[0]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more or "no array"


def _check_layout(source: str, array: Any) -> None:
    shape = array.shape
    if array.dtype.kind != "f":
        raise DataError(f"{source}: expected floating-point spins, found {array.dtype}; convert them with astype")
    if len(shape) != 4 or shape[-1] != 3 or not shape[0] or min(shape[1:3]) < SMALLEST_SIDE:
        raise DataError(
            f"{source}: expected spins of shape (n, y, x, 3) with n of at least 1 and sides of at least "
            f"{SMALLEST_SIDE}, found {shape}; reshape or transpose them, and write one configuration as (1, y, x, 3)"
        )


def _check_mask(source: str, spins: np.ndarray, mask: np.ndarray) -> None:
    if spins.shape[1:3] != mask.shape:
        found = f"the lattice of the mask, {mask.shape}, found {spins.shape[1:3]}"
    elif spins[:, ~mask].any():
        found = f"zero vectors at the {np.count_nonzero(~mask)} sites outside of the mask, found others"
    else:
        return
    raise MismatchError(f"{source}: expected {found}; give the configuration of these spins as --config")


def _unit_vectors(source: str, spins: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Spins divided by their lengths, which must be 1 at the sites `(y, x)` that are present."""
    lengths = np.linalg.norm(spins.astype(np.float32), axis=-1, keepdims=True)
    if not np.isfinite(lengths).all():
        first = tuple(map(int, np.argwhere(~np.isfinite(lengths[..., 0]))[0]))
        raise DataError(f"{source}: expected finite spins, found NaN or Inf, first at (n, y, x) = {first}")
    if not present.any():
        raise DataError(f"{source}: expected unit vectors, found zero vectors only")
    found = lengths[:, present]
    if np.abs(found - 1).max() > LENGTH_TOLERANCE:
        raise DataError(
            f"{source}: expected unit vectors, found lengths from {found.min():.4g} to {found.max():.4g}; "
            f"divide the spins by their lengths"
        )
    return (spins / np.where(present[..., None], lengths, 1)).astype(np.float32)

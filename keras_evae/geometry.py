"""Samples, which sites of the lattice carry a spin: shapes by name and size, and masks from PNG and NPY files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_evae.errors import ConfigError, as_integer
from keras_evae.files import check_file, map_array
from keras_evae.lattice import LARGEST_SIDE, LATTICE_MULTIPLE, connected_regions

OPEN, PERIODIC = "open", "periodic"


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A sample in its lattice.

    Args:
        mask: Sites that carry a spin, `(y, x)`; None if all do.
        lattice_shape: `(y, x)`, each side a multiple of 16.
        boundary: `"periodic"` or `"open"` for the y and the x axis.
    """

    mask: np.ndarray | None
    lattice_shape: tuple[int, int]
    boundary: tuple[str, str]


def make_geometry(
    shape: str,
    size: int | tuple[int, int],
    lattice_shape: tuple[int, int] | None = None,
    boundary: tuple[str, str] | None = None,
) -> Geometry:
    """A shape by name, in the middle of a lattice.

    Args:
        shape: `"square"`, `"disc"` (size: diameter), `"triangle"` (side of an equilateral triangle that stands on it),
            `"hexagon"` (largest width, along x), or with a size `(y, x)` `"rectangle"` and `"wire"`.
        size: In sites.
        lattice_shape: The lattice; the smallest one if None.
        boundary: Of a wire, periodic along one axis: `("open", "periodic")`, along x, if None. Other shapes are open.

    Raises:
        ConfigError: For a shape that does not exist or fit.

    Example:

    >>> geometry = make_geometry("disc", 40)
    >>> geometry.lattice_shape, int(geometry.mask.sum())
    ((48, 48), 1264)
    """
    if shape not in SHAPES:
        raise ConfigError(f"geometry.shape: expected one of {', '.join(SHAPES)}, found {shape!r}")
    sides = tuple(as_integer("size", side) for side in (size if isinstance(size, tuple) else (size,)))
    expected = 2 if shape in ("rectangle", "wire") else 1
    if len(sides) != expected or min(sides) < 1 or max(sides) > LARGEST_SIDE:
        kind = "two numbers (y, x)" if expected == 2 else "one number"
        raise ConfigError(
            f"geometry.size: expected {kind} of sites for a {shape}, from 1 to {LARGEST_SIDE}, found {size}"
        )
    possible = [(OPEN, PERIODIC), (PERIODIC, OPEN)] if shape == "wire" else [(OPEN, OPEN)]
    edges = boundary or possible[0]
    if edges not in possible:
        words = "periodic along one axis and open along the other" if shape == "wire" else "open"
        raise ConfigError(f"hamiltonian.boundary: expected {words} for a {shape}, found {list(edges)}")
    return _place(SHAPES[shape](*sides), edges, lattice_shape, f"{shape} of size {size}")


def read_geometry(
    path: str | Path, lattice_shape: tuple[int, int] | None = None, boundary: tuple[str, str] | None = None
) -> Geometry:
    """A mask from a PNG or NPY file, in the middle of a lattice.

    Args:
        path: PNG: spins where it is dark (below half grey) and opaque, as drawn on white paper, its lower edge at
            y = 0. NPY: array `(y, x)` of truth values, or of numbers that count as present from 0.5 on.
        lattice_shape: The lattice; the smallest one if None.
        boundary: For the y and the x axis; open if None. A file has all rows or columns of a periodic axis.

    Raises:
        ConfigError: For a file that cannot be read, is empty, not connected, or does not fit.
    """
    mask = _read_mask(Path(path))
    if not mask.any():
        raise ConfigError(f"{path}: expected sites with a spin, found none in {_by(mask.shape)} sites")
    edges = boundary or (OPEN, OPEN)
    parts = len(connected_regions(mask, (edges[0] == PERIODIC, edges[1] == PERIODIC)))
    if parts > 1:
        raise ConfigError(
            f"{path}: expected one connected sample, found {parts} parts without a bond between them; "
            f"join them, or make a dataset of each"
        )
    return _place(mask, edges, lattice_shape, str(path))


def _place(sample: np.ndarray, boundary: tuple[str, str], lattice_shape: tuple[int, int] | None, name: str) -> Geometry:
    """The sample in the middle of the lattice; half a site below the middle where the numbers of sites do not match."""
    smallest = tuple(-(-side // LATTICE_MULTIPLE) * LATTICE_MULTIPLE for side in sample.shape)
    height, width = lattice_shape or smallest
    for axis, kind, side, lattice_side in zip("yx", boundary, sample.shape, (height, width), strict=True):
        if kind == PERIODIC and side != lattice_side:
            raise ConfigError(
                f"geometry: expected {lattice_side} sites along the periodic {axis} axis, the whole side of the "
                f"lattice, found {side} in the {name}; change its size or dataset.shape"
            )
        if side > lattice_side:
            raise ConfigError(
                f"geometry: expected at most {_by((height, width))} sites, the lattice of dataset.shape, "
                f"found {_by(sample.shape)} in the {name}; make one smaller or the other larger"
            )
    mask = np.zeros((height, width), bool)
    rows, columns = ((outer - inner) // 2 for outer, inner in zip(mask.shape, sample.shape, strict=True))
    mask[rows : rows + sample.shape[0], columns : columns + sample.shape[1]] = sample
    return Geometry(None if mask.all() else mask, (height, width), boundary)


def _centred(sites: int) -> np.ndarray:
    """Coordinates of a row of sites, seen from its middle."""
    return np.arange(sites) - (sites - 1) / 2


def _rectangle(*sides: int) -> np.ndarray:
    """Of one side a square."""
    return np.ones((sides[0], sides[-1]), bool)


def _disc(diameter: int) -> np.ndarray:
    return np.hypot(*np.meshgrid(_centred(diameter), _centred(diameter))) <= diameter / 2


def _triangle(side: int) -> np.ndarray:
    height = side * np.sqrt(3) / 2
    y = np.arange(round(height))[:, None] + 0.5
    inside = np.abs(_centred(side)) <= side / 2 * (1.0 - y / height)
    return inside[inside.any(axis=1)]


def _hexagon(width: int) -> np.ndarray:
    # An even number of rows, as the lattice has, keeps the mirror.
    y = _centred(2 * max(1, round(width * np.sqrt(3) / 4)))[:, None]
    return np.abs(_centred(width)) <= width / 2 - np.abs(y) / np.sqrt(3)


SHAPES: dict[str, Callable[..., np.ndarray]] = {
    "square": _rectangle,
    "rectangle": _rectangle,
    "wire": _rectangle,
    "disc": _disc,
    "triangle": _triangle,
    "hexagon": _hexagon,
}


def _read_mask(path: Path) -> np.ndarray:
    readers = {".png": _read_png, ".npy": _read_npy}
    if path.suffix.lower() not in readers:
        raise ConfigError(f"{path}: expected a mask as .png or .npy file, found {path.suffix or 'no suffix'}")
    try:
        check_file(path)
        return readers[path.suffix.lower()](path)
    # Damaged files make the readers raise almost anything.
    except Exception as error:
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        reason = reason.removeprefix(f"{path}: ")
        raise ConfigError(f"{path.absolute()}: expected a mask, (y, x), that can be read, found: {reason}") from error


def _read_png(path: Path) -> np.ndarray:
    from matplotlib.image import imread
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as picture:
        _check_sides(picture.size[::-1])
        # The checksums of all its chunks, and its end.
        picture.verify()
    image = imread(path)
    grey = image if image.ndim == 2 else image[..., :3].mean(axis=-1)
    opaque = image[..., 3] >= 0.5 if image.ndim == 3 and image.shape[-1] == 4 else True
    # The first row of an image is its upper edge.
    return ((grey < 0.5) & opaque)[::-1]


def _read_npy(path: Path) -> np.ndarray:
    with open(path, "rb") as stream:
        values = map_array(path, stream)
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise ValueError(f"{values.dtype} {values.shape} instead of truth values or numbers (y, x)")
    _check_sides(values.shape)
    if not np.isfinite(values).all():
        raise ValueError("NaN or Inf instead of truth values or numbers (y, x)")
    return np.asarray(values >= 0.5)


def _check_sides(sides: tuple[int, ...]) -> None:
    if max(sides) > LARGEST_SIDE:
        raise ValueError(f"{_by(sides)} sites instead of at most {LARGEST_SIDE} along an axis")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

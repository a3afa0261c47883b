"""The square lattice: neighbours and bonds with its edges and absent sites, masks and their text, allowed sides.

A mask is a Boolean array `(y, x)`, True where there is a spin; row = y upwards, column = x. The bonds of absent sites
are missing, as are those beyond an open edge. Configurations and files keep a mask as text: rows and columns, then
the lengths of the runs of absent and present sites in turn, row by row, the first of them absent.

    2x3 1 2 2 1      is      . o o
                             . . o
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_evae.errors import ArgumentError, as_integer
from keras_evae.spin_arrays import as_type_of, namespace, sum_over

# Array axes of a lattice stored as (..., y, x, 3).
AXES = (-3, -2)
# The encoder halves each side four times.
LATTICE_MULTIPLE = 16
# Sites along an axis of a sample, or of a lattice, in files.
LARGEST_SIDE = 4096


class Lattice:
    """A lattice with its edges and absent sites: what an energy term needs to know of it.

    All methods take arrays and give arrays, or take tensors and give tensors.

    Args:
        shape: Rows and columns `(y, x)`.
        periodic: Whether the y and the x axis close on themselves.
        mask: Sites that carry a spin, Boolean `(y, x)`; None if all do.

    Example:

    >>> spins = np.zeros((4, 6, 3)); spins[0, 5] = (0.0, 0.0, 1.0)
    >>> Lattice((4, 6), periodic=(True, True)).neighbour(spins, 1, 0)[3, 5]
    array([0., 0., 1.])
    >>> Lattice((4, 6), periodic=(False, True)).neighbour(spins, 1, 0)[3, 5]
    array([0., 0., 0.])
    """

    def __init__(self, shape: tuple[int, int], periodic: tuple[bool, bool], mask: np.ndarray | None = None) -> None:
        self.shape = shape
        self.periodic = periodic
        self.mask = mask
        self._bonds: dict[tuple[int, int], np.ndarray] = {}

    def neighbour(self, spins: Any, dy: int, dx: int) -> Any:
        """The spins `(..., y, x, 3)` of the neighbours `dy` rows above and `dx` columns to the right of every site.

        Zero vectors where the neighbour, or the site itself, is missing. Both steps may be negative.
        """
        rolled = namespace(spins).roll(spins, (-dy, -dx), AXES)
        if all(self.periodic) and self.mask is None:
            return rolled
        return rolled * as_type_of(self.bonds(dy, dx)[..., None], spins)

    def dot(self, first: Any, second: Any) -> Any:
        """Scalar products `(..., y, x, 1)` of vectors `(..., y, x, 3)`; the last axis is kept, to multiply vectors."""
        return sum_over(first * second, -1, keep=True)

    def total(self, values: Any) -> Any:
        """Sum `(...,)` of `(..., y, x, 3)` or `(..., y, x, 1)` over components and the sites that carry a spin."""
        if self.mask is not None:
            values = values * as_type_of(self.mask[..., None], values)
        return sum_over(values, (-3, -2, -1))

    def bonds(self, dy: int, dx: int) -> np.ndarray:
        """Sites `(y, x)` that carry a spin and have a neighbour at that distance."""
        if (dy, dx) not in self._bonds:
            present = np.ones(self.shape, bool) if self.mask is None else self.mask
            bonds = present & np.roll(present, (-dy, -dx), (0, 1))
            for axis, (step, side) in enumerate(zip((dy, dx), self.shape, strict=True)):
                reached = np.arange(side) + step
                inside = (reached >= 0) & (reached < side) | self.periodic[axis]
                bonds &= inside[:, None] if axis == 0 else inside
            self._bonds[dy, dx] = bonds
        return self._bonds[dy, dx]

    def neighbour_sites(self, dy: int, dx: int) -> np.ndarray:
        """Numbers `(y x,)`, row by row, of the neighbours at that distance; the number of sites where there is none."""
        sites = np.arange(self.shape[0] * self.shape[1]).reshape(self.shape)
        return np.where(self.bonds(dy, dx), np.roll(sites, (-dy, -dx), (0, 1)), sites.size).ravel()

    def colours(self, reach: int) -> list[np.ndarray]:
        """The sites that carry a spin in classes, no two of which in one class interact.

        Each axis is cut into blocks of `reach` + 1 sites or a few more; rows, and columns, of a class have one place in
        their blocks. So they are `reach` + 1 apart at least, also across periodic edges, whatever the side.

        Args:
            reach: Largest |dy| and |dx| of two sites that interact.

        Returns:
            Numbers of the sites of each class, row by row.
        """
        rows, columns = (_places_in_blocks(side, reach + 1) for side in self.shape)
        colour = rows[:, None] * (columns.max() + 1) + columns
        if self.mask is not None:
            colour = np.where(self.mask, colour, -1)
        classes = (np.flatnonzero(colour == number) for number in range(colour.max() + 1))
        return [sites for sites in classes if len(sites)]


def _places_in_blocks(side: int, length: int) -> np.ndarray:
    """Place of each of `side` sites in blocks that are at least `length` long, as far as the side allows."""
    blocks = np.array_split(np.arange(side), max(1, side // length))
    return np.concatenate([np.arange(len(block)) for block in blocks])


def connected_regions(
    present: np.ndarray, periodic: tuple[bool, bool], steps: Sequence[tuple[int, int]] = ((1, 0), (0, 1))
) -> list[np.ndarray]:
    """Sites `(n, 2)` of each part of a mask between which there is no bond; closed axes join their ends.

    `steps` are the bonds, (dy, dx) from 0 to 1 each, by default those between nearest neighbours.
    """
    # Imported here: most configurations need not wait for it.
    from scipy.ndimage import label
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    structure = np.zeros((3, 3), bool)
    for dy, dx in [(0, 0), *steps]:
        structure[1 + dy, 1 + dx] = structure[1 - dy, 1 - dx] = True
    labels, number = label(present, structure)
    lattice = Lattice(present.shape, periodic, present)
    pairs = [(labels, np.roll(labels, (-dy, -dx), (0, 1)), lattice.bonds(dy, dx)) for dy, dx in steps]
    across = np.concatenate([np.stack((here[bonds], there[bonds])) for here, there, bonds in pairs], axis=1) - 1
    links = coo_array((np.ones(across.shape[1]), (across[0], across[1])), shape=(number, number))
    count, region = connected_components(links, directed=False) if number else (0, np.zeros(0, int))
    owners = region[labels[present] - 1]
    sites, ends = np.argwhere(present)[np.argsort(owners, kind="stable")], np.cumsum(np.bincount(owners))
    return np.split(sites, ends[:-1]) if count else []


def encode_mask(mask: np.ndarray) -> str:
    """The text of a mask."""
    starts = np.flatnonzero(np.diff(mask.ravel(), prepend=False))
    runs = np.diff(starts, prepend=0, append=mask.size)
    return " ".join([f"{mask.shape[0]}x{mask.shape[1]}", *map(str, runs)])


def decode_mask(text: str) -> np.ndarray:
    """The mask of a text; `ValueError` if the text is none that `encode_mask` gives."""
    if re.fullmatch(r"[0-9]{1,4}x[0-9]{1,4}( [0-9]{1,8})+", text):
        head, *lengths = text.split()
        height, width = map(int, head.split("x"))
        runs = [int(length) for length in lengths]
        if sum(runs) == height * width and max(height, width) <= LARGEST_SIDE:
            return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    expected = (
        f"a mask as text: rows x columns, at most {LARGEST_SIDE} of each, then runs of absent and present sites, "
        f"such as '2x3 1 2 2 1'"
    )
    raise ArgumentError("mask", expected, text)


def as_mask(mask: Any) -> np.ndarray:
    """A read-only copy of a mask, or that of a text."""
    array = decode_mask(mask) if isinstance(mask, str) else np.array(mask)
    if array.ndim != 2 or array.dtype != np.bool_:
        raise ArgumentError("mask", "a Boolean array (y, x), or its text", f"{array.dtype} of shape {array.shape}")
    if not array.any():
        raise ArgumentError("mask", "a mask with at least one site that carries a spin", encode_mask(array))
    array.setflags(write=False)
    return array


def check_lattice_shape(lattice_shape: tuple[int, int]) -> None:
    """Raises `ValueError` unless both sides can be halved four times."""
    for side in as_shape("lattice_shape", lattice_shape):
        try:
            check_side(side)
        except ValueError as error:
            expected = f"(y, x), each side {error}: the encoder halves it four times"
            raise ArgumentError("lattice_shape", expected, lattice_shape) from None


def check_side(side: int) -> int:
    """A side that can be halved four times; the `ValueError` for another one says which are nearest."""
    if side > 0 and side % LATTICE_MULTIPLE == 0:
        return side
    below = max(0, side // LATTICE_MULTIPLE * LATTICE_MULTIPLE)
    near = f"{below} or {below + LATTICE_MULTIPLE}" if below else f"{LATTICE_MULTIPLE}"
    raise ValueError(f"a multiple of {LATTICE_MULTIPLE}, such as {near}")


def as_shape(name: str, value: Any) -> tuple[int, int]:
    """Rows and columns `(y, x)` as Python's integers; an `ArgumentError` for anything else, such as one number."""
    if np.ndim(value) != 1 or len(value) != 2:
        example = f"({value}, {value})" if isinstance(value, int) else "(64, 64)"
        raise ArgumentError(name, f"rows and columns (y, x), such as {example}", value)
    return as_integer(name, value[0]), as_integer(name, value[1])

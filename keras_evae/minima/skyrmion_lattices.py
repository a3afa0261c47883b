"""Triangular lattices of skyrmions, placed by hand: the start of a relaxation, or a target to compare with."""

import contextlib
import dataclasses
import math

import numpy as np

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import relax_states

# Stretch that counts as triangular; a square lattice has 2 / sqrt(3) - 1 = 0.155.
LARGEST_DISTORTION = 0.05


@dataclasses.dataclass(frozen=True)
class TriangularLattice:
    """A nearly triangular lattice of points that fits on the torus, all as (y, x) in sites.

    `vectors` `(2, 2)` are two shortest lattice vectors that span a cell, `positions` `(n, 2)` the points.
    """

    vectors: np.ndarray
    positions: np.ndarray

    @property
    def distortion(self) -> float:
        """(a^2 + b^2 + c^2) / (2 sqrt(3) A) - 1 with the sides a, b, c of its triangles and the area A of its cells.

        0 for equal sides, positive otherwise (Weitzenboeck's inequality).
        """
        first, second = self.vectors
        squares = sum(float(side @ side) for side in (first, second, first - second))
        return squares / (2 * math.sqrt(3) * abs(float(np.linalg.det(self.vectors)))) - 1.0

    @property
    def spacing(self) -> float:
        """Smallest distance of two points, in sites."""
        return float(np.linalg.norm(self.vectors, axis=-1).min())


def commensurate_lattices(shape: tuple[int, int], count: int) -> list[TriangularLattice]:
    """All nearly triangular lattices of `count` points on a torus, the least distorted first.

    A lattice fits if the sides of the torus (Y, X) are lattice vectors. Every such lattice has the vectors
    (0, X/p) and (Y/q, j X/(p q)) with p q = count and one j from 0 to q - 1, and all of these are tried. Of two
    lattices that are mirror images of each other one is given. There may be none with a distortion below 0.05. One of
    the points lies at (0, 0). A `ValueError` for a count below 1.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count}")
    height, width = shape
    lattices: dict[tuple[float, ...], TriangularLattice] = {}
    for q in (q for q in range(1, count + 1) if count % q == 0):
        p = count // q
        for j in range(q):
            vectors = np.array([(0.0, width / p), (height / q, j * width / count)])
            steps = np.argwhere(np.ones((p, q)))
            lattice = TriangularLattice(_shortest(vectors), (steps @ vectors) % shape)
            # The sides without their signs are the same in a mirror image.
            sides = np.abs([*lattice.vectors, lattice.vectors[0] - lattice.vectors[1]]).round(6)
            lattices.setdefault(tuple(map(float, np.sort(sides, axis=0).flat)), lattice)
    nearly = [lattice for lattice in lattices.values() if lattice.distortion < LARGEST_DISTORTION]
    return sorted(nearly, key=lambda lattice: lattice.distortion)


def preferred_spacing(hamiltonian: Hamiltonian) -> float:
    """Distance of skyrmions in a triangular lattice, in sites: 2/sqrt(3) periods of the spiral, 2 pi / atan(|D|/J').

    The spiral's period is that of the lowest energy without field; rows of the skyrmion lattice are one period apart.
    Along an axis second neighbours act as J' = J + 2 J2. Terms of a user's own are left out. A `ValueError` where the
    spiral is not a ferromagnet's: D = 0, or J or J' not above 0.
    """
    exchange = hamiltonian.J + 2.0 * hamiltonian.J2
    if hamiltonian.D == 0 or hamiltonian.J <= 0 or exchange <= 0:
        raise ValueError(f"Skyrmions need J, J + 2 J2 above 0 and D other than 0. Received: {hamiltonian.describe()}")
    return 4 * math.pi / math.sqrt(3) / math.atan(abs(hamiltonian.D) / exchange)


def preferred_density(hamiltonian: Hamiltonian) -> float:
    """Skyrmions per site at the preferred spacing a, 2 / (sqrt(3) a^2)."""
    return 2 / (math.sqrt(3) * preferred_spacing(hamiltonian) ** 2)


def misfit(lattice: TriangularLattice, preferred: float) -> float:
    """Deviation in shape and density: distortion + (relative deviation of the spacing from the preferred one)^2."""
    return lattice.distortion + (math.sqrt(preferred / len(lattice.positions)) - 1.0) ** 2


def triangular_skyrmions(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int],
    count: int | None = None,
    shares: tuple[float, float] = (0.8, 1.2),
) -> tuple[np.ndarray, np.ndarray]:
    """A triangular lattice of skyrmions that closes on the torus, not relaxed.

    Args:
        hamiltonian: Gives the sense of rotation, and the preferred distance of skyrmions; a mask cuts the sample out.
        shape: Rows and columns `(y, x)`.
        count: Number of skyrmions. By default the one near the preferred number whose lattice has the least `misfit`.
        shares: Numbers of skyrmions among which that is sought, as shares of the preferred one.

    Returns positions `(n, 2)` as (y, x) in sites, and spins `(y, x, 3)`, float64. A `ValueError` if no nearly
    triangular lattice of that number fits, or the Hamiltonian has no skyrmions.

    >>> positions, spins = triangular_skyrmions(Hamiltonian(), (64, 64))
    >>> len(positions), spins.shape
    (8, (64, 64, 3))
    """
    counts = _counts(hamiltonian, shape, shares) if count is None else (count,)
    found = [lattice for number in counts for lattice in commensurate_lattices(shape, number)]
    if not found:
        wanted = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
        raise ValueError(f"No nearly triangular lattice of {wanted} points fits on {shape[0]} x {shape[1]} sites.")
    preferred = preferred_density(hamiltonian) * math.prod(shape)
    lattice = min(found, key=lambda lattice: misfit(lattice, preferred))
    return lattice.positions, place_skyrmions(lattice.positions, lattice.spacing / 4, shape, hamiltonian)


def place_skyrmions(
    positions: np.ndarray, radius: float, shape: tuple[int, int], hamiltonian: Hamiltonian
) -> np.ndarray:
    """Skyrmions at given places, in a background along the field, not relaxed.

    The stereographic projections of the skyrmions are added up, u = (S_x + i S_y) / (1 + S_z) = sum_k u_k, which
    keeps their number: |u_k| = cot(pi r / (4 R)) up to the distance r = 2 R and 0 beyond, which alone gives a
    spin that turns evenly and lies in the plane at r = R. The cores point against the field (down for B = 0), and
    the in-plane components follow from the type and the sign of the Dzyaloshinskii-Moriya interaction.

    Args:
        positions: Centres, `(n, 2)` as (y, x), in sites; anywhere, fractions too.
        radius: R in sites; at most a quarter of each periodic side, else a `ValueError`. Skyrmions closer than 4 R to
            each other overlap.
        shape, hamiltonian: Rows and columns `(y, x)`; gives the directions of the spins, the boundary and the mask.

    Returns unit vectors `(y, x, 3)`, float64; zero vectors outside of the mask.

    >>> float(place_skyrmions([(8, 8)], 4.0, (16, 16), Hamiltonian())[8, 8, 2])
    -1.0
    """
    positions = np.asarray(positions, np.float64).reshape(-1, 2)
    sides = [side for side, closed in zip(shape, hamiltonian.periodic, strict=True) if closed]
    largest = min(sides, default=math.inf) / 4
    if not 0 < radius <= largest:
        raise ValueError(f"`radius` must be above 0 and at most {largest:g} on {shape}. Received: radius={radius}")
    projection = np.zeros(shape, np.complex128)
    for position in positions:
        y, x = (
            (np.arange(side) - centre + side / 2) % side - side / 2 if closed else np.arange(side) - centre
            for side, centre, closed in zip(shape, position, hamiltonian.periodic, strict=True)
        )
        rows, columns = (np.flatnonzero(np.abs(apart) < 2 * radius) for apart in (y, x))
        place = x[columns] + 1j * y[rows, None]
        # The centre has no direction, and needs none: the spin is down there.
        place[place == 0] = 1e-9
        distance = np.abs(place)
        reach = np.pi / 4 * np.minimum(distance / radius, 2.0)
        projection[np.ix_(rows, columns)] += place / distance / np.tan(reach)
    spins = _directions(projection, hamiltonian)
    return spins if hamiltonian.mask is None else spins * hamiltonian.mask[..., None]


def relaxed_lattices(
    hamiltonian: Hamiltonian, shape: tuple[int, int], shares: tuple[float, float] = (0.3, 1.3), most: int = 2
) -> tuple[list[TriangularLattice], np.ndarray]:
    """Triangular lattices of skyrmions that fit on the torus, each relaxed; none for a Hamiltonian without skyrmions.

    Smallest and largest number of skyrmions are `shares` of the preferred one: stronger fields leave fewer. Of each
    number the `most` least distorted lattices are taken. Returns lattices, and spins `(n, y, x, 3)`, the lowest energy
    first. At edges skyrmions get lost in the relaxation.
    """
    lattices: list[TriangularLattice] = []
    with contextlib.suppress(ValueError):
        for count in _counts(hamiltonian, shape, shares):
            lattices += commensurate_lattices(shape, count)[:most]
    if not lattices:
        return [], np.zeros((0, *shape, 3), np.float32)
    placed = [place_skyrmions(found.positions, found.spacing / 4, shape, hamiltonian) for found in lattices]
    relaxed = relax_states(np.stack(placed), hamiltonian)
    order = np.argsort(hamiltonian.energy_per_site(relaxed.astype(np.float64)), kind="stable")
    return [lattices[index] for index in order], relaxed[order]


def _counts(hamiltonian: Hamiltonian, shape: tuple[int, int], shares: tuple[float, float]) -> range:
    low, high = (share * preferred_density(hamiltonian) * math.prod(shape) for share in shares)
    return range(max(1, math.floor(low)), math.ceil(high) + 1)


def _directions(projection: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Spins of a projection u with radial phases: cores down, turned so that the energy of D is negative."""
    up = -1.0 if hamiltonian.B < 0 else 1.0
    # From a core down outwards, along r, a spin turns from -z over -r to +z if D is positive and of Neel type.
    phase = -up * np.sign(hamiltonian.D) * (1.0 if hamiltonian.dmi == "neel" else -1j)
    square = np.abs(projection) ** 2
    in_plane = 2 * phase * projection / (1 + square)
    return np.stack((in_plane.real, in_plane.imag, up * (1 - square) / (1 + square)), axis=-1)


def _shortest(vectors: np.ndarray) -> np.ndarray:
    """Lagrange's reduction: two shortest vectors of the same lattice, at an acute angle to each other."""
    first, second = sorted(vectors, key=lambda vector: vector @ vector)
    while True:
        second = second - round(float(first @ second) / float(first @ first)) * first
        if second @ second >= (first @ first) * (1 - 1e-12):
            return np.array([first, second if first @ second >= 0 else -second])
        first, second = second, first

"""Neighbours of skyrmions: how many each has, and how nearly they stand at the corners of a hexagon or a square."""

import dataclasses
import itertools

import numpy as np
from scipy.spatial import Delaunay, QhullError

# Cosine of the largest angle of a triangle at the rim, opposite the rim: 150 degrees.
FLATTEST = -np.sqrt(3) / 2
# Twice the area of a triangle whose corners lie on one line but for rounding, in sites squared.
SMALLEST_AREA = 1e-9
# Edge between Voronoi cells over the length of the bond, 0.58 in a triangular lattice, below which four points lie on
# one circle but for small displacements.
ARBITRARY = 0.1
# Length of a bond over absent sites, in sites, from which it is none: a single absent site does not part neighbours.
LONGEST_GAP = 1.5


@dataclasses.dataclass(frozen=True)
class Bonds:
    """Bonds from points to their neighbours in the Delaunay triangulation, each from both of its ends.

    On a torus a point has 6 neighbours on average, as long as no four points lie on one circle. On open axes, and with
    a mask, points at the edge have fewer.

    Args:
        points: Number of points.
        owners: Indices of the points from which the bonds start, `(m,)`, in order.
        vectors: Vectors to the neighbours, `(m, 2)` as (y, x), in sites.
        edges: Lengths of the edges between the Voronoi cells of both ends, `(m,)`, in sites; 0 for the diagonals of a
            square lattice. At the rim, where cells have no end, only the part inside of the triangles counts.
        surrounded: Points with triangles all around, `(points,)` Boolean: not at the rim.
    """

    points: int
    owners: np.ndarray
    vectors: np.ndarray
    edges: np.ndarray
    surrounded: np.ndarray

    @property
    def arbitrary(self) -> np.ndarray:
        """Bonds that the other diagonal of their four points could replace, `(m,)` Boolean.

        Those of the square lattice, whose points have four neighbours and a diagonal or two by chance.
        """
        return self.edges < ARBITRARY * np.linalg.norm(self.vectors, axis=-1)

    @property
    def counts(self) -> np.ndarray:
        """Number of neighbours of each point, `(points,)`; 0 where no triangle exists."""
        return np.bincount(self.owners, minlength=self.points)

    def order(self, fold: int = 6, weighted: bool = False) -> np.ndarray:
        """psi_n of each point k: sum_j w_kj exp(n i phi_kj) / sum_j w_kj over its neighbours j at the angles phi_kj.

        |psi6| with equal weights is 1 where the neighbours stand at the corners of a regular hexagon, whatever its
        orientation, and about 0.4 on average for points placed at random. The phase of psi6 is six times the
        orientation.

        In a square lattice four points lie on one circle, and the triangulation makes one of the two diagonals a bond
        by chance. For psi4 weigh the bonds by the edges between the Voronoi cells: these diagonals then count nothing,
        and small displacements change psi4 little. |psi4| so weighted is 1 in a square lattice and 0 in a triangular
        one.

        Args:
            fold: n, the number of directions that are alike.
            weighted: Whether w_kj is the length of the edge between the Voronoi cells of k and j; 1 by default.

        Returns:
            Complex numbers, `(points,)`, no units; 0 for a point without neighbours.

        Reference:
            - Nelson and Halperin, Phys. Rev. B 19, 2457 (1979).
            - Weights: Mickel et al., J. Chem. Phys. 138, 044501 (2013).
        """
        weights = self.edges if weighted else np.ones(len(self.owners))
        angles = fold * np.arctan2(self.vectors[:, 0], self.vectors[:, 1])
        parts = (weights * np.cos(angles), weights * np.sin(angles), weights)
        cosines, sines, total = (np.bincount(self.owners, part, self.points) for part in parts)
        return (cosines + 1j * sines) / np.where(total > 0, total, 1.0)

    def lattice_order(self) -> tuple[np.ndarray, np.ndarray]:
        """|psi6| with equal weights and |psi4| weighted by edges of the points that have neighbours, `(k,)` both.

        The larger one tells the lattice.
        Triangular: psi6 = 1, psi4 = 0. Square: psi4 = 1, psi6 at most 1/3.
        """
        bound = self.counts > 0
        return np.abs(self.order())[bound], np.abs(self.order(4, weighted=True))[bound]


def delaunay_bonds(
    positions: np.ndarray,
    shape: tuple[int, int],
    periodic: tuple[bool, bool] = (True, True),
    mask: np.ndarray | None = None,
) -> Bonds:
    """Bonds of the Delaunay triangulation, but for flat triangles at the rim (an angle above 150 degrees opposite it).

    On closed axes the points are repeated on both sides, so that the triangulation goes on across the edge; images of a
    point, its own among them, are neighbours like any other.

    Args:
        positions: Points `(n, 2)` as (y, x), in sites.
        shape: Rows and columns `(y, x)` of the lattice.
        periodic: Whether the y and the x axis close on themselves.
        mask: Sites that carry a spin, Boolean `(y, x)`; no triangle lies over a gap between them. None: all.

    Returns:
        No bonds where no triangle exists: fewer than three points, images included, or all points on one line.
    """
    positions = np.asarray(positions, np.float64).reshape(-1, 2)
    # The original points come first.
    along_y, along_x = ((0, -side, side) if closed else (0,) for side, closed in zip(shape, periodic, strict=True))
    images = np.concatenate([positions + np.array(shift) for shift in itertools.product(along_y, along_x)])
    number = len(positions)
    nothing = Bonds(number, np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0), np.zeros(number, bool))
    if len(images) < 3:
        return nothing
    try:
        triangles = _without_slivers(Delaunay(images), mask)
    except QhullError:
        return nothing
    sides = triangles[:, [(0, 1), (1, 2), (2, 0)]].reshape(-1, 2)
    bonds, places = np.unique(np.concatenate([sides, sides[:, ::-1]]), axis=0, return_inverse=True)
    edges = np.bincount(places.ravel(), np.tile(_half_edges(images[triangles]), 2)).clip(0.0)
    inside = bonds[:, 0] < number
    owners, ends = bonds[inside].T
    # A point at the rim has a bond more than triangles.
    around, counts = (np.bincount(ends_of, minlength=number)[:number] for ends_of in (triangles.ravel(), owners))
    surrounded = (around == counts) & (counts > 0)
    return Bonds(number, owners.astype(np.int64), images[ends] - positions[owners], edges[inside], surrounded)


def _half_edges(corners: np.ndarray) -> np.ndarray:
    """Distances from the centre of each triangle's circumcircle to its sides 01, 12 and 20, of corners `(t, 3, 2)`.

    `(3t,)`: |side| / 2 times the cotangent of the opposite angle, negative beyond the side. The two triangles at a side
    add up to the edge between the Voronoi cells of its ends.
    """
    # From the corner opposite each side to both of its ends.
    first, second = (np.roll(corners, -step, axis=1) - np.roll(corners, -2, axis=1) for step in (0, 1))
    area = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    cotangents = np.sum(first * second, axis=-1) / np.maximum(area, SMALLEST_AREA)
    return (np.linalg.norm(second - first, axis=-1) / 2 * cotangents).ravel()


def _without_slivers(triangulation: Delaunay, mask: np.ndarray | None) -> np.ndarray:
    """Corners of the triangles, `(t, 3)`, without those over gaps of the sample and flat ones at the rim.

    Skyrmions along an open edge stand nearly in a line, of which the convex hull makes bonds over several skyrmions.
    """
    corners = triangulation.points[triangulation.simplices]
    sides = [np.roll(corners, -step, axis=1) - corners for step in (1, 2)]
    cosines = np.sum(sides[0] * sides[1], axis=-1) / np.prod(np.linalg.norm(sides, axis=-1), axis=0)
    kept = np.ones(len(corners), bool) if mask is None else ~_over_gap(corners, sides[0], mask)
    while True:
        rim = (triangulation.neighbors == -1) | ~kept[triangulation.neighbors]
        flat = kept & np.any(rim & (cosines < FLATTEST), axis=1)
        if not flat.any():
            return triangulation.simplices[kept]
        kept &= ~flat


def _over_gap(starts: np.ndarray, vectors: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Whether each triangle has a side, of three, that runs over absent sites: `(t,)` of starts `(t, 3, 2)`."""
    longest = float(np.linalg.norm(vectors, axis=-1).max())
    shares = np.linspace(0.0, 1.0, 2 + int(2 * longest))
    points = np.rint(starts[..., None, :] + shares[:, None] * vectors[..., None, :]).astype(int)
    absent = ~mask[tuple(np.moveaxis(points % mask.shape, -1, 0))]
    return np.any(absent.mean(axis=-1) * np.linalg.norm(vectors, axis=-1) > LONGEST_GAP, axis=-1)


def defect_share(counts: np.ndarray) -> float:
    """Share of points without six neighbours: 0 in a triangular lattice, and by definition where there is no point.

    Args:
        counts: Numbers of neighbours, `(n,)`: `Bonds.counts[Bonds.surrounded]`, since points at the rim have fewer.

    Example:

    >>> defect_share(np.array([6, 6, 5, 7]))
    0.5
    """
    counts = np.asarray(counts)
    return float(np.mean(counts != 6)) if counts.size else 0.0

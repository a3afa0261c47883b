import numpy as np
import pytest

from keras_evae.analysis import delaunay_bonds
from keras_evae.minima.skyrmion_lattices import commensurate_lattices

# A torus for triangles with equal sides need not be one of whole sites.
SHAPE = (8 * np.sqrt(3), 20.0)
TRIANGULAR = np.array([(row * np.sqrt(3), 2 * column + row % 2) for row in range(8) for column in range(10)])


def test_order_in_closed_form():
    psi6 = delaunay_bonds(TRIANGULAR, SHAPE).order()
    np.testing.assert_allclose(psi6, 1.0, atol=1e-9)
    np.testing.assert_array_equal(delaunay_bonds(TRIANGULAR, SHAPE).counts, 6)
    bonds = delaunay_bonds(TRIANGULAR, SHAPE)
    np.testing.assert_allclose(np.linalg.norm(bonds.vectors, axis=-1), 2.0)
    np.testing.assert_array_equal(bonds.owners, np.repeat(np.arange(80), 6))
    np.testing.assert_allclose(delaunay_bonds(TRIANGULAR[:, ::-1], SHAPE[::-1]).order(), -1.0, atol=1e-9)
    stretched = np.abs(delaunay_bonds(TRIANGULAR * (1.2, 1.0), (SHAPE[0] * 1.2, SHAPE[1])).order())
    # Two bonds along x, four at the angle phi to it.
    phi = np.arctan2(1.2 * np.sqrt(3), 1.0)
    np.testing.assert_allclose(stretched, abs(2 + 4 * np.cos(6 * phi)) / 6, atol=1e-9)
    points = np.random.default_rng(1).uniform((0, 0), (100, 150), (2000, 2))
    psi6 = delaunay_bonds(points, (100, 150)).order()
    assert np.abs(psi6).mean() < 0.5 and abs(psi6.mean()) < 0.05
    (lattice, *_) = commensurate_lattices((128, 96), 24)
    psi6 = delaunay_bonds(lattice.positions, (128, 96)).order()
    np.testing.assert_allclose(psi6, psi6[0])
    assert 0.9 < np.abs(psi6[0]) < 1.0
    row = np.array([(24.0 + 1e-3 * (index % 2), 24.0 * index) for index in range(4)])
    assert delaunay_bonds(row, (48, 96), (False, True)).counts.tolist() == [0] * 4


def test_edges_of_the_sample():
    closed, open_edges = (delaunay_bonds(TRIANGULAR, SHAPE, (kind, kind)).order() for kind in (True, False))
    inner = np.all((TRIANGULAR > 2) & (np.array(SHAPE) - 4 > TRIANGULAR), axis=-1)
    np.testing.assert_allclose(open_edges[inner], closed[inner], atol=1e-9)
    assert delaunay_bonds(TRIANGULAR, SHAPE, (False, False)).counts[0] < 6
    assert delaunay_bonds(TRIANGULAR, SHAPE).surrounded.all()
    bonds = delaunay_bonds(TRIANGULAR, SHAPE, (False, False))
    y, x = TRIANGULAR.T
    outer, inner = (y == 0) | (y == y.max()) | (x == 0) | (x == x.max()), (x > 2) & (x < 17) & (y > 0) & (y < y.max())
    assert bonds.surrounded[inner].all() and not bonds.surrounded[outer].any()
    np.testing.assert_array_equal(bonds.counts[inner], 6)
    # A strip of absent sites parts two halves; a single absent site does not.
    points = np.array([(4.0, 4.0), (16.0, 4.0), (4.0, 16.0), (16.0, 16.0), (4.0, 28.0), (16.0, 28.0)])
    mask = np.ones((20, 32), bool)
    whole = delaunay_bonds(points, mask.shape, (False, False), mask)
    np.testing.assert_array_equal(whole.counts, delaunay_bonds(points, mask.shape, (False, False)).counts)
    mask[4, 10] = False
    np.testing.assert_array_equal(delaunay_bonds(points, mask.shape, (False, False), mask).counts, whole.counts)
    mask[:, 9:12] = False
    parted = delaunay_bonds(points, mask.shape, (False, False), mask)
    assert parted.counts[:2].tolist() == [0, 0] and np.all(parted.counts[2:] > 0)


@pytest.mark.parametrize("deviation", [0.0, 1e-6, 0.1])
def test_two_rows_in_a_wire_have_four_neighbours_each(deviation):
    """Small deviations from a line along the edge make no neighbours."""
    rows = np.array([(15.0 + 18 * (index % 2), 12.0 * index) for index in range(8)])
    points = rows + np.random.default_rng(0).uniform(-deviation, deviation, rows.shape)
    for positions, shape, periodic in ((points, (48, 96), (False, True)), (points[:, ::-1], (96, 48), (True, False))):
        np.testing.assert_array_equal(delaunay_bonds(positions, shape, periodic).counts, 4)
        longest = np.linalg.norm(delaunay_bonds(positions, shape, periodic).vectors, axis=-1).max()
        assert longest == pytest.approx(24, abs=0.5)


# Points of a square lattice of 8 sites, and the torus that it closes on.
SQUARE = 8.0 * np.array(list(np.ndindex(6, 9))) + (3.0, 5.0)


def turned(cells, offset=(0.0, 0.0)):
    """A square lattice that is turned by atan(1/2) on the torus, in sites."""
    points = np.array([(2 * y + x, 2 * x - y) for y in range(-20, 20) for x in range(-20, 20)], float)
    return points[np.all((points >= 0) & (points < 5 * cells), axis=-1)] + offset, (5.0 * cells, 5.0 * cells)


@pytest.mark.parametrize("points, shape", [(SQUARE, (48.0, 72.0)), turned(2), turned(3, (0.3, 11.7))])
def test_square_lattice_has_psi4_of_one_whatever_the_diagonals(points, shape):
    psi6, psi4 = delaunay_bonds(points, shape).lattice_order()
    np.testing.assert_allclose(psi4, 1.0, atol=1e-9)
    assert np.all(psi6 < 0.34)
    # The diagonals are bonds, some of them; their cells touch in a point.
    bonds = delaunay_bonds(points, shape)
    lengths = np.linalg.norm(bonds.vectors, axis=-1)
    side = lengths.min()
    np.testing.assert_allclose(bonds.edges[lengths < 1.1 * side], side)
    np.testing.assert_allclose(bonds.edges[lengths > 1.1 * side], 0.0, atol=1e-9)


def test_psi4_in_closed_form():
    for points, shape in ((TRIANGULAR, SHAPE), (TRIANGULAR[:, ::-1], SHAPE[::-1]), ((TRIANGULAR + 1.3) % SHAPE, SHAPE)):
        psi6, psi4 = delaunay_bonds(points, shape).lattice_order()
        np.testing.assert_allclose(psi6, 1.0, atol=1e-9)
        np.testing.assert_allclose(psi4, 0.0, atol=1e-9)
    # Edges of regular hexagons.
    np.testing.assert_allclose(delaunay_bonds(TRIANGULAR, SHAPE).edges, 2 / np.sqrt(3))
    points, shape = turned(2)
    psi4 = delaunay_bonds(points, shape).order(fold=4, weighted=True)
    np.testing.assert_allclose(psi4, np.exp(-4j * np.arctan(0.5)).conj(), atol=1e-9)
    bonds = delaunay_bonds(SQUARE + np.random.default_rng(0).uniform(-0.1, 0.1, SQUARE.shape), (48.0, 72.0))
    # One diagonal in each square, seen from both ends; without them each point has four neighbours.
    assert bonds.arbitrary.sum() == 2 * len(SQUARE)
    np.testing.assert_array_equal(np.bincount(bonds.owners[~bonds.arbitrary]), 4)
    assert not delaunay_bonds(TRIANGULAR, SHAPE).arbitrary.any()


@pytest.mark.parametrize("size, change", [(1e-6, 1e-5), (1e-3, 1e-2), (0.05, 0.1)])
def test_small_displacements_change_psi4_little(size, change):
    """They choose the diagonals, which change psi6 at once."""
    moved = SQUARE + np.random.default_rng(0).uniform(-size, size, SQUARE.shape)
    psi6, psi4 = delaunay_bonds(moved, (48.0, 72.0)).lattice_order()
    assert psi4.min() > 1 - change and np.ptp(psi6) > 0.1


def test_cells_fill_the_torus_and_few_points_have_an_order():
    points = np.random.default_rng(2).uniform((0, 0), (60, 90), (200, 2))
    bonds = delaunay_bonds(points, (60, 90))
    # Each bond spans two triangles, one in each cell, of this edge and half of the bond.
    assert np.sum(bonds.edges * np.linalg.norm(bonds.vectors, axis=-1)) / 4 == pytest.approx(60 * 90)
    # Euler: six neighbours on average.
    assert bonds.counts.sum() == 6 * 200
    psi6, psi4 = delaunay_bonds(points, (60, 90)).lattice_order()
    assert psi6.mean() < 0.5 and psi4.mean() < 0.5
    for count in range(4):
        for periodic in ((False, False), (True, False), (True, True)):
            points = np.random.default_rng(count).uniform(0, 32, (count, 2))
            bonds = delaunay_bonds(points, (32, 48), periodic)
            for order in bonds.lattice_order():
                assert order.shape == (np.count_nonzero(bonds.counts),) and np.all((order >= 0) & (order <= 1 + 1e-12))

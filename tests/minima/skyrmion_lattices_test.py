import numpy as np
import pytest

from keras_evae.analysis import delaunay_bonds, find_skyrmions, topological_charge
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import (
    commensurate_lattices,
    place_skyrmions,
    preferred_density,
    preferred_spacing,
    triangular_skyrmions,
)

# Four rows of four points with 14 / 16 = 0.875, close to sqrt(3) / 2 = 0.866.
SHAPE = (56, 64)


def apart(first, second, shape):
    """Distances of two sets of points on the torus, `(n, m)`."""
    sides = np.array(shape)
    return np.hypot(*np.moveaxis((first[:, None] - second[None] + sides / 2) % sides - sides / 2, -1, 0))


@pytest.mark.parametrize("shape, count", [(SHAPE, 16), ((64, 64), 8), ((48, 80), 8)])
def test_lattices_close_on_the_torus(shape, count):
    lattices = commensurate_lattices(shape, count)
    assert lattices and [lattice.distortion for lattice in lattices] == sorted(x.distortion for x in lattices)
    for lattice in lattices:
        assert lattice.positions.shape == (count, 2)
        for vector in lattice.vectors:
            # Moved by a lattice vector, the points lie on one another.
            moved = apart(lattice.positions + vector, lattice.positions, shape)
            assert moved.min(axis=0) == pytest.approx(np.zeros(count), abs=1e-9)
        distances = apart(lattice.positions, lattice.positions, shape) + 1e9 * np.eye(count)
        assert distances.min() == pytest.approx(lattice.spacing)


def test_lattices_in_closed_form():
    best = commensurate_lattices(SHAPE, 16)[0]
    assert best.spacing == pytest.approx(16.0)
    two_sides = 14**2 + 8**2
    assert best.distortion == pytest.approx((16**2 + 2 * two_sides) / (2 * np.sqrt(3) * 16 * 14) - 1)
    # Four points on a square can be a square lattice, which is not triangular, and nothing better.
    assert all(lattice.distortion < 0.05 for n in range(1, 30) for lattice in commensurate_lattices((60, 60), n))
    assert commensurate_lattices((60, 60), 1) == []
    lattices = commensurate_lattices((64, 80), 10) + commensurate_lattices((64, 80), 12)
    for index, first in enumerate(lattices):
        for second in lattices[index + 1 :]:
            mirrored = second.positions * (1, -1) % (64, 80)
            same = len(first.positions) == len(mirrored) and apart(first.positions, mirrored, (64, 80)).min(0).max()
            assert same is False or same > 1e-6


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
@pytest.mark.parametrize("D", [0.3, -0.3])
@pytest.mark.parametrize("B", [0.05, -0.05])
def test_sense_of_rotation_is_the_best(dmi, D, B):
    h = Hamiltonian(D=D, B=B, dmi=dmi)
    shape = (32, 40)
    spins = place_skyrmions([(15.3, 19.8)], 6.0, shape, h)
    np.testing.assert_allclose(np.linalg.norm(spins, axis=-1), 1.0)
    assert topological_charge(spins) == pytest.approx(-np.sign(B), abs=1e-9)
    assert spins[15, 20, 2] * B < 0 and spins[0, 0, 2] * B > 0
    energies = []
    for turn in np.arange(8) * np.pi / 4:
        turned = spins.copy()
        turned[..., 0] = np.cos(turn) * spins[..., 0] - np.sin(turn) * spins[..., 1]
        turned[..., 1] = np.sin(turn) * spins[..., 0] + np.cos(turn) * spins[..., 1]
        energies.append(h.energy(turned))
    assert np.argmin(energies) == 0 and energies[4] > energies[0] + 10


def test_places_overlaps_and_edges():
    positions = np.array([(5.25, 3.5), (30.0, 40.0), (55.5, 25.75)])
    found = find_skyrmions(place_skyrmions(positions, 7.0, SHAPE, Hamiltonian()))
    assert len(found) == 3
    distances = apart(found.positions, positions, SHAPE)
    assert distances.min(axis=0).max() < 0.1
    np.testing.assert_allclose(found.radii, 7.0, rtol=0.03)
    spins = place_skyrmions([(20, 20), (20, 28)], 6.0, (48, 40), Hamiltonian())
    assert topological_charge(spins) == pytest.approx(-2.0, abs=1e-9)
    spins = place_skyrmions(np.zeros((0, 2)), 4.0, (16, 24), Hamiltonian())
    np.testing.assert_array_equal(spins, np.broadcast_to((0.0, 0.0, 1.0), (16, 24, 3)))
    spins = place_skyrmions([(0, 0)], 5.0, (40, 40), Hamiltonian(boundary="open"))
    assert spins[1, 1, 2] < 0 < spins[39, 39, 2]
    assert place_skyrmions([(0, 0)], 5.0, (40, 40), Hamiltonian())[39, 39, 2] < 0


@pytest.mark.parametrize("shape, count", [((64, 64), 8), ((128, 128), 30)])
def test_preferred_lattice_at_the_paper_values(shape, count):
    h = Hamiltonian()
    positions, spins = triangular_skyrmions(h, shape)
    assert len(positions) == count and topological_charge(spins) == pytest.approx(-count, abs=1e-9)
    np.testing.assert_array_equal(delaunay_bonds(find_skyrmions(spins).positions, shape).counts, 6)
    # Not relaxed, yet lower than the cycloid along an axis at its best, -1 - sqrt(1 + D^2) on an endless lattice.
    assert h.energy_per_site(spins) < -1 - np.sqrt(1 + 0.3**2)


def test_preferred_number_and_masks():
    assert [preferred_spacing(Hamiltonian(D=D)) for D in (0.3, -0.3)] == pytest.approx([24.89] * 2, abs=0.01)
    # A triangle of three neighbours has half a skyrmion.
    assert preferred_density(Hamiltonian()) == pytest.approx(0.5 / (np.sqrt(3) / 4 * 24.89**2), rel=1e-3)
    positions, _ = triangular_skyrmions(Hamiltonian(), (64, 96), count=12)
    assert len(positions) == 12
    mask = make_geometry("disc", 60).mask
    h, whole = Hamiltonian(mask=mask), Hamiltonian()
    positions, spins = triangular_skyrmions(h, (64, 64))
    expected_positions, expected = triangular_skyrmions(whole, (64, 64))
    np.testing.assert_array_equal(positions, expected_positions)
    np.testing.assert_array_equal(spins, expected * mask[..., None])
    with pytest.raises(ValueError, match="D other than 0"):
        triangular_skyrmions(Hamiltonian(D=0.0), (64, 64))
    with pytest.raises(ValueError, match="triangular lattice of 1 points"):
        triangular_skyrmions(Hamiltonian(), (64, 64), count=1)
    with pytest.raises(ValueError, match="at most 4 on"):
        place_skyrmions([(3, 3)], 4.5, (16, 32), Hamiltonian())

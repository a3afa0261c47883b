import numpy as np
import pytest

from keras_evae.analysis import bragg_peaks, ring_average, structure_factor, wave_vectors
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import commensurate_lattices, place_skyrmions
from tests.helpers.states import random_spins, uniform

# 14 / 16 = 0.875 is close to sqrt(3) / 2.
SHAPE = (112, 128)


def triangular(shape=SHAPE, count=64):
    lattice = commensurate_lattices(shape, count)[0]
    return lattice, place_skyrmions(lattice.positions, lattice.spacing / 4, shape, Hamiltonian())


def sorted_rows(vectors):
    vectors = np.round(np.asarray(vectors), 9) + 0.0
    return vectors[np.lexsort(vectors.T)]


def test_definition_sum_rule_and_symmetries():
    spins = random_spins(4, 6)
    q = wave_vectors((4, 6))[3, 2]
    np.testing.assert_allclose(q, (-np.pi / 2, 2 * np.pi / 3))
    y, x = np.mgrid[:4, :6]
    sums = [np.sum(spins[..., a] * np.exp(-1j * (q[0] * y + q[1] * x))) for a in range(3)]
    assert structure_factor(spins)[3, 2] == pytest.approx(sum(abs(value) ** 2 for value in sums) / 24)
    factor = structure_factor(random_spins(200, 16, 24))
    np.testing.assert_allclose(factor.mean(axis=(-2, -1)), 1.0)
    # Flat: the sum of three squared Gaussians, its mean over 200 states within five standard errors everywhere.
    assert np.abs(factor.mean(axis=0) - 1.0).max() < 5 * factor.std(axis=0).max() / np.sqrt(200)
    _, rings = ring_average(factor.mean(axis=0))
    np.testing.assert_allclose(rings, 1.0, atol=0.1)
    _, spins = triangular()
    turned = np.roll(spins, (5, 9), axis=(0, 1))[..., (1, 0, 2)]
    np.testing.assert_allclose(structure_factor(turned), structure_factor(spins), atol=1e-9)
    wave_numbers, means = ring_average(np.ones((16, 48)))
    np.testing.assert_allclose(wave_numbers, 2 * np.pi / 16 * np.arange(1, 9))
    np.testing.assert_array_equal(means, 1.0)
    mask = make_geometry("disc", 20).mask[..., None]
    spins = random_spins(32, 32) * mask
    square = np.sum((spins.sum(axis=(0, 1)) / mask.sum()) ** 2)
    assert structure_factor(spins).mean() == pytest.approx(1 - square + square * mask.mean())


def test_peaks_in_closed_form():
    peaks = [bragg_peaks(structure_factor(spins)) for spins in random_spins(20, 64, 64)]
    assert np.mean([peak.contrast for peak in peaks]) < 0.3
    triangular_peaks = bragg_peaks(structure_factor(triangular()[1]))
    assert triangular_peaks.height > 3 * np.mean([peak.height for peak in peaks])
    factor = structure_factor(triangular()[1])
    step = 2 * np.pi / min(SHAPE)
    annulus = np.abs(np.rint(np.linalg.norm(wave_vectors(SHAPE), axis=-1) / step) - 8) <= 1
    assert bragg_peaks(factor).height == pytest.approx(annulus.sum() / 6, rel=1e-6)
    x = 2 * np.pi * 6 * np.arange(96) / 96 + np.zeros((64, 1))
    factor = structure_factor(np.stack((np.sin(x), 0 * x, np.cos(x)), axis=-1))
    assert factor[0, 6] == pytest.approx(64 * 96 / 2) == factor[0, -6]
    assert factor.sum() == pytest.approx(64 * 96)
    peaks = bragg_peaks(factor)
    assert peaks.wave_number == pytest.approx(2 * np.pi * 6 / 96)
    factor = structure_factor(uniform((16, 24), (0.6, 0.0, 0.8)))
    assert factor[0, 0] == pytest.approx(16 * 24) and factor.sum() == pytest.approx(16 * 24)
    peaks = bragg_peaks(factor)
    assert np.isnan([peaks.wave_number, peaks.height, peaks.contrast]).all() and peaks.wave_vectors.shape == (6, 2)
    spins = place_skyrmions([(32, 32)], 6.0, (64, 64), Hamiltonian())
    assert bragg_peaks(structure_factor(spins)).contrast < 0.05


@pytest.mark.parametrize("shape, count", [(SHAPE, 64), (SHAPE[::-1], 64), ((96, 128), 32)])
def test_triangular_lattice_has_six_peaks_at_the_reciprocal_lattice(shape, count):
    lattice, spins = triangular(shape, count)
    peaks = bragg_peaks(structure_factor(spins))
    reciprocal = 2 * np.pi * np.linalg.inv(lattice.vectors).T
    first, second = reciprocal
    # The third of the shortest is the sum or the difference, for the cell's vectors at an acute angle the sum.
    expected = [sign * vector for vector in (first, second, first + second) for sign in (1, -1)]
    np.testing.assert_allclose(sorted_rows(peaks.wave_vectors), sorted_rows(expected), atol=1e-9)
    spacing = np.sqrt(2 / np.sqrt(3) * shape[0] * shape[1] / count)
    assert peaks.wave_number == pytest.approx(4 * np.pi / np.sqrt(3) / spacing, rel=0.01)
    assert peaks.contrast > 0.95
    rings, means = ring_average(structure_factor(spins))
    assert abs(rings[means.argmax()] - peaks.wave_number) < rings[0]


def test_a_sample_has_the_structure_of_its_spins_not_of_its_shape():
    mask = make_geometry("disc", 40).mask[..., None]
    # A uniform state: nothing but q = 0, where N stands.
    factor = structure_factor(uniform((48, 48), (0.6, 0.0, 0.8)) * mask)
    assert factor[0, 0] == pytest.approx(mask.sum()) == pytest.approx(factor.sum())
    assert np.isnan(bragg_peaks(factor).wave_number)
    # Random spins: 1 at each q, whatever their number; less where a wave is as long as the sample, as the mean is out.
    factor = structure_factor(random_spins(200, 48, 48) * mask).mean(axis=0)
    np.testing.assert_allclose(ring_average(factor)[1][1:], 1.0, atol=0.05)
    # A cycloid of 6 periods: its wave vector, in a sample with a magnetisation along z as well.
    x = 2 * np.pi * 6 * np.arange(48) / 48 + np.zeros((48, 1))
    spins = np.stack((0.6 * np.sin(x), 0.6 * np.cos(x), 0.8 + 0 * x), axis=-1) * mask
    factor = structure_factor(spins)
    assert bragg_peaks(factor).wave_number == pytest.approx(2 * np.pi * 6 / 48, rel=0.02)
    factor[0, 0] = 0.0
    assert np.unravel_index(factor[:, :24].argmax(), (48, 24)) == (0, 6)

"""A copy that was moved and turned is the same state; another state is not."""

import itertools

import numpy as np
import pytest

from keras_evae.analysis import align
from keras_evae.annealing import anneal, relax
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.symmetry import NAMES, apply_point_operation, point_group
from tests.helpers.states import random_spins, skyrmion, uniform


def slid(spins, shift):
    """The configuration moved by fractions of a site, through its Fourier series."""
    phases = [np.exp(-2j * np.pi * np.fft.fftfreq(side) * step) for side, step in zip(spins.shape, shift, strict=False)]
    spectrum = np.fft.fft2(spins, axes=(0, 1)) * phases[0][:, None, None] * phases[1][None, :, None]
    return np.fft.ifft2(spectrum, axes=(0, 1)).real


@pytest.mark.parametrize(
    ("shape", "dmi"), [((16, 16), "neel"), ((16, 16), "bloch"), ((8, 12), "neel"), ((8, 12), "bloch")]
)
def test_moved_and_turned_copy_is_found(shape, dmi):
    h, spins = Hamiltonian(dmi=dmi), random_spins(*shape)
    for operation in point_group(h, shape):
        copy = np.roll(apply_point_operation(spins, operation, dmi), (3, -2), axis=(0, 1))
        found = align(spins, copy, h)
        assert (found.shift, found.operation) == ((3, -2), operation)
        assert found.distance < 1e-25


@pytest.mark.parametrize("boundary", ["periodic", ("open", "periodic"), ("periodic", "open")])
def test_distance_is_the_smallest_of_all_symmetries(boundary):
    """Against the search over all translations one by one, for states that have nothing in common."""
    h, spins, target = Hamiltonian(boundary=boundary), random_spins(6, 8), random_spins(6, 8, seed=1)
    steps = (range(-side // 2, side // 2) if closed else (0,) for side, closed in zip((6, 8), h.periodic, strict=True))
    distances = {
        (operation, shift): np.mean(
            np.sum((np.roll(apply_point_operation(spins, operation), shift, (0, 1)) - target) ** 2, axis=-1)
        )
        for operation, shift in itertools.product(point_group(h, (6, 8)), itertools.product(*steps))
    }
    found = align(spins, target, h)
    assert (found.operation, found.shift) == min(distances, key=distances.get)
    assert found.distance == pytest.approx(min(distances.values()), rel=1e-12)
    assert found.distance > 1.0


def test_open_axes_do_not_move():
    spins = random_spins(8, 12)
    copy = np.roll(spins, (2, 5), axis=(0, 1))
    assert align(spins, copy, Hamiltonian()).distance < 1e-25
    for boundary in ("open", ("open", "periodic"), ("periodic", "open")):
        found = align(spins, copy, Hamiltonian(boundary=boundary))
        assert found.distance > 0.5
        kinds = (boundary,) * 2 if isinstance(boundary, str) else boundary
        assert all(step == 0 for step, kind in zip(found.shift, kinds, strict=True) if kind == "open")
    found = align(spins, np.roll(spins, 5, axis=1), Hamiltonian(boundary=("open", "periodic")))
    assert found.shift == (0, 5) and found.distance < 1e-25


def test_symmetric_and_uniform_states():
    spins = skyrmion((32, 32))
    found = align(spins, np.roll(spins, (4, 0), axis=(0, 1)).astype(np.float32), Hamiltonian())
    assert NAMES[found.operation] == "not turned" and found.shift == (4, 0)
    # Also if another symmetry does better by less than what is stored.
    noisy = spins + 1e-5 * random_spins(32, 32)
    found = align(noisy, apply_point_operation(noisy, (False, True, True)), Hamiltonian())
    assert NAMES[found.operation] == "not turned"
    up, down = uniform(), uniform(direction=(0.0, 0.0, -1.0))
    found = align(up, up, Hamiltonian())
    assert (found.distance, found.shift, NAMES[found.operation]) == (0.0, (0, 0), "not turned")
    # No symmetry of the Hamiltonian turns the field over.
    assert align(up, down, Hamiltonian()).distance == 4.0
    assert align(up, up, Hamiltonian(), sliding=True).distance == 0.0
    with pytest.raises(ValueError, match="one shape"):
        align(random_spins(8, 12), random_spins(12, 8), Hamiltonian())
    with pytest.raises(ValueError, match="one shape"):
        align(random_spins(2, 8, 12), random_spins(2, 8, 12), Hamiltonian())


@pytest.mark.parametrize("shape", [(32, 48), (48, 32)])
def test_sliding_by_fractions_of_a_site(shape):
    h, spins = Hamiltonian(), skyrmion(shape)
    target = slid(spins, (3.4, -7.7))
    whole, sliding = align(spins, target, h), align(spins, target, h, sliding=True)
    assert whole.shift == (3, -8) and whole.distance > 1e-4
    assert sliding.shift == pytest.approx((3.4, -7.7), abs=1e-3) and sliding.distance < 1e-5
    open_axis = align(spins, slid(spins, (0.0, 0.4)), Hamiltonian(boundary=("periodic", "open")), sliding=True)
    assert open_axis.shift[1] == 0 and open_axis.distance > 1e-4


def test_noise_and_slides_of_annealed_states():
    """Two annealed states stay apart; one of them with noise, relaxed again, is the same state, slid a little."""
    h = Hamiltonian()
    # To a small torque: along its softest directions a state otherwise stops short of the minimum.
    schedule = AnnealingSchedule(2.0, 0.05, temperatures=30, over_relaxation=0, torque_tolerance=1e-5)
    one, other = (anneal(h, (48, 64), schedule, index=index) for index in (0, 1))
    assert align(one, other, h, sliding=True).distance > 0.1
    noisy = one + np.random.default_rng(0).normal(size=one.shape) * 0.05
    moved = np.roll(noisy / np.linalg.norm(noisy, axis=-1, keepdims=True), (5, 7), axis=(0, 1))
    found = align(moved, one, h)
    assert found.shift == (-5, -7) and found.distance > 1e-3
    assert align(relax(h, moved, 1e-5)[0], one, h, sliding=True).distance < 1e-6
    # Half a site costs less than single precision resolves, and relaxation leaves it there.
    state = anneal(h, (48, 64)).astype(np.float64)
    between = slid(state, (0.5, 0.5))
    between /= np.linalg.norm(between, axis=-1, keepdims=True)
    assert h.energy_per_site(between) == pytest.approx(h.energy_per_site(state), abs=1e-6)
    relaxed = relax(h, between)[0]
    assert align(state, relaxed, h).distance > 1e-3
    assert align(state, relaxed, h, sliding=True).distance < 1e-6


@pytest.mark.parametrize(("shape", "size", "shift"), [("disc", 12, (0, 0)), ("wire", (6, 16), (0, -5))])
def test_masked_copies(shape, size, shift):
    geometry = make_geometry(shape, size)
    h = Hamiltonian(boundary=geometry.boundary, mask=geometry.mask)
    spins = random_spins(16, 16) * h.mask[..., None]
    for operation in point_group(h, (16, 16)):
        found = align(spins, np.roll(apply_point_operation(spins, operation), shift, axis=(0, 1)), h)
        assert (found.shift, found.operation) == (shift, operation) and found.distance < 1e-12
    # The sum over present sites only: reversed spins have the distance 4.
    up = uniform((16, 16)) * h.mask[..., None]
    for sliding in (False, True):
        assert align(up, -up, h, sliding).distance == pytest.approx(4.0)
    # A translation by which the sample would leave its place is none.
    other = random_spins(16, 16, seed=1) * h.mask[..., None]
    assert align(spins, other, h, sliding=True).shift[0] == 0

import numpy as np
import pytest

from keras_evae.analysis import describe_state
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import place_skyrmions, triangular_skyrmions
from tests.helpers.states import random_spins, uniform


def test_states_that_are_known():
    state = describe_state(uniform((16, 24)), Hamiltonian())
    assert state.energy_per_site == pytest.approx(-2.05)
    np.testing.assert_array_equal(state.magnetization, (0.0, 0.0, 1.0))
    assert state.torque == 0.0 and state.charge == 0.0 and len(state.skyrmions) == 0
    assert state.psi6.shape == state.neighbours.shape == (0,)
    np.testing.assert_array_equal(state.theta, 0.0)
    assert np.isnan(state.peaks.wave_number)
    h = Hamiltonian(dmi="bloch")
    positions, spins = triangular_skyrmions(h, (64, 96))
    state = describe_state(spins, h)
    assert len(state.skyrmions) == len(positions) == -round(state.charge)
    assert state.psi6.min() > 0.9 and state.peaks.contrast > 0.8
    np.testing.assert_array_equal(state.neighbours, 6)
    state = describe_state(random_spins(32, 48), Hamiltonian(B=0.0))
    assert state.theta.mean() == pytest.approx(90.0, abs=5.0) and np.all(np.diff(state.theta) >= 0)
    assert state.torque > 1.0
    mask = np.hypot(*np.ogrid[-15.5:16, -19.5:20]) < 14
    h = Hamiltonian(D=0.0, boundary="open", mask=mask)
    state = describe_state(uniform((32, 40)) * mask[..., None], h)
    np.testing.assert_allclose(state.magnetization, (0.0, 0.0, 1.0), atol=1e-12)
    assert state.energy_per_site == pytest.approx(h.reference_energy_per_site(mask.shape) - 0.05)
    tilted = uniform((32, 40), (0.6, 0.0, 0.8)) * mask[..., None]
    # No absent site among the angles: all are those between the field along z with the exchange, and the spin.
    assert describe_state(tilted, h).theta.min() > 0.1


@pytest.mark.parametrize("B", [0.05, -0.05])
def test_one_skyrmion(B):
    h = Hamiltonian(B=B)
    state = describe_state(place_skyrmions([(20.3, 30.4)], 6.0, (40, 60), h), h)
    assert state.charge == pytest.approx(-np.sign(B)) and len(state.skyrmions) == len(state.psi6) == 1
    # Centres of mass of |S_z|; those of the sites are a tenth of a site off.
    np.testing.assert_allclose(state.skyrmions.positions, [(20.3, 30.4)], atol=0.02)
    assert state.skyrmions.radii == pytest.approx([6.0], rel=0.03)

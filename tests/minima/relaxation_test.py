import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import minimise_energy
from tests.helpers.states import uniform

MASK = np.hypot(*np.ogrid[-5.5:6, -9.5:10]) < 6
HAMILTONIANS = [
    Hamiltonian(),
    Hamiltonian(dmi="bloch", K=0.1),
    Hamiltonian(B=-0.05, K=-0.02, boundary=("open", "periodic")),
]


def test_uniform_state_is_a_minimum():
    assert Hamiltonian().torque(uniform()).max() == 0.0
    # A field along z turns a spin along x with |S x h| = B; the exchange does not.
    assert Hamiltonian(D=0.0).torque(uniform(direction=(1.0, 0.0, 0.0))).max() == pytest.approx(0.05)
    np.testing.assert_array_equal(minimise_energy(Hamiltonian(), uniform()), uniform())


@pytest.mark.parametrize("hamiltonian", HAMILTONIANS, ids=("neel", "bloch", "open"))
def test_reaches_a_minimum(hamiltonian):
    random = np.random.default_rng(1)
    spins = uniform((12, 20), (0.0, 0.0, -1.0 if hamiltonian.B < 0 else 1.0)) + 0.2 * random.normal(size=(12, 20, 3))
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
    relaxed = minimise_energy(hamiltonian, spins)
    assert relaxed.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(relaxed, axis=-1), 1.0, atol=1e-14)
    assert hamiltonian.torque(relaxed).max() < 1e-6
    energy = hamiltonian.energy(relaxed)
    assert energy < hamiltonian.energy(spins)
    # A minimum, not a saddle: no small rotation lowers the energy.
    for _ in range(5):
        turned = relaxed + 1e-3 * random.normal(size=relaxed.shape)
        turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
        assert hamiltonian.energy(turned) > energy


@pytest.mark.filterwarnings("error")
def test_masked_state_reaches_a_minimum():
    h = Hamiltonian(boundary="open", mask=MASK)
    spins = uniform((12, 20)) + 0.2 * np.random.default_rng(1).normal(size=(12, 20, 3))
    spins *= MASK[..., None] / np.linalg.norm(spins, axis=-1, keepdims=True)
    relaxed = minimise_energy(h, spins)
    np.testing.assert_array_equal(relaxed[~MASK], 0.0)
    np.testing.assert_allclose(np.linalg.norm(relaxed[MASK], axis=-1), 1.0, atol=1e-14)
    assert h.torque(relaxed).max() < 1e-6

import itertools

import numpy as np
import pytest

from keras_evae.analysis import find_skyrmions, topological_charge
from keras_evae.errors import DataError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.interstitial import make_targets
from keras_evae.symmetry import apply_point_operation, point_group


@pytest.mark.parametrize(
    ("hamiltonian", "shape", "count"),
    [
        (Hamiltonian(), (48, 48), 4),
        (Hamiltonian(), (32, 48), 2),
        (Hamiltonian(), (64, 64), 8),
        (Hamiltonian(D=-0.3, dmi="bloch", K=0.02), (48, 48), 4),
    ],
)
def test_minima_with_one_skyrmion_more_and_less(hamiltonian, shape, count):
    targets = make_targets(hamiltonian, shape)
    assert targets.count == count
    assert targets.states.shape == (2, *shape, 3)
    np.testing.assert_allclose(topological_charge(targets.states), [-(count + 1), -count], atol=1e-6)
    assert [len(find_skyrmions(spins)) for spins in targets.states] == [count + 1, count]
    for spins in targets.states:
        assert hamiltonian.torque(spins).max() <= targets.torque < 1e-6
    interstitial, perfect = hamiltonian.energy(targets.states)
    assert perfect < interstitial


def test_known_energy_and_reversed_field():
    targets = make_targets(Hamiltonian(), (64, 64))
    # The lowest of 200 slow anneals.
    assert Hamiltonian().energy_per_site(targets.states)[1] == pytest.approx(-2.057316, abs=1e-6)
    targets = make_targets(Hamiltonian(B=-0.05), (48, 48))
    np.testing.assert_allclose(topological_charge(targets.states), [5, 4], atol=1e-6)


def test_images_of_the_targets():
    hamiltonian = Hamiltonian()
    targets = make_targets(hamiltonian, (48, 48))
    initial, final = targets.states
    random = np.random.default_rng(0)
    for operation, _ in itertools.product(point_group(hamiltonian, (48, 48)), range(20)):
        image = np.roll(apply_point_operation(final, operation), random.integers(0, 48, 2), axis=(0, 1))
        assert np.sum((initial - image) ** 2, axis=-1).mean() >= targets.distance - 1e-9
    image = targets.image(hamiltonian, 7)
    assert image.distance == pytest.approx(targets.distance)
    np.testing.assert_allclose(hamiltonian.energy(image.states), hamiltonian.energy(targets.states))
    assert np.abs(image.states - targets.states).max() > 0.5


@pytest.mark.parametrize(
    ("hamiltonian", "shape", "words"),
    [
        (Hamiltonian(), (32, 32), "fits on 32 x 32"),
        (Hamiltonian(D=0.0), (64, 64), "D other than 0"),
        (Hamiltonian(boundary="open"), (64, 64), "periodic"),
        (Hamiltonian(mask=np.arange(64 * 64).reshape(64, 64) > 9), (64, 64), "a spin on every site"),
    ],
)
def test_no_skyrmion_lattice(hamiltonian, shape, words):
    with pytest.raises(DataError, match=words) as caught:
        make_targets(hamiltonian, shape)
    assert "\n" not in str(caught.value)

import collections
import types

import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model.evae import EVAE
from keras_evae.model.latent_priors import normal_vectors, training_posteriors
from tests.helpers.states import random_spins

SHAPE = (16, 32)
MASK = np.ones(SHAPE, bool)
MASK[:4] = False


def test_vectors_and_posteriors_are_those_of_the_model():
    model = EVAE(SHAPE, latent_dim=4)
    expected = model.decode(normal_vectors(5, 4, seed=2)).numpy()
    np.testing.assert_allclose(model.generate(5, seed=2), expected, atol=1e-4)
    np.testing.assert_array_equal(normal_vectors(3, 4, seed=2), normal_vectors(5, 4, seed=2)[:3])
    model, spins = EVAE(SHAPE, latent_dim=4, largest_log_variance=-1.0), random_spins(6, *SHAPE)
    means, deviations = training_posteriors(model, spins, 12, np.random.default_rng(0), augment=False)
    expected, log_variances = (values.numpy() for values in model.encode(spins))
    places = [int(np.abs(expected - mean).sum(axis=1).argmin()) for mean in means]
    # Each state twice, and all of them before one comes again.
    assert set(places[:6]) == set(places[6:]) == set(range(6))
    np.testing.assert_allclose(means, expected[places], atol=1e-4)
    np.testing.assert_allclose(deviations, np.exp(0.5 * np.minimum(log_variances[places], -1.0)), rtol=1e-3)


@pytest.mark.parametrize(
    "hamiltonian", [Hamiltonian(boundary="open"), Hamiltonian(mask=MASK), Hamiltonian(dmi="bloch")]
)
def test_states_are_moved_by_the_symmetries_that_there_are(hamiltonian):
    seen = []

    def encode(spins):
        seen.extend(spins)
        return np.zeros((len(spins), 2)), np.zeros((len(spins), 2))

    sampling = types.SimpleNamespace(largest_log_variance=20.0)
    model = types.SimpleNamespace(hamiltonian=hamiltonian, encode_quickly=encode, sampling=sampling)
    state = random_spins(*SHAPE) * (MASK if hamiltonian.mask is not None else np.ones(SHAPE))[..., None]
    training_posteriors(model, [state], 40, np.random.default_rng(0))
    np.testing.assert_allclose(hamiltonian.energy_per_site(np.stack(seen)), hamiltonian.energy_per_site(state))
    images = collections.Counter(image.tobytes() for image in seen)
    # Without translations only the four point operations of a rectangle are left.
    assert len(images) <= 4 if hamiltonian.boundary == "open" else len(images) > 20

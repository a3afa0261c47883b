import keras
import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model.evae import EVAE
from keras_evae.model.latent_inversion import inverse_mapping, reconstruct_mean
from tests.helpers.states import random_spins

SHAPE = (16, 32)


@pytest.fixture(scope="module")
def model():
    model = EVAE(lattice_shape=SHAPE, latent_dim=6, hamiltonian=Hamiltonian(), seed=3)
    # Means as large as latent vectors are: the untrained encoder gives nearly zero.
    head = next(layer for layer in model.encoder.layers if layer.output is model.encoder.outputs[0])
    head.kernel.assign(head.kernel * 30)
    return model


def targets(model, count=3, seed=0):
    return model.generate(count, seed)


def test_finds_a_state_that_the_decoder_can_make(model):
    states = targets(model)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]
    latent, losses = inverse_mapping(model, states, learning_rate=0.05, max_steps=400, tolerance=0.0)
    assert latent.shape == (3, 6) and losses.shape[1] == 3
    assert np.all(losses[-1] < 0.02 * losses[0])
    np.testing.assert_allclose(model.decode_many(latent), states, atol=0.2)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


def test_first_loss_and_independent_targets(model):
    states = targets(model)
    _, losses = inverse_mapping(model, states, max_steps=1)
    expected = np.sum((reconstruct_mean(model, states) - states) ** 2, axis=-1).mean(axis=(1, 2))
    assert losses.shape == (2, 3)
    np.testing.assert_allclose(losses[0], expected, rtol=1e-4)
    together, _ = inverse_mapping(model, states, max_steps=10, patience=100)
    alone, _ = inverse_mapping(model, states[1:2], max_steps=10, patience=100)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)


def test_stops_when_saturated(model):
    # With noise that the decoder cannot make: L_T-O falls, but not to zero.
    noisy = targets(model, 2) + 0.3 * random_spins(2, *SHAPE)
    noisy /= np.linalg.norm(noisy, axis=-1, keepdims=True)
    _, losses = inverse_mapping(model, noisy, max_steps=500, tolerance=0.05, patience=20)
    steps = len(losses) - 1
    assert 20 < steps < 500
    # The last of the losses belongs to the final vector, the one before it decided.
    assert np.all(losses[-2] > 0.95 * losses[-2 - 20])
    assert np.any(losses[-3] <= 0.95 * losses[-3 - 20])


def test_batches(model):
    latent = np.random.default_rng(0).normal(size=(13, 6))
    spins = model.decode_many(latent, batch_size=8)
    assert spins.shape == (13, *SHAPE, 3)
    np.testing.assert_allclose(spins[-5:], model.decode(latent[-5:].astype(np.float32)), atol=1e-5)
    mask = np.arange(16 * 32).reshape(16, 32) % 3 > 0
    model = EVAE(SHAPE, 6, Hamiltonian(mask=mask), seed=3)
    states = model.generate(2, seed=0)
    _, losses = inverse_mapping(model, states, max_steps=1)
    expected = np.sum((reconstruct_mean(model, states) - states)[:, mask] ** 2, axis=-1).mean(axis=1)
    np.testing.assert_allclose(losses[0], expected, rtol=1e-3)

"""The fast form equals the plain Keras layers: outputs, statistics, gradients, and training."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model import polyphase
from keras_evae.model.evae import EVAE
from keras_evae.model.networks import build_decoder, build_encoder
from tests.helpers.states import random_spins

SHAPE, LATENT = (32, 48), 10
BOUNDARIES = [(True, True), (True, False), (False, False)]
MASK = make_geometry("hexagon", 30, SHAPE).mask


def with_random_weights(build, periodic):
    """Two equal networks, with weights and statistics far from their initial symmetric values."""
    networks = [build(SHAPE, LATENT, periodic) for _ in range(2)]
    random = np.random.default_rng(0)
    weights = networks[0].get_weights()
    # Kernels stay as they are; biases, scales and statistics become different for each channel.
    weights = [w if w.ndim > 1 else w + random.uniform(0.0, 0.3, w.shape) for w in weights]
    for network in networks:
        network.set_weights(weights)
        for norm in (layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)):
            # A negative scale turns the order of numbers round, which pooling goes by.
            norm.gamma.assign(norm.gamma * np.where(np.arange(norm.gamma.shape[0]) % 3, 1.0, -1.0))
    return networks


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("periodic", "width"), [*((periodic, None) for periodic in BOUNDARIES), ((True, True), 40)])
def test_encoder_is_the_same_function(periodic, width, training):
    plain, fast = with_random_weights(functools.partial(build_encoder, dense_units=width), periodic)
    spins = tf.constant(random_spins(6, *SHAPE), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(spins)
        pairs = plain(spins, training=training), polyphase.encode(fast, spins, periodic, training)
        losses = [sum(tf.reduce_mean(tf.square(head)) for head in heads) for heads in pairs]
    assert_same(tape, losses, pairs, (plain, fast), spins)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("periodic", "mask"), [*((periodic, None) for periodic in BOUNDARIES), ((False, True), MASK)])
def test_decoder_is_the_same_function(periodic, mask, training):
    plain, fast = with_random_weights(functools.partial(build_decoder, mask=mask), periodic)
    latent = tf.constant(np.random.default_rng(1).normal(size=(6, LATENT)), tf.float32)
    energy = Hamiltonian(mask=mask).energy_per_site
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latent)
        pairs = [plain(latent, training=training)], [polyphase.decode(fast, latent, periodic, training)]
        losses = [tf.reduce_mean(energy(spins)) for (spins,) in pairs]
    assert_same(tape, losses, pairs, (plain, fast), latent)


def assert_same(tape, losses, pairs, networks, inputs):
    for expected, found in zip(*pairs, strict=True):
        # Normalisation to unit length magnifies the rounding of short vectors.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=2e-4)
    plain, fast = networks
    for expected, found in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    expected, found = (tape.gradient(loss, inputs) for loss in losses)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
    gradients = [
        tape.gradient(loss, network.trainable_variables) for loss, network in zip(losses, networks, strict=True)
    ]
    largest = max(np.abs(gradient).max() for gradient in gradients[0])
    for expected, found in zip(*gradients, strict=True):
        # A bias before a batch normalisation has no gradient in training; the plain form gives rounding noise.
        found = np.zeros_like(expected) if found is None else found
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max() + 1e-5 * largest)


def test_latent_vectors_that_are_almost_one():
    """Beyond the collapse latent vectors are long and nearly equal: the batch's variance is small beside its mean."""
    plain, fast = with_random_weights(build_decoder, (True, True))
    latent = 500.0 + 0.1 * np.random.default_rng(1).normal(size=(20, LATENT)).astype(np.float32)
    expected = plain(latent, training=True)
    # Single precision resolves differences of such latent vectors to some 1e-4 of them.
    np.testing.assert_allclose(polyphase.decode(fast, latent, (True, True), True), expected, atol=0.05)


@pytest.mark.parametrize(
    "hamiltonian",
    [Hamiltonian(boundary="open", mask=MASK), pytest.param(Hamiltonian(), marks=pytest.mark.slow)],
    ids=["masked", ""],
)
def test_training_and_checkpoints_are_the_same(tmp_path, hamiltonian):
    """After 10 optimiser steps the loss terms agree, and each form goes on from the other's weights."""
    spins = random_spins(40, *SHAPE).astype(np.float32)
    if hamiltonian.mask is not None:
        spins[:, ~hamiltonian.mask] = 0.0
    models = [EVAE(SHAPE, LATENT, hamiltonian, beta=1e-3, gamma=1.0, phases=form) for form in (False, True)]
    histories = []
    for model in models:
        # Adam divides by the size of the gradient, which turns the rounding noise of idle biases into full steps.
        model.compile(optimizer=keras.optimizers.SGD(1e-3), run_eagerly=True)
        histories.append(model.fit(spins, batch_size=20, epochs=5, verbose=0, shuffle=False).history)
    for name, expected in histories[0].items():
        np.testing.assert_allclose(histories[1][name], expected, rtol=1e-3)
    models[0].save_weights(tmp_path / "plain.weights.h5")
    models[1].load_weights(tmp_path / "plain.weights.h5")
    # Both layer by layer: what is compared here are the weights that go from one form to the other.
    latent = np.random.default_rng(0).normal(size=(3, LATENT)).astype(np.float32)
    plain, fast = (np.asarray(model.decoder(latent)) for model in models)
    np.testing.assert_allclose(fast, plain, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 12), (6, 4)])
def test_phase_kernels_equal_the_convolution_of_the_image(shape):
    random = np.random.default_rng(0)
    image = tf.constant(random.normal(size=(2, *shape, 3)), tf.float32)
    kernel = tf.constant(random.normal(size=(5, 5, 3, 4)), tf.float32)

    def wrapped(inputs, width):
        return np.pad(inputs, [(0, 0), (width, width), (width, width), (0, 0)], mode="wrap")

    expected = tf.nn.conv2d(wrapped(image, 2), kernel, 1, "VALID")
    split = tf.nn.space_to_depth(image, 2)
    found = tf.nn.conv2d(wrapped(split, 1), polyphase.phase_kernel(kernel), 1, "VALID")
    np.testing.assert_allclose(tf.nn.depth_to_space(found, 2), expected, atol=1e-4)
    large = np.repeat(np.repeat(image, 2, axis=1), 2, axis=2)
    expected = tf.nn.conv2d(wrapped(large, 2), kernel, 1, "VALID")
    found = tf.nn.conv2d(wrapped(image, 1), polyphase.upsampling_kernel(kernel), 1, "VALID")
    np.testing.assert_allclose(tf.nn.depth_to_space(found, 2), expected, atol=1e-4)

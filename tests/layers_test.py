"""Layers: periodic padding against np.pad, normalisation with finite gradients, seeded sampling."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.layers import L2Normalization, PeriodicPadding2D, Sampling, SiteMask


def rebuilt(layer):
    """The layer after a round trip through its configuration."""
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


@pytest.mark.parametrize("padding", [0, 2, (1, 3), ((2, 0), (0, 1)), ((0, 0), (2, 2))])
def test_periodic_padding_equals_numpy_wrap(padding):
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    layer = rebuilt(PeriodicPadding2D(padding))
    padded = layer(images)
    np.testing.assert_array_equal(padded, np.pad(images, [(0, 0), *layer.padding, (0, 0)], mode="wrap"))
    assert layer.compute_output_shape(images.shape) == padded.shape


def test_padding_is_periodic():
    images = np.random.default_rng(0).normal(size=(1, 8, 6, 3)).astype(np.float32)
    network = keras.Sequential([PeriodicPadding2D(2), keras.layers.Conv2D(4, 5)])
    shifted = network(np.roll(images, (3, 2), axis=(1, 2)))
    np.testing.assert_allclose(shifted, np.roll(network(images), (3, 2), axis=(1, 2)), atol=1e-5)
    with pytest.raises(ValueError, match="wider than the image.*Received"):
        PeriodicPadding2D(3)(np.zeros((1, 2, 8, 1)))
    for padding in (-1, (1, 2, 3), ((1,), (1, 1))):
        with pytest.raises(ValueError):
            PeriodicPadding2D(padding)


def test_normalization_gives_unit_vectors():
    vectors = np.random.default_rng(0).normal(size=(5, 4, 6, 3)).astype(np.float32) * 10.0 ** np.arange(-3, 2).reshape(
        5, 1, 1, 1
    )
    outputs = rebuilt(L2Normalization())(vectors)
    kept = np.linalg.norm(vectors, axis=-1) > 1e-4
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=-1)[kept], 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.cross(outputs, vectors)[kept], 0.0, atol=1e-5)


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-6, 1e-4, 1.0, 1e10])
def test_normalization_has_a_bounded_gradient(length):
    vector = tf.constant([[length, 0.0, 0.0]])
    layer = L2Normalization(epsilon=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(vector)
        outputs = layer(vector)
    jacobian = tape.jacobian(outputs, vector).numpy()
    assert np.all(np.isfinite(jacobian)) and np.abs(jacobian).max() <= 1.0001e4
    if length == 0.0:
        np.testing.assert_array_equal(outputs, 0.0)


def test_sampling():
    mean = np.full((20_000, 2), [1.0, -2.0], np.float32)
    log_variance = np.full_like(mean, [0.0, np.log(4.0)])
    samples = np.asarray(Sampling(seed=3)((mean, log_variance)))
    np.testing.assert_allclose((samples.mean(axis=0) - [1.0, -2.0]) / [1.0, 2.0], 0.0, atol=4 / np.sqrt(20_000))
    np.testing.assert_allclose(samples.std(axis=0), [1.0, 2.0], rtol=4 / np.sqrt(2 * 20_000))
    inputs = (np.zeros((4, 3), np.float32), np.full((4, 3), 300.0, np.float32))
    assert np.isfinite(Sampling(seed=0)(inputs)).all()
    inputs = (np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32))
    first, second = Sampling(seed=1), rebuilt(Sampling(seed=1))
    draws = [np.asarray(first(inputs)) for _ in range(2)]
    np.testing.assert_array_equal(draws[0], second(inputs))
    assert np.abs(draws[0] - draws[1]).min() > 0
    assert np.abs(draws[0] - np.asarray(Sampling(seed=2)(inputs))).min() > 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_site_mask_lets_nothing_through_outside(dtype):
    mask = np.random.default_rng(0).random((4, 6)) < 0.5
    images = np.random.default_rng(1).normal(size=(2, 4, 6, 3)).astype(dtype)
    layer = rebuilt(SiteMask(mask, dtype=dtype))
    with tf.GradientTape() as tape:
        inputs = tf.constant(images)
        tape.watch(inputs)
        outputs = layer(inputs)
    assert outputs.dtype == dtype and layer.compute_output_shape(images.shape) == outputs.shape
    np.testing.assert_array_equal(outputs, images * mask[..., None])
    np.testing.assert_array_equal(tape.gradient(outputs, inputs), np.ones_like(images) * mask[..., None])

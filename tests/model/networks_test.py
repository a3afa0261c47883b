"""Parameter counts and symmetries of encoder and decoder."""

import keras
import numpy as np

from keras_evae.geometry import make_geometry
from keras_evae.model.networks import build_decoder, build_encoder


def test_parameters_and_lattices():
    assert build_encoder((128, 128), 100).count_params() == 11_167_220
    assert build_decoder((128, 128), 100).count_params() == 1_680_687
    # By default that of the flattened features, 2 x 3 x 48 here, whose square fills the memory on large lattices.
    for given, width in ((None, 288), (40, 40)):
        encoder = build_encoder((32, 48), 10, dense_units=given)
        wide, narrow, *_ = (layer for layer in encoder.layers if isinstance(layer, keras.layers.Dense))
        assert (wide.kernel.shape, narrow.kernel.shape) == ((288, width), (width, 512))
    encoder, decoder = build_encoder((32, 48), 10), build_decoder((32, 48), 10)
    mean, log_variance = encoder(np.zeros((2, 32, 48, 3)))
    assert mean.shape == log_variance.shape == (2, 10)
    spins = decoder(np.random.default_rng(0).normal(size=(2, 10)))
    assert spins.shape == (2, 32, 48, 3)
    np.testing.assert_allclose(np.linalg.norm(spins, axis=-1), 1.0, rtol=1e-5)
    layers = [*encoder.layers, *decoder.layers]
    assert {layer.negative_slope for layer in layers if isinstance(layer, keras.layers.LeakyReLU)} == {0.3}
    # Over ten batches: no other tests know how long the statistics remember.
    assert {layer.momentum for layer in layers if isinstance(layer, keras.layers.BatchNormalization)} == {0.9}


def interior_of_first_block(periodic, shift):
    """Features of the first convolution of a state and of the same state shifted along x."""
    encoder = build_encoder((32, 32), 5, periodic)
    block = keras.Model(encoder.input, next(layer for layer in encoder.layers if "conv" in layer.name).output)
    spins = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    features, shifted = (np.asarray(block(inputs)) for inputs in (spins, np.roll(spins, shift, axis=2)))
    return np.roll(features, shift, axis=2), shifted


def test_padding_follows_the_boundary():
    expected, shifted = interior_of_first_block((True, True), 5)
    np.testing.assert_allclose(shifted, expected, atol=1e-5)
    expected, shifted = interior_of_first_block((True, False), 5)
    assert np.abs(shifted - expected).max() > 1e-2
    assert shifted.shape == expected.shape


def test_masked_decoder_gives_unit_spins_inside_and_none_outside():
    geometry = make_geometry("triangle", 40)
    whole = build_decoder(geometry.lattice_shape, 5, (False, False))
    masked = build_decoder(geometry.lattice_shape, 5, (False, False), mask=geometry.mask)
    latent = np.random.default_rng(0).normal(size=(2, 5))
    # The mask has no weights: the checkpoint of one is that of the other.
    masked.set_weights(whole.get_weights())
    spins = np.asarray(masked(latent))
    np.testing.assert_array_equal(spins[:, ~geometry.mask], 0.0)
    np.testing.assert_array_equal(spins[:, geometry.mask], np.asarray(whole(latent))[:, geometry.mask])

"""Encoder and decoder of the E-VAE (Figure 1 and Experimental Section of the paper)."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_evae.lattice import LATTICE_MULTIPLE, check_lattice_shape
from keras_evae.layers import L2Normalization, PeriodicPadding2D, SiteMask

ENCODER_FILTERS = (6, 12, 24, 48)
DECODER_FILTERS = (24, 12, 6, 3)
KERNEL_SIZE = 5
DENSE_UNITS = 512
NEGATIVE_SLOPE = 0.3
# Moving averages over about ten batches: with Keras' 0.99 they lag behind the weights of a short stage, and the model
# is worse in inference mode than in training (docs/reproduction.md).
MOMENTUM = 0.9
# Whatever the precision of the other layers: what the losses are computed from.
OUTPUT_TYPE = "float32"


def build_encoder(
    lattice_shape: tuple[int, int],
    latent_dim: int,
    periodic: tuple[bool, bool] = (True, True),
    seed: int = 0,
    synchronized: bool = False,
    dense_units: int | None = None,
) -> keras.Model:
    """Network from spins `(batch, y, x, 3)` to the mean and the log-variance, each `(batch, latent_dim)`.

    Four blocks of 5x5 convolution, batch normalisation, leaky ReLU and 2x2 max-pooling, then two dense
    layers. The first dense layer is as wide as the flattened features (3072 at 128 x 128) unless its width is given.

    Args:
        lattice_shape: `(y, x)`, each a multiple of 16.
        periodic: Whether the y and the x axis close on themselves; an open axis is padded with zeros.
        synchronized: Normalise with the statistics of the batch over all replicas of a `tf.distribute` strategy.
        dense_units: Width of the first dense layer.
    """
    check_lattice_shape(lattice_shape)
    initializers = _initializers(seed)
    spins = features = keras.Input((*lattice_shape, 3), name="spins")
    for filters in ENCODER_FILTERS:
        features = _convolution(features, filters, periodic, next(initializers))
        features = layers.MaxPooling2D(2)(_activation(features, synchronized))
    features = layers.Flatten()(features)
    wide = layers.Dense(dense_units or features.shape[-1], kernel_initializer=next(initializers))
    narrow = layers.Dense(DENSE_UNITS, kernel_initializer=next(initializers))
    features = narrow(_activation(wide(features), synchronized))
    posterior = [
        layers.Dense(latent_dim, kernel_initializer=next(initializers), name=name, dtype=OUTPUT_TYPE)(features)
        for name in ("mean", "log_variance")
    ]
    return keras.Model(spins, tuple(posterior), name="encoder")


def build_decoder(
    lattice_shape: tuple[int, int],
    latent_dim: int,
    periodic: tuple[bool, bool] = (True, True),
    seed: int = 0,
    synchronized: bool = False,
    mask: np.ndarray | None = None,
) -> keras.Model:
    """Network from latent vectors `(batch, latent_dim)` to unit spins `(batch, y, x, 3)`.

    Two dense layers, four blocks of nearest-neighbour upsampling, 5x5 convolution, batch normalisation and
    leaky ReLU, one more linear 5x5 convolution, and the L2 normalisation that makes spins of its output.
    Arguments as in `build_encoder`, and the sites that carry a spin, `mask`, if not all do: the vectors on other sites
    are zero.
    """
    check_lattice_shape(lattice_shape)
    initializers = _initializers(seed)
    coarse = (lattice_shape[0] // LATTICE_MULTIPLE, lattice_shape[1] // LATTICE_MULTIPLE, ENCODER_FILTERS[-1])
    latent = features = keras.Input((latent_dim,), name="latent")
    for units in (DENSE_UNITS, math.prod(coarse)):
        features = _activation(layers.Dense(units, kernel_initializer=next(initializers))(features), synchronized)
    features = layers.Reshape(coarse)(features)
    for filters in DECODER_FILTERS:
        features = layers.UpSampling2D(2)(features)
        features = _activation(_convolution(features, filters, periodic, next(initializers)), synchronized)
    features = _convolution(features, 3, periodic, next(initializers), OUTPUT_TYPE)
    spins = L2Normalization(name="spins", dtype=OUTPUT_TYPE)(features)
    if mask is not None:
        spins = SiteMask(mask, dtype=OUTPUT_TYPE)(spins)
    return keras.Model(latent, spins, name="decoder")


def _convolution(
    features: Any, filters: int, periodic: tuple[bool, bool], initializer: Any, dtype: str | None = None
) -> Any:
    reach = KERNEL_SIZE // 2
    wrapped = [reach if closed else 0 for closed in periodic]
    features = PeriodicPadding2D(wrapped)(features)
    if not all(periodic):
        features = layers.ZeroPadding2D([reach - width for width in wrapped])(features)
    return layers.Conv2D(filters, KERNEL_SIZE, kernel_initializer=initializer, dtype=dtype)(features)


def _activation(features: Any, synchronized: bool) -> Any:
    features = layers.BatchNormalization(momentum=MOMENTUM, synchronized=synchronized)(features)
    return layers.LeakyReLU(NEGATIVE_SLOPE)(features)


def _initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
    """Keras' default initialiser for each layer in turn, with a seed of its own."""
    for state in np.random.SeedSequence(seed).generate_state(16):
        yield keras.initializers.GlorotUniform(seed=int(state))

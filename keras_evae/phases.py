"""The same encoder and decoder, computed faster on a CPU: convolutions at half resolution.

A 5x5 convolution with few channels leaves most of a vector unit idle. The four phases of an image (its pixels with
even or odd row and column) side by side in the channels, at half the resolution, turn it into a 3x3 convolution with
four times the channels; upsampling followed by a 5x5 convolution becomes a 3x3 convolution of the image before
upsampling. Pooling is the maximum over phases, and commutes with the leaky ReLU. Batch normalisation removes the
bias of the convolution before it, so the bias enters only the moving mean.

The functions read the layers of the plain Keras models and own no variables: weights and files are the same,
and tests hold outputs, gradients and training equal. The readable form is `keras_evae.networks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_evae.networks import NEGATIVE_SLOPE

# Encoder blocks with at most this many input channels gain from phases.
PHASE_CHANNELS = 6


def encode(encoder: keras.Model, spins: tf.Tensor, periodic: tuple[bool, bool], training: bool) -> list[tf.Tensor]:
    """Mean and log-variance, as `encoder(spins, training=training)` gives them.

    Args:
        encoder: Made by `keras_evae.networks.build_encoder`.
        spins: `(batch, y, x, 3)`.
        periodic: Whether the y and the x axis close on themselves.
        training: Normalise with the statistics of the batch, and update the moving ones.
    """
    features = tf.convert_to_tensor(spins)
    norms = _layers(encoder, keras.layers.BatchNormalization)
    for convolution in _layers(encoder, keras.layers.Conv2D):
        block = _phase_block if features.shape[-1] <= PHASE_CHANNELS else _plain_block
        features = block(features, convolution, next(norms), periodic, training)
    wide, narrow, mean, log_variance = _layers(encoder, keras.layers.Dense)
    features = tf.reshape(features, (-1, wide.kernel.shape[0]))
    features = _leaky_relu(_dense_norm(features, wide, next(norms), training))
    features = narrow(features)
    return [mean(features), log_variance(features)]


def decode(decoder: keras.Model, latent: tf.Tensor, periodic: tuple[bool, bool], training: bool) -> tf.Tensor:
    """Unit spins, as `decoder(latent, training=training)` gives them; arguments as in `encode`."""
    features = tf.convert_to_tensor(latent)
    norms = _layers(decoder, keras.layers.BatchNormalization)
    for dense in _layers(decoder, keras.layers.Dense):
        features = _leaky_relu(_dense_norm(features, dense, next(norms), training))
    *convolutions, last = _layers(decoder, keras.layers.Conv2D)
    features = next(_layers(decoder, keras.layers.Reshape))(features)
    for index, convolution in enumerate(convolutions):
        # From the second block on, the features are the four phases of an image.
        image = tf.nn.depth_to_space(features, 2) if index else features
        phases = _convolve(_pad(image, 1, periodic), upsampling_kernel(convolution.kernel))
        features = _leaky_relu(_phase_norm(phases, next(norms), convolution.bias, training))
    phases = _convolve(_pad(features, 1, periodic), phase_kernel(last.kernel)) + tf.tile(last.bias, [4])
    return decoder.layers[-1](tf.nn.depth_to_space(phases, 2))


def phase_kernel(kernel: Any) -> tf.Tensor:
    """Kernel `(3, 3, 4 i, 4 o)` between phases that equals a kernel `(5, 5, i, o)` between images."""
    blocks = tf.einsum("ucat,vdbs,tsio->uvcdiabo", PHASE_TAPS, PHASE_TAPS, kernel)
    return tf.reshape(blocks, (3, 3, 4 * kernel.shape[2], 4 * kernel.shape[3]))


def upsampling_kernel(kernel: Any) -> tf.Tensor:
    """Kernel `(3, 3, i, 4 o)` from an image to phases that equals upsampling by two and a kernel `(5, 5, i, o)`."""
    blocks = tf.einsum("uat,vbs,tsio->uviabo", UPSAMPLING_TAPS, UPSAMPLING_TAPS, kernel)
    return tf.reshape(blocks, (3, 3, kernel.shape[2], 4 * kernel.shape[3]))


def _phase_taps() -> np.ndarray:
    """1 where tap t of output phase a falls on phase c of the half-resolution neighbour u, `(u, c, a, t)`."""
    taps = np.zeros((3, 2, 2, 5), np.float32)
    for a in range(2):
        for t in range(5):
            taps[(a + t) // 2, (a + t) % 2, a, t] = 1.0
    return taps


PHASE_TAPS = _phase_taps()
# Both phases of an upsampled pixel are the pixel itself.
UPSAMPLING_TAPS = PHASE_TAPS.sum(axis=1)


def _phase_block(features: tf.Tensor, convolution: Any, norm: Any, periodic: Any, training: bool) -> tf.Tensor:
    phases = _pad(tf.nn.space_to_depth(features, 2), 1, periodic)
    phases = _phase_norm(_convolve(phases, phase_kernel(convolution.kernel)), norm, convolution.bias, training)
    _, height, width, channels = phases.shape
    row_of_phases = tf.reshape(phases, (-1, height, 4 * width, channels // 4))
    return _leaky_relu(tf.nn.max_pool2d(row_of_phases, (1, 4), (1, 4), "VALID"))


def _plain_block(features: tf.Tensor, convolution: Any, norm: Any, periodic: Any, training: bool) -> tf.Tensor:
    features = _convolve(_pad(features, 2, periodic), convolution.kernel)
    return _leaky_relu(tf.nn.max_pool2d(_norm(features, norm, convolution.bias, training), 2, 2, "VALID"))


def _dense_norm(features: tf.Tensor, dense: Any, norm: Any, training: bool) -> tf.Tensor:
    features = tf.matmul(features, dense.kernel)
    return _norm(features[:, None, None, :], norm, dense.bias, training)[:, 0, 0, :]


def _phase_norm(phases: tf.Tensor, norm: Any, bias: Any, training: bool) -> tf.Tensor:
    """Batch normalisation of an image given as phases: the four lie next to each other in memory."""
    _, height, width, channels = phases.shape
    image = tf.reshape(phases, (-1, height, 4 * width, channels // 4))
    return tf.reshape(_norm(image, norm, bias, training), (-1, height, width, channels))


def _norm(features: tf.Tensor, norm: Any, bias: Any, training: bool) -> tf.Tensor:
    """`norm(features + bias)` for features `(n, y, x, channels)`, in one fused operation."""
    if not training:
        return tf.nn.batch_normalization(
            features, norm.moving_mean - bias, norm.moving_variance, norm.beta, norm.gamma, norm.epsilon
        )
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        features, norm.gamma.value, norm.beta.value, epsilon=norm.epsilon, is_training=True
    )
    count = tf.cast(tf.size(features) // features.shape[-1], tf.float32)
    # The fused operation reports the unbiased variance; Keras averages the variance of the batch itself.
    _move(norm.moving_mean, mean + bias, norm.momentum)
    _move(norm.moving_variance, variance * (count - 1.0) / count, norm.momentum)
    return outputs


def _move(average: Any, value: tf.Tensor, momentum: float) -> None:
    average.assign(average * momentum + tf.stop_gradient(value) * (1.0 - momentum))


def _convolve(features: tf.Tensor, kernel: Any) -> tf.Tensor:
    return tf.nn.conv2d(features, tf.convert_to_tensor(kernel), 1, "VALID")


def _leaky_relu(features: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(features, NEGATIVE_SLOPE)


def _pad(features: tf.Tensor, width: int, periodic: tuple[bool, bool]) -> tf.Tensor:
    for axis, closed in enumerate(periodic, start=1):
        if closed:
            side = features.shape[axis]
            first, last = ([slice(None)] * axis + [part] for part in (slice(width), slice(side - width, side)))
            features = tf.concat([features[tuple(last)], features, features[tuple(first)]], axis)
        else:
            features = tf.pad(features, [[width * (axis == number)] * 2 for number in range(4)])
    return features


def _layers(model: keras.Model, kind: type) -> Iterator[Any]:
    return (layer for layer in model.layers if isinstance(layer, kind))

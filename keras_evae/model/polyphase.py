"""The same encoder and decoder, computed faster on a CPU: convolutions at half resolution.

A 5x5 convolution with few channels leaves most of a vector unit idle. The four phases of an image (its pixels with
even or odd row and column) side by side in the channels, at half the resolution, turn it into a 3x3 convolution with
four times the channels; upsampling followed by a 5x5 convolution becomes a 3x3 convolution of the image before
upsampling. What passes over the data is kept few: the adjoint of a convolution on a closed lattice is such a
convolution again; sums over the lattice are products of matrices; the maximum of pooling is taken before the batch
normalisation and the leaky ReLU, which do not change the order of numbers. Batch normalisation removes the bias of
the layer before it, so the bias enters only the moving mean.

The functions read the layers of the plain Keras models and own no variables: weights and files are the same,
and tests hold outputs, gradients and training equal. The readable form is `keras_evae.model.networks`.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_evae.model.devices import sees_gpu
from keras_evae.model.networks import NEGATIVE_SLOPE

# Encoder blocks with at most this many input channels gain from phases.
PHASE_CHANNELS = 6


def encode(encoder: keras.Model, spins: tf.Tensor, periodic: tuple[bool, bool], training: bool) -> list[tf.Tensor]:
    """Mean and log-variance, as `encoder(spins, training=training)` gives them.

    Args:
        encoder: Made by `keras_evae.model.networks.build_encoder`.
        spins: `(batch, y, x, 3)`.
        periodic: Whether the y and the x axis close on themselves.
        training: Normalise with the statistics of the batch, and update the moving ones.
    """
    features = tf.convert_to_tensor(spins)
    norms = _layers(encoder, keras.layers.BatchNormalization)
    for convolution in _layers(encoder, keras.layers.Conv2D):
        features = _convolution_block(features, convolution, next(norms), periodic, training)
    wide, narrow, mean, log_variance = _layers(encoder, keras.layers.Dense)
    features = tf.reshape(features, (-1, wide.kernel.shape[0]))
    features = _dense_block(features, wide, next(norms), training)
    features = narrow(features)
    return [mean(features), log_variance(features)]


def decode(decoder: keras.Model, latent: tf.Tensor, periodic: tuple[bool, bool], training: bool) -> tf.Tensor:
    """Unit spins, as `decoder(latent, training=training)` gives them; arguments as in `encode`."""
    features = tf.convert_to_tensor(latent)
    norms = _layers(decoder, keras.layers.BatchNormalization)
    for dense in _layers(decoder, keras.layers.Dense):
        features = _dense_block(features, dense, next(norms), training)
    *convolutions, last = _layers(decoder, keras.layers.Conv2D)
    features = next(_layers(decoder, keras.layers.Reshape))(features)
    for index, convolution in enumerate(convolutions):
        # From the second block on, the features are the four phases of an image.
        image = tf.nn.depth_to_space(features, 2) if index else features
        features = _convolve(image, upsampling_kernel(convolution.kernel), periodic)
        normalization = _normalization(features, next(norms), convolution.bias, training)
        features = _leaky_relu(_scale_and_shift(features, *normalization))
    phases = _convolve(features, phase_kernel(last.kernel), periodic) + tf.tile(last.bias, [4])
    spins = tf.nn.depth_to_space(phases, 2)
    # The normalisation, and the mask if there is one.
    for layer in decoder.layers[decoder.layers.index(last) + 1 :]:
        spins = layer(spins)
    return spins


def phase_kernel(kernel: Any) -> tf.Tensor:
    """Kernel `(3, 3, 4 i, 4 o)` between phases that equals a kernel `(5, 5, i, o)` between images."""
    _, _, i, o = kernel.shape
    blocks = tf.reshape(PHASE_TAPS @ tf.reshape(kernel, (25, i * o)), (3, 3, 4, 4, i, o))
    return tf.reshape(tf.transpose(blocks, (0, 1, 2, 4, 3, 5)), (3, 3, 4 * i, 4 * o))


def upsampling_kernel(kernel: Any) -> tf.Tensor:
    """Kernel `(3, 3, i, 4 o)` from an image to phases that equals upsampling by two and a kernel `(5, 5, i, o)`."""
    _, _, i, o = kernel.shape
    blocks = tf.reshape(UPSAMPLING_TAPS @ tf.reshape(kernel, (25, i * o)), (3, 3, 4, i, o))
    return tf.reshape(tf.transpose(blocks, (0, 1, 3, 2, 4)), (3, 3, i, 4 * o))


def _phase_taps() -> np.ndarray:
    """1 where tap t of output phase a falls on phase c of the half-resolution neighbour u, `(u, c, a, t)`."""
    taps = np.zeros((3, 2, 2, 5), np.float32)
    for a in range(2):
        for t in range(5):
            taps[(a + t) // 2, (a + t) % 2, a, t] = 1.0
    return taps


def _both_axes(taps: str, along_one_axis: np.ndarray) -> np.ndarray:
    return np.einsum(taps, along_one_axis, along_one_axis).reshape(-1, 25)


# Matrices from the 25 taps of a kernel to (neighbour y, x; phase in; phase out), and to (neighbour y, x; phase out).
PHASE_TAPS = _both_axes("ucat,vdbs->uvcdabts", _phase_taps())
# Both phases of an upsampled pixel are the pixel itself.
UPSAMPLING_TAPS = _both_axes("uat,vbs->uvabts", _phase_taps().sum(axis=1))


def _convolution_block(features: tf.Tensor, convolution: Any, norm: Any, periodic: Any, training: bool) -> tf.Tensor:
    sign = _sign(norm)
    kernel = convolution.kernel * sign
    if features.shape[-1] <= PHASE_CHANNELS:
        features = _convolve(tf.nn.space_to_depth(features, 2), phase_kernel(kernel), periodic)
        _, height, width, channels = features.shape
        # The phases lie next to each other in memory: pooling over them is pooling along a row.
        row_of_phases = tf.reshape(features, (-1, height, 4 * width, channels // 4))
        pooled = tf.nn.max_pool2d(row_of_phases, (1, 4), (1, 4), "VALID")
    else:
        features = _convolve(features, kernel, periodic)
        pooled = tf.nn.max_pool2d(features, 2, 2, "VALID")
    normalization = _normalization(features, norm, convolution.bias, training, sign)
    return _leaky_relu(_scale_and_shift(pooled, *normalization))


def _dense_block(features: tf.Tensor, dense: Any, norm: Any, training: bool) -> tf.Tensor:
    features = tf.matmul(features, dense.kernel)
    return _leaky_relu(_scale_and_shift(features, *_normalization(features, norm, dense.bias, training)))


def _sign(norm: Any) -> tf.Tensor:
    """-1 for channels whose scale is negative: with their kernels reversed, the maximum stays the maximum."""
    return tf.where(norm.gamma.value < 0.0, -1.0, 1.0)


def _normalization(
    features: tf.Tensor, norm: Any, bias: Any, training: bool, sign: Any = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and shift, each `(channels,)`, that make `norm(features + bias)` of features times `sign`.

    Args:
        features: `(..., channels)`, or `(..., phases * channels)`: phases have their statistics in common.
        training: Take the statistics of the features, and update the moving ones, unless the layer is frozen.
        sign: The factor of each channel by which the features differ from the layer's output.
    """
    if training and norm.trainable:
        # A collapsed decoder has dense features whose means are far larger than their deviations over the batch: there
        # the difference of two sums would lose every digit.
        dense = features.shape.rank == 2
        mean, variance = tf.nn.moments(features, [0]) if dense else _moments(features, bias.shape[0])
        _move(norm.moving_mean, mean * sign + bias, norm.momentum)
        _move(norm.moving_variance, variance, norm.momentum)
    else:
        mean, variance = (norm.moving_mean - bias) * sign, norm.moving_variance
    scale = norm.gamma * sign * tf.math.rsqrt(variance + norm.epsilon)
    return scale, norm.beta - mean * scale


def _moments(features: tf.Tensor, channels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel over everything else."""

    @tf.custom_gradient
    def moments(features: tf.Tensor) -> Any:
        count = tf.cast(tf.size(features) // channels, tf.float32)
        mean = _sums(features, channels) / count
        variance = tf.maximum(_sums(tf.square(features), channels) / count - tf.square(mean), 0.0)

        def gradient(mean_upstream: tf.Tensor, variance_upstream: tf.Tensor) -> tf.Tensor:
            slope = 2.0 * variance_upstream / count
            offset = mean_upstream / count - mean * slope
            return _by_channel(tf.add, _by_channel(tf.multiply, features, slope), offset)

        return (mean, variance), gradient

    return moments(features)


@tf.custom_gradient
def _scale_and_shift(features: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> Any:
    """`features * scale + shift`, with a factor and a summand for each channel."""
    channels = scale.shape[0]

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        scaled = _by_channel(tf.multiply, upstream, scale)
        return scaled, _sums(upstream * features, channels), _sums(upstream, channels)

    return _by_channel(tf.add, _by_channel(tf.multiply, features, scale), shift), gradient


def _sums(features: tf.Tensor, channels: int) -> tf.Tensor:
    """Sum of each channel over everything else: on a CPU the product with a row of ones is the fastest way to it."""
    rows = _rows(features)
    # A GPU may round the factors of a product to ten bits (TF32): variances far below the squared mean would be lost.
    sums = tf.reduce_sum(rows, axis=0) if sees_gpu() else tf.matmul(tf.ones((1, tf.shape(rows)[0])), rows)
    return tf.reduce_sum(tf.reshape(sums, (-1, channels)), axis=0)


def _by_channel(operation: Any, features: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """An elementwise operation of features with one value for each channel."""
    rows = _rows(features)
    repeated = tf.tile(values, [rows.shape[-1] // values.shape[0]])
    return tf.reshape(operation(rows, repeated), tf.shape(features))


def _rows(features: tf.Tensor) -> tf.Tensor:
    """Features as a matrix with as long rows as the memory allows: short ones leave vector units idle."""
    return tf.reshape(features, (-1, features.shape[-1] * (features.shape[-2] if features.shape.rank > 2 else 1)))


def _move(average: Any, value: tf.Tensor, momentum: float) -> None:
    average.assign(average * momentum + tf.stop_gradient(value) * (1.0 - momentum))


def _convolve(features: tf.Tensor, kernel: Any, periodic: tuple[bool, bool]) -> tf.Tensor:
    """Convolution that keeps the size, and whose adjoint is the convolution with the reversed kernel."""
    reach = kernel.shape[0] // 2

    @tf.custom_gradient
    def convolve(features: tf.Tensor, kernel: tf.Tensor) -> Any:
        padded = _pad(features, reach, periodic)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            reversed_kernel = tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
            adjoint = tf.nn.conv2d(_pad(upstream, reach, periodic), reversed_kernel, 1, "VALID")
            sides = (1, 1, 1, 1)
            return adjoint, tf.raw_ops.Conv2DBackpropFilter(
                input=padded, filter_sizes=kernel.shape, out_backprop=upstream, strides=sides, padding="VALID"
            )

        return tf.nn.conv2d(padded, kernel, 1, "VALID"), gradient

    return convolve(features, tf.convert_to_tensor(kernel))


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

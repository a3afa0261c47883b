"""Keras layers of the E-VAE: periodic padding, L2 normalisation, masks and the sampling of latent vectors."""

from typing import Any

from keras_evae.machine import prepare_tensorflow

prepare_tensorflow()

import keras
import numpy as np
from keras import ops

from keras_evae.lattice import decode_mask, encode_mask

# Beyond the collapse in gamma one optimiser step can throw a log-variance past 88, where its exponential overflows
# and one NaN ends the run. Up to this bound nothing is changed.
LARGEST_LOG_VARIANCE = 20.0


@keras.saving.register_keras_serializable(package="keras_evae")
class PeriodicPadding2D(keras.layers.Layer):
    """Pads each image with its own opposite edges.

    A convolution without padding after this layer sees the lattice as the periodic simulation box
    does (Experimental Section of the paper).

    Args:
        padding: Int, or pair of two ints, or pair of two pairs of ints.
            - If int: the same padding is applied on all four sides.
            - If pair of two ints: `(height_padding, width_padding)`.
            - If pair of two pairs: `((top, bottom), (left, right))`.

    Input shape:
        4D tensor `(batch, height, width, channels)`.

    Output shape:
        4D tensor `(batch, top + height + bottom, left + width + right, channels)`.

    Example:

    >>> lattice = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> PeriodicPadding2D(padding=(0, 1))(lattice)[0, 0, :, 0].numpy()
    array([3., 0., 1., 2., 3., 0.], dtype=float32)
    """

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _normalize_padding(padding)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for (before, after), side in zip(self.padding, input_shape[1:3], strict=True):
            if side is not None and max(before, after) > side:
                raise ValueError(
                    f"Periodic padding cannot be wider than the image. "
                    f"Received: padding={self.padding} for input_shape={input_shape}"
                )

    def call(self, inputs: Any) -> Any:
        # `keras.ops.pad(mode="wrap")` raises on TensorFlow; slices of both ends are as fast.
        outputs = inputs
        for axis, (before, after) in enumerate(self.padding, start=1):
            side = outputs.shape[axis]
            parts = [_take(outputs, axis, side - before, side), outputs, _take(outputs, axis, 0, after)]
            kept = [part for part, width in zip(parts, (before, side, after), strict=True) if width]
            outputs = ops.concatenate(kept, axis=axis) if len(kept) > 1 else outputs
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        padded = [
            None if side is None else side + before + after
            for side, (before, after) in zip(sides, self.padding, strict=True)
        ]
        return (batch, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="keras_evae")
class L2Normalization(keras.layers.Layer):
    """Scales the vectors along the last axis to unit length, with a finite gradient everywhere.

    `outputs = inputs / max(|inputs|, epsilon)`: exact unit vectors for every input longer than
    `epsilon`, and below it a linear map whose gradient is bounded by `1 / epsilon`. A zero vector, which
    stands for a missing site, stays zero. (`keras.layers.UnitNormalization` has a gradient of 1e12 there.)

    Args:
        epsilon: Length below which vectors are no longer stretched to unit length.

    Input shape:
        Any; the components of a vector are along the last axis.

    Output shape:
        Same as the input.

    Example:

    >>> L2Normalization()(np.array([[3.0, 0.0, 4.0]])).numpy()
    array([[0.6, 0. , 0.8]], dtype=float32)
    """

    def __init__(self, epsilon: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon}")
        self.epsilon = epsilon

    def call(self, inputs: Any) -> Any:
        square = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(ops.maximum(square, self.epsilon**2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_evae")
class SiteMask(keras.layers.Layer):
    """Makes zero vectors of the spins on absent sites.

    Args:
        mask: Sites that carry a spin, Boolean `(y, x)`, or its text (`keras_evae.lattice`).

    Input shape:
        4D tensor `(batch, y, x, channels)`.

    Output shape:
        Same as the input.

    Example:

    >>> SiteMask(np.array([[True, False]]))(np.ones((1, 1, 2, 3)))[0, 0].numpy()
    array([[1., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    """

    def __init__(self, mask: np.ndarray | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask = decode_mask(mask) if isinstance(mask, str) else mask
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        return inputs * ops.cast(self.mask[..., None], inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask": encode_mask(self.mask)}


@keras.saving.register_keras_serializable(package="keras_evae")
class Sampling(keras.layers.Layer):
    """Draws latent vectors z = mean + exp(log_variance / 2) * noise, noise from a standard normal.

    Log-variances above the largest one count as that, so that no latent vector overflows.

    The noise comes from a seed generator that belongs to the layer, so that equal seeds give equal
    training runs and the generator's position is saved with the weights.

    Args:
        seed: Integer seed of the noise.
        largest_log_variance: Bound of the log-variances.

    Input shape:
        Pair of tensors `(batch, latent_dim)`: mean and log-variance. With the argument `share`, those of one replica:
        it then gets its rows of the noise that one device would draw for the whole batch.

    Output shape:
        `(batch, latent_dim)`.
    """

    def __init__(
        self, seed: int | None = None, largest_log_variance: float = LARGEST_LOG_VARIANCE, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.largest_log_variance = largest_log_variance
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: tuple[Any, Any], share: Any = None) -> Any:
        mean, log_variance = inputs
        shape = ops.shape(mean) if share is None else (share.batch_size, mean.shape[-1])
        noise = keras.random.normal(shape, dtype=mean.dtype, seed=self.seed_generator)
        if share is not None:
            noise = noise[share.rows]
        return mean + ops.exp(0.5 * ops.minimum(log_variance, self.largest_log_variance)) * noise

    def compute_output_shape(self, input_shape: tuple[tuple[int | None, ...], ...]) -> tuple[int | None, ...]:
        return input_shape[0]

    def save_own_variables(self, store: Any) -> None:
        # Keras leaves the state of seed generators out of weight files.
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state.numpy()

    def load_own_variables(self, store: Any) -> None:
        self.seed_generator.state.assign(store["seed_state"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed, "largest_log_variance": self.largest_log_variance}


def _normalize_padding(padding: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = (padding, padding) if isinstance(padding, int) else padding
    pairs = tuple((side, side) if isinstance(side, int) else tuple(side) for side in (height, width))
    if any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ValueError(
            "`padding` must be a non-negative int, a pair of ints, or a pair of pairs of ints. "
            f"Received: padding={padding}"
        )
    return pairs  # type: ignore[return-value]


def _take(inputs: Any, axis: int, start: int, stop: int) -> Any:
    return inputs[:, start:stop] if axis == 1 else inputs[:, :, start:stop]

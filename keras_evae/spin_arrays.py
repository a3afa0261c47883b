"""Spins as arrays and as tensors: precision, shape and length checked; NumPy or TensorFlow chosen; random ones."""

import math
from typing import Any

import numpy as np

# How far the length of a spin may be from 1.
UNIT = 1e-3


def as_spins(spins: Any) -> Any:
    """Arrays in single or double precision as they are, halves as float32, which can hold an energy, others float64."""
    if not hasattr(spins, "shape"):
        spins = np.asarray(spins)
    if len(spins.shape) < 3 or spins.shape[-1] != 3:
        raise ValueError(f"Spins must have the shape (..., y, x, 3). Received: shape={tuple(spins.shape)}")
    if isinstance(spins, np.ndarray):
        single = spins.dtype.kind == "f" and spins.dtype.itemsize < 8
        return np.asarray(spins, np.float32 if single else np.float64)
    name = getattr(spins.dtype, "name", spins.dtype)
    return spins if name in ("float32", "float64") else namespace(spins).cast(spins, "float32")


def check_lengths(states: np.ndarray, first: int = 0) -> None:
    """Raises `ValueError` unless all vectors of `(n, y, x, 3)` are unit or zero vectors within 1e-3, or NaN.

    `first` is the number of the first state, for the message.
    """
    squares = np.square(states).reshape(-1, 3) @ np.ones(3, states.dtype)
    if squares.min(initial=1.0) >= 1 - 2 * UNIT and squares.max(initial=1.0) <= 1 + 2 * UNIT:
        return
    wrong = np.where(squares < UNIT**2, 0.0, np.nan_to_num(np.abs(squares - 1.0)))
    state, y, x = np.unravel_index(wrong.argmax(), states.shape[:-1])
    if wrong.max() > 2 * UNIT:
        raise ValueError(
            f"Expected unit vectors, or zero vectors where there is no spin; divide the spins by their lengths. "
            f"Received: length {math.sqrt(squares[wrong.argmax()]):g} at (y, x) = ({y}, {x}) of state {first + state}"
        )


def namespace(values: Any) -> Any:
    """NumPy for arrays; TensorFlow for tensors, imported only when one is at hand: the import takes seconds."""
    if isinstance(values, np.ndarray):
        return np
    import tensorflow

    return tensorflow


def as_type_of(values: Any, like: Any) -> Any:
    """Values in the precision of an array or tensor, and as one of its kind."""
    if isinstance(like, np.ndarray):
        return np.asarray(values, like.dtype)
    tensorflow = namespace(like)
    if isinstance(values, tensorflow.Tensor):
        return tensorflow.cast(values, like.dtype)
    return tensorflow.constant(np.asarray(values, like.dtype.as_numpy_dtype))


def sum_over(values: Any, axes: Any, keep: bool = False) -> Any:
    """Sum of an array or a tensor over some axes, which stay with length 1 if they are to be kept."""
    if isinstance(values, np.ndarray):
        return np.sum(values, axis=axes, keepdims=keep)
    return namespace(values).reduce_sum(values, axis=axes, keepdims=keep)


def random_spins(random: np.random.Generator, shape: tuple[int, int], mask: np.ndarray | None = None) -> np.ndarray:
    """Unit vectors `(y, x, 3)` in random directions, zero outside of the mask."""
    vectors = random.normal(size=(*shape, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors if mask is None else vectors * mask[..., None]

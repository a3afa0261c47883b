"""Inverse mapping: which latent vector decodes to a given state, and what the encoder's mean decodes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE


def inverse_mapping(
    model: EVAE,
    targets: np.ndarray,
    learning_rate: float = 0.05,
    max_steps: int = 1000,
    tolerance: float = 0.02,
    patience: int = 50,
) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors z* that decode to given states (Section "Inverse Mapping Method" of the paper).

    Adam minimises L_T-O, the squared distance between the decoder's output and the target, over z alone; it starts at
    the mean that the encoder gives for the target. Both networks are in inference mode, and their weights stay as they
    are. The targets do not influence each other: a batch only saves time.

    Args:
        targets: Unit vectors, `(n, y, x, 3)`.
        learning_rate: Of Adam, in units of the root mean square of the encoder's mean for each target: models with a
            large L_KL need larger steps.
        max_steps: The search ends after this number of steps in any case.
        tolerance, patience: L_T-O is saturated, and the search ends, when that of no target has fallen by more than
            the fraction `tolerance` in the last `patience` steps.

    Returns:
        z*, `(n, latent_dim)`, and L_T-O before the first and after each step, `(steps + 1, n)`: sum over the spin
        components, mean over the sites that carry a spin, as in L_RC.
    """
    targets = tf.convert_to_tensor(targets, tf.float32)
    mean, _ = model.encode(targets)
    scale = tf.sqrt(tf.reduce_mean(tf.square(mean), axis=1, keepdims=True))
    # After a posterior collapse every mean is zero.
    scale = tf.where(scale > 0.0, scale, 1.0)
    scaled = keras.Variable(mean / scale)
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build([scaled])

    # Absent sites are zero vectors in both, and count in the mean over the lattice.
    share = 1.0 if model.hamiltonian.mask is None else float(model.hamiltonian.mask.mean())

    def distances() -> tf.Tensor:
        outputs = model.run_decoder(scaled.value * scale, training=False)
        return tf.reduce_mean(tf.reduce_sum(tf.square(outputs - targets), axis=-1), axis=(1, 2)) / share

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = distances()
        optimizer.apply_gradients([(tape.gradient(losses, scaled.value), scaled)])
        return losses

    curve: list[np.ndarray] = []
    while len(curve) < max_steps and not _saturated(curve, tolerance, patience):
        curve.append(step().numpy())
    return (scaled.value * scale).numpy(), np.stack([*curve, distances().numpy()])


def reconstruct_mean(model: EVAE, spins: np.ndarray, batch_size: int = 100) -> np.ndarray:
    """What the decoder makes of the encoder's means, without sampling: `(n, y, x, 3)` for spins `(n, y, x, 3)`."""
    means = [model.encode(spins[start : start + batch_size])[0].numpy() for start in range(0, len(spins), batch_size)]
    return model.decode_many(np.concatenate(means), batch_size)


def _saturated(curve: list[np.ndarray], tolerance: float, patience: int) -> bool:
    return len(curve) > patience and bool(np.all(curve[-1] > (1 - tolerance) * curve[-1 - patience]))

"""The three terms of the E-VAE's loss (Equations 2 and 3 of the paper).

    loss = L_RC + beta L_KL + gamma L_H

Each function returns one scalar tensor. The sums and means are part of the definition: they fix where
the critical values of beta and gamma lie.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.layers import LARGEST_LOG_VARIANCE


def reconstruction_loss(
    spins_in: Any, spins_out: Any, mask: np.ndarray | None = None, weights: Any | None = None
) -> Any:
    """L_RC: squared distance between input and output spins, mean over the batch and the sites that carry a spin.

    Args:
        spins_in, spins_out: `(batch, y, x, 3)`.
        mask: Those sites, Boolean `(y, x)`; None: all.
        weights: Of the states, `(batch,)`, with mean 1; None: all count alike.

    Returns:
        Scalar between 0 (equal) and 4 (every spin reversed); the sum runs over the spin components.
    """
    squares = ops.sum(ops.square(spins_in - spins_out), axis=-1)
    if mask is not None:
        squares = squares * ops.cast(mask / mask.mean(), squares.dtype)
    if weights is not None:
        squares = squares * weights[:, None, None]
    return ops.mean(squares)


def input_weights(batch_size: Any, half: Any) -> Any:
    """Weights `(batch_size,)` of a batch in L_RC, with mean 1; where `half` is true, every second one is 0."""
    weights = tf.where(half & (tf.range(batch_size) % 2 == 1), 0.0, 1.0)
    return weights / tf.reduce_mean(weights)


def kl_loss(mean: Any, log_variance: Any, largest_log_variance: float = LARGEST_LOG_VARIANCE) -> Any:
    """L_KL: Kullback-Leibler divergence from the standard normal, sum over the latent space, mean over the batch.

    Args:
        mean, log_variance: `(batch, latent_dim)`, of the posterior of each input.
        largest_log_variance: Above it the exponential goes on along its tangent, so that neither it nor its gradient
            grows without bound. Useful posteriors are narrower than the prior, with negative log-variances.

    Returns:
        Scalar `-1/2 sum (1 + log s^2 - m^2 - s^2)`; 0 when every posterior is the standard normal.
    """

    @tf.custom_gradient
    def divergence(mean: Any, log_variance: Any) -> Any:
        excess = ops.maximum(log_variance - largest_log_variance, 0.0)
        slope = ops.exp(log_variance - excess)

        # One gradient instead of one for each appearance of the log-variance: TensorFlow adds up three and more in
        # an order that depends on when they are ready.
        def gradient(outer: Any) -> tuple[Any, Any]:
            return outer * mean, outer * 0.5 * (slope - 1.0)

        return 0.5 * (ops.square(mean) + slope * (1.0 + excess) - 1.0 - log_variance), gradient

    return ops.mean(ops.sum(divergence(mean, log_variance), axis=-1))


def hamiltonian_loss(hamiltonian: Hamiltonian, spins: Any) -> Any:
    """L_H: energy above the uniform state's exchange energy, per site, mean over the batch.

    Args:
        hamiltonian: Energy of the spins.
        spins: `(batch, y, x, 3)`, usually the decoder's output.

    Returns:
        Scalar `mean (E - E0) / N` in units of the exchange constant.
    """
    reference = hamiltonian.reference_energy_per_site((spins.shape[-3], spins.shape[-2]))
    return ops.mean(hamiltonian.energy_per_site(spins)) - reference

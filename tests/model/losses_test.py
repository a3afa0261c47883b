"""Each reduction of the loss terms against a closed form."""

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model.losses import hamiltonian_loss, kl_loss, reconstruction_loss


def test_losses_of_uniform_states():
    up = np.zeros((2, 4, 6, 3), np.float32)
    up[..., 2] = 1.0
    half_reversed = up.copy()
    half_reversed[:, :2] *= -1
    assert float(reconstruction_loss(up, up)) == 0.0
    assert float(reconstruction_loss(up, -up)) == pytest.approx(4.0)
    assert float(reconstruction_loss(up, half_reversed)) == pytest.approx(2.0)
    for boundary in ("periodic", "open"):
        h = Hamiltonian(D=0.3, B=0.05, boundary=boundary)
        assert float(hamiltonian_loss(h, tf.constant(up))) == pytest.approx(-0.05, abs=1e-6)


def test_kl_loss_in_closed_form():
    latent_dim = 7
    zeros = np.zeros((5, latent_dim), np.float32)
    assert float(kl_loss(zeros, zeros)) == 0.0
    assert float(kl_loss(zeros + 2.0, zeros)) == pytest.approx(latent_dim * 2.0)
    variance = 3.0
    expected = 0.5 * latent_dim * (variance - 1.0 - np.log(variance))
    assert float(kl_loss(zeros, zeros + np.float32(np.log(variance)))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("largest", [4.0, 20.0])
def test_kl_loss_of_an_outlier_neither_overflows_nor_outweighs_all_others(largest):
    """Beyond the largest log-variance the exponential goes on along its tangent, with a gradient that does not grow."""
    mean = np.zeros((1, 1), np.float32)
    for log_variance in (largest - 1.0, largest + 1.0, 300.0):
        variable = tf.Variable([[log_variance]])
        with tf.GradientTape() as tape:
            loss = kl_loss(mean, variable, largest)
        slope = 0.5 * (np.exp(min(log_variance, largest)) - 1.0)
        assert float(tape.gradient(loss, variable)[0, 0]) == pytest.approx(slope, rel=1e-5)
        tangent = 0.5 * (np.exp(largest) * (log_variance - largest + 1.0) - 1.0 - log_variance)
        exact = 0.5 * (np.exp(log_variance) - 1.0 - log_variance)
        assert float(loss) == pytest.approx(exact if log_variance < largest else tangent, rel=1e-5)


def test_losses_are_means_over_present_sites():
    mask = np.random.default_rng(0).random((4, 6)) < 0.4
    up = np.zeros((2, 4, 6, 3), np.float32)
    up[..., 2] = mask
    reversed_in_one = up * np.array([1.0, -1.0], np.float32)[:, None, None, None]
    assert float(reconstruction_loss(up, up, mask)) == 0.0
    assert float(reconstruction_loss(up, -up, mask)) == pytest.approx(4.0)
    assert float(reconstruction_loss(up, reversed_in_one, mask)) == pytest.approx(2.0)
    # What lies outside does not count.
    assert float(reconstruction_loss(up + ~mask[..., None], -up, mask)) == pytest.approx(4.0)
    for boundary in ("periodic", "open"):
        h = Hamiltonian(D=0.3, B=0.05, boundary=boundary, mask=mask)
        assert float(hamiltonian_loss(h, tf.constant(up))) == pytest.approx(-0.05, abs=1e-6)

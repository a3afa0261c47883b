"""What the recipe of train.py refuses."""

import keras
import numpy as np
import pytest

from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.training import _check_finite, _generated_statistics, _reset_optimizer
from tests.states import skyrmion, uniform


def test_stage_that_ends_in_nan_does_not_count_as_finished():
    _check_finite({"train": {"loss": 1.0}})
    with pytest.raises(NumericalError, match="validation kl_loss = inf at the end of the stage"):
        _check_finite({"train": {"loss": 1.0}, "validation": {"loss": 1.0, "kl_loss": float("inf")}})


def test_reset_optimizer_forgets_the_moments_but_not_the_learning_rate():
    optimizer = keras.optimizers.Adam(0.01)
    variable = keras.Variable([1.0, 2.0])
    optimizer.apply_gradients([(np.array([1.0, -1.0], np.float32), variable)])
    _reset_optimizer(optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.01) and int(optimizer.iterations) == 0
    before = variable.numpy()
    optimizer.apply_gradients([(np.array([5.0, -5.0], np.float32), variable)])
    # The first step of a fresh Adam is the learning rate, whatever the size of the gradient.
    np.testing.assert_allclose(before - variable.numpy(), [0.01, -0.01], rtol=1e-4)


def test_statistics_of_generated_states_are_over_present_sites():
    mask = np.hypot(*np.ogrid[-15.5:16, -19.5:20]) < 14
    states = np.stack([uniform((32, 40)), skyrmion((32, 40))]) * mask[..., None]
    h = Hamiltonian(boundary="open", mask=mask)
    statistics = _generated_statistics(states, h)
    assert statistics["magnetization_z"] == pytest.approx(states[..., 2].sum() / (2 * mask.sum()))
    energies = h.energy(states) / mask.sum()
    assert energies[0] == pytest.approx(h.reference_energy_per_site(mask.shape) - 0.05)
    assert statistics["energy_per_site_mean"] == pytest.approx(energies.mean())
    assert statistics["energy_per_site_lowest"] == pytest.approx(energies.min())
    assert statistics["topological_charge_mean"] == pytest.approx(-0.5)

"""What is written down of a model at the end of a stage."""

import numpy as np
import pytest

from keras_evae.analysis import fft_mse, generated_statistics
from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.training.stage_metrics import check_finite
from tests.helpers.states import skyrmion, uniform


def test_stage_that_ends_in_nan_does_not_count_as_finished():
    check_finite({"train": {"loss": 1.0}})
    with pytest.raises(NumericalError, match="validation kl_loss = inf at the end of the stage"):
        check_finite({"train": {"loss": 1.0}, "validation": {"loss": 1.0, "kl_loss": float("inf")}})


def test_statistics_of_generated_states_are_over_present_sites():
    mask = np.hypot(*np.ogrid[-15.5:16, -19.5:20]) < 14
    states = np.stack([uniform((32, 40)), uniform((32, 40)), skyrmion((32, 40))]) * mask[..., None]
    h = Hamiltonian(boundary="open", mask=mask)
    statistics = generated_statistics(states, h)
    assert statistics["magnetization_z"] == pytest.approx(states[..., 2].sum() / (3 * mask.sum()))
    energies = h.energy(states) / mask.sum()
    assert energies[0] == pytest.approx(h.reference_energy_per_site(mask.shape) - 0.05)
    assert statistics["energy_per_site_mean"] == pytest.approx(energies.mean())
    assert statistics["energy_per_site_lowest"] == pytest.approx(energies.min())
    assert statistics["topological_charge_mean"] == pytest.approx(-1 / 3)
    assert statistics["fft_mse"] == fft_mse(states) > 0

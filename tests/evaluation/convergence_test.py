"""Whether stages were long enough, on histories whose end is known."""

import numpy as np
import pytest

from keras_evae.dataset import read_energies
from keras_evae.evaluation.convergence import change_on_doubling, extrapolate_energy, make_convergence
from keras_evae.runs.stage_folder import read_history


def test_change_on_doubling_and_energy_without_noise():
    decay = np.exp(-np.arange(1, 101) / 10.0)
    assert change_on_doubling(1.0 + decay) == pytest.approx(0.0, abs=0.02)
    assert change_on_doubling([2.0] * 5 + [1.0] * 5) == -1.0
    # Negative losses, as L_H: falling is a negative change, too.
    assert change_on_doubling([-1.0, -2.0]) == -0.5
    assert change_on_doubling([1.0]) is None and change_on_doubling([1.0, 0.0]) is None
    # Exact on a straight line, whatever the first half does.
    reconstruction = np.array([9.0, 5.0, 0.4, 0.3, 0.2, 0.1])
    energy = -0.056 + 0.04 * reconstruction
    energy[:3] = 0.0
    assert extrapolate_energy(reconstruction, energy) == pytest.approx(-0.056)
    assert extrapolate_energy([1.0, 1.0], [0.0, 0.1]) is None and extrapolate_energy([1.0], [0.1]) is None


def test_recipe(smoke_run, tmp_path):
    section = make_convergence([smoke_run], tmp_path)
    doubling, extrapolation = section.tables
    assert extrapolation.rows[0][1] == read_history(smoke_run.stages[0])["val_reconstruction_loss"][-1]
    mean = float(read_energies(smoke_run.config.dataset.path, "train").mean())
    assert extrapolation.rows[0][-1] == pytest.approx(mean + 2.0)
    rows = doubling.records
    assert [row["epochs"] for row in rows] == [stage.stage.epochs for stage in smoke_run.stages]
    for row, stage in zip(rows, smoke_run.stages, strict=True):
        losses = read_history(stage)["val_kl_loss"]
        expected = change_on_doubling(losses)
        assert (row["L_KL_change_%"] is None) == (expected is None)
        assert row["samples"] == stage.stage.epochs * smoke_run.config.dataset.train // 20 * 20
        if expected is not None:
            assert row["L_KL_change_%"] == pytest.approx(100 * expected, abs=0.01)

"""The report of a cooling: a fast one is found to be too fast, in numbers that do not depend on the workers."""

import math

import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.freezing import AnnealingReport, annealing_report
from keras_evae.minima.slow_anneals import Anneals
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.commands import call
from tests.helpers.dataset_cases import CONFIG

FAST = AnnealingSchedule(2.0, 0.05, temperatures=20, over_relaxation=0)


def test_a_fast_cooling_is_too_fast():
    one, two = (annealing_report(Hamiltonian(), (32, 32), FAST, 4, 5, 20, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.rows, two.rows)
    assert one.rows.shape == (5, 7) and one.rows[[0, -1], 0].tolist() == [2.0, 0.05]
    # The spins lag behind; relaxed, each lattice has as many skyrmions as its charge says.
    assert (one.rows[:, 1] / one.rows[:, 0]).mean() > 1.01 and one.rows[-1, 1] < 0.1
    np.testing.assert_allclose(one.rows[-1, 4], -one.rows[-1, 5], atol=1e-5)
    assert one.best in ("default", "slow") and f"Too fast for the lowest states: `{one.best}`" in str(one)


@pytest.mark.parametrize(
    ("changes", "freezing", "words"),
    [((3, 2, 0, 0), (0.7, 0.4), "between T = 0.7 and 0.4"), ((0, 0, 0, 0), (math.inf, 1.0), "start higher")],
)
def test_where_it_freezes(changes, freezing, words):
    rows = np.zeros((4, 7))
    rows[:, 0] = 1.0, 0.7, 0.4, 0.1
    energies = {"this": [-2.0, -2.1], "slow": [-2.06, -2.06]}
    anneals = {name: Anneals(np.array(found), np.empty(0), -2.0, 1.0) for name, found in energies.items()}
    report = AnnealingReport(rows, np.array(changes), anneals, 10.0)
    assert report.freezing == freezing and words in str(report)
    assert report.best == "this" and "Slow enough" in str(report)


def test_command(tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG.format(train=5))
    result = call(tmp_path, "evae-anneal", "--config", "run.yaml", "--report")
    assert result.returncode == 0 and "The charge" in result.stdout, result.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["spins_report.png"]

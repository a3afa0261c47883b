"""The row of a beta is made of all of its trials."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_evae import plotting
from keras_evae.analysis.transitions import Transition
from keras_evae.evaluation.ground_state_tables import draw_phase_curve, phase_curve_tables


def trials(*intervals):
    return [
        SimpleNamespace(name=f"seed_{k}", transition=ends and Transition(*ends)) for k, ends in enumerate(intervals)
    ]


CURVE = {1e-4: trials((100.0, 400.0), (400.0, 1600.0)), 3e-4: trials((100.0, 400.0), None), 1e-3: trials(None, None)}


def test_rows_are_of_all_trials():
    summary, each = phase_curve_tables(CURVE)
    assert [row[0] for row in each.rows] == [1e-4, 1e-4, 3e-4, 3e-4, 1e-3, 1e-3]
    assert each.rows[1][2:] == [400.0, 1600.0, 800.0] and each.rows[3][2:] == [None] * 3
    rows = [dict(zip(summary.header, row, strict=True)) for row in summary.rows]
    # Logarithms of 200 and 800 are ln 2 to each side of their mean: a standard deviation of sqrt 2 ln 2.
    assert rows[0]["gamma_c"] == pytest.approx(400.0) and (rows[0]["lowest"], rows[0]["highest"]) == (200.0, 800.0)
    assert rows[0]["scatter"] == pytest.approx(np.exp(np.sqrt(2.0) * np.log(2.0)))
    assert [(row["trials"], row["collapsed"]) for row in rows] == [(2, 2), (2, 1), (2, 0)]
    assert rows[1]["gamma_c"] == pytest.approx(200.0) and rows[1]["scatter"] is None
    assert rows[2]["gamma_c"] is None


def test_picture_needs_two_betas(tmp_path, monkeypatch):
    drawn = []
    plot = plotting.plot_phase_curve
    monkeypatch.setattr(plotting, "plot_phase_curve", lambda axes, found: drawn.append(found) or plot(axes, found))
    assert draw_phase_curve({1e-4: CURVE[1e-4], 1e-3: CURVE[1e-3]}, tmp_path / "curve.png") == []
    assert drawn == [] and not list(tmp_path.iterdir())
    (picture,) = draw_phase_curve(CURVE, tmp_path / "curve.png")
    assert picture.file == "curve.png" and (tmp_path / "curve.png").is_file()
    assert drawn == [{1e-4: [(100.0, 400.0), (400.0, 1600.0)], 3e-4: [(100.0, 400.0)]}]

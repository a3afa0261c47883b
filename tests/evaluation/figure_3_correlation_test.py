"""Figures 3A and 3B: recipes on the smoke run, and on states with known noise."""

import csv

import numpy as np
import pytest

from keras_evae.analysis import field_angle, local_correlation
from keras_evae.dataset import read_split
from keras_evae.evaluation import figure_3_correlation as maps
from keras_evae.evaluation.figure_3_correlation import make_local_correlation, make_theta
from tests.helpers.pictures import assert_shows, curves, grid_of

NOTES = ["smoke has no finished stage at gamma = 1; the nearest is 10",
         "smoke has no finished stage at gamma = 100; the nearest is 10"]  # fmt: skip


def test_local_correlation(smoke_run, tmp_path, drawn):
    section = make_local_correlation([smoke_run], tmp_path)
    rows = section.tables[0].rows
    assert [(row[0], row[1]) for row in rows] == [
        (None, "X_In"), (0, "X_Out"), (0, "X'_Out"), (10, "X_Out"), (10, "X'_Out")
    ]  # fmt: skip
    # The data are relaxed to a torque of 1e-4, with fields of about 4 J.
    assert rows[0][2] == pytest.approx(1.0, abs=1e-8) and rows[0][4] < 0.01
    assert section.notes == NOTES
    data, first = smoke_run.read_split("test", 20), smoke_run.stages[1]
    reconstructed = maps.reconstruct(smoke_run, first, data)
    black = np.percentile(local_correlation(reconstructed, smoke_run.hamiltonian), 2)
    grid = grid_of(drawn["local_correlation.png"], rows=3)
    shown = [(grid[0], [data], "$X_{In}$"), (grid[1], [reconstructed, maps.generate(smoke_run, first, 20)], None)]
    for row, kinds, title in shown:
        for left, right, spins in zip(row[::2], row[1::2], np.concatenate([kind[:2] for kind in kinds]), strict=False):
            assert_shows(left, spins, title)
            cosines = local_correlation(spins, smoke_run.hamiltonian)
            np.testing.assert_allclose(right.images[0].get_array(), cosines, atol=1e-5)
            assert right.images[0].get_clim() == pytest.approx((black, 1.0), abs=1e-5)
    assert [axes.get_title() for axes in grid[2, ::2]] == [
        rf"{kind}, $\gamma$ = 10" for kind in ("$X_{Out}$", "$X'_{Out}$") for _ in range(2)
    ]


def test_theta(smoke_run, tmp_path, drawn):
    section = make_theta([smoke_run], tmp_path)
    assert section.notes == NOTES
    with open(tmp_path / "theta_densities.csv") as file:
        columns = list(zip(*[map(float, row) for row in list(csv.reader(file))[1:]], strict=True))
    assert len(columns) == 6
    for density in columns[1:]:
        assert sum(density) * 0.05 == pytest.approx(1.0)
    # Angles, the data, and for each stage X_Out before X'_Out.
    for axes, places in zip(drawn["theta.png"].axes, ((2, 4), (3, 5)), strict=True):
        found = curves(axes)
        for label, place in zip((r"$\gamma$ = 0", r"$\gamma$ = 10", "data, $X_{In}$"), (*places, 1), strict=True):
            expected = columns[0], columns[place]
            np.testing.assert_allclose(found.pop(label)[:, : len(columns[0])], expected, rtol=1e-4, atol=1e-6)
        assert not found
    spins = read_split(smoke_run.config.dataset.path, "test")
    mean = np.degrees(field_angle(spins, smoke_run.hamiltonian)).mean()
    assert section.tables[0].rows[0][3] == pytest.approx(mean, rel=1e-4)


def test_noise_is_measured(smoke_run, tmp_path, monkeypatch):
    """Noise s on the spins turns each by s across, and its field by s / 2: four neighbours of about equal direction."""
    spins, deviations = read_split(smoke_run.config.dataset.path, "test"), {0.0: 0.02, 10.0: 0.01}

    def outputs(run, stage, what):
        noisy = spins + deviations[stage.gamma] * np.random.default_rng(0).normal(size=spins.shape)
        return [(noisy / np.linalg.norm(noisy, axis=-1, keepdims=True)).astype(np.float32)]

    for name in ("stream_reconstructed", "stream_generated"):
        monkeypatch.setattr(maps, name, outputs)
    rows = make_theta([smoke_run], tmp_path).tables[0].rows
    peaks, means = ({row[1]: row[column] for row in rows if row[0] == "X_Out"} for column in (2, 3))
    for gamma, noise in deviations.items():
        deviation = np.degrees(noise * np.sqrt(1 + 1 / 4))
        assert means[gamma] == pytest.approx(deviation * np.sqrt(np.pi / 2), rel=0.05)
        assert peaks[gamma] == pytest.approx(deviation, rel=0.15)

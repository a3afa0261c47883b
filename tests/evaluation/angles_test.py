"""Figures 3A and 3B: recipes on the smoke run, claims on states with known noise."""

import csv
import dataclasses
import sys

import matplotlib.image
import numpy as np
import pytest

from keras_evae.analysis import field_angle
from keras_evae.dataset import read_split
from keras_evae.evaluation.local_correlation import local_correlation
from keras_evae.evaluation.theta import theta
from keras_evae.geometry import encode_mask, make_geometry

# The package has the recipes under the names of their modules.
maps, densities = (sys.modules[recipe.__module__] for recipe in (local_correlation, theta))
NOTES = ["smoke has no finished stage at gamma = 1; the nearest is 10",
         "smoke has no finished stage at gamma = 100; the nearest is 10"]  # fmt: skip


def noisy(spins, deviation):
    spins = spins + deviation * np.random.default_rng(0).normal(size=spins.shape)
    return (spins / np.linalg.norm(spins, axis=-1, keepdims=True)).astype(np.float32)


def with_noise(monkeypatch, run, noise):
    """Models whose outputs are annealed states with noise that depends on gamma."""
    spins = read_split(run.config.dataset.path, "test")

    def outputs(run, stage, what):
        return noisy(spins, noise[stage.gamma])

    for name in ("reconstruct", "generate"):
        monkeypatch.setattr(maps, name, outputs)
    for name in ("stream_reconstructed", "stream_generated"):
        monkeypatch.setattr(densities, name, lambda *arguments: [outputs(*arguments)])
    return spins


def test_local_correlation(smoke_run, tmp_path):
    section = local_correlation([smoke_run], tmp_path)
    rows = section.tables[0].rows
    assert [(row[0], row[1]) for row in rows] == [
        (None, "X_In"), (0, "X_Out"), (0, "X'_Out"), (10, "X_Out"), (10, "X'_Out")
    ]  # fmt: skip
    # The data are relaxed to a torque of 1e-4, with fields of about 4 J.
    assert rows[0][2] == pytest.approx(1.0, abs=1e-8) and rows[0][4] < 0.01
    assert section.notes == NOTES
    assert matplotlib.image.imread(tmp_path / "local_correlation.png").std() > 0.01


def test_local_correlation_over_present_sites(smoke_run, tmp_path, monkeypatch):
    sample = make_geometry("disc", 30, (32, 32))
    system = smoke_run.config.hamiltonian.model_copy(update={"mask": encode_mask(sample.mask), "boundary": "open"})
    masked = dataclasses.replace(smoke_run, config=smoke_run.config.model_copy(update={"hamiltonian": system}))
    spins = with_noise(monkeypatch, smoke_run, {0.0: 0.2, 10.0: 0.1})
    monkeypatch.setattr(maps, "read_split", lambda *_: spins * sample.mask[..., None])
    section = local_correlation([masked], tmp_path)
    assert all(np.isfinite(row[2:]).all() for row in section.tables[0].rows)
    assert section.claims[0].holds is True


def test_theta(smoke_run, tmp_path):
    section = theta([smoke_run], tmp_path)
    assert section.notes == NOTES and (tmp_path / "theta.png").is_file()
    with open(tmp_path / "theta_densities.csv") as file:
        columns = list(zip(*[map(float, row) for row in list(csv.reader(file))[1:]], strict=True))
    assert len(columns) == 6
    for density in columns[1:]:
        assert sum(density) * 0.05 == pytest.approx(1.0)
    spins = read_split(smoke_run.config.dataset.path, "test")
    mean = np.degrees(field_angle(spins, smoke_run.hamiltonian)).mean()
    assert section.tables[0].rows[0][3] == pytest.approx(mean, rel=1e-4)


def test_less_noise_holds(smoke_run, tmp_path, monkeypatch):
    with_noise(monkeypatch, smoke_run, {0.0: 0.05, 10.0: 0.02})
    claims = [*local_correlation([smoke_run], tmp_path).claims, *theta([smoke_run], tmp_path).claims]
    assert [claim.holds for claim in claims] == [True, True, True]


def test_more_noise_does_not_hold(smoke_run, tmp_path, monkeypatch):
    with_noise(monkeypatch, smoke_run, {0.0: 0.02, 10.0: 0.05})
    claims = [*local_correlation([smoke_run], tmp_path).claims, *theta([smoke_run], tmp_path).claims]
    assert [claim.holds for claim in claims] == [False, False, False]


def test_noise_is_measured(smoke_run, tmp_path, monkeypatch):
    """Noise s on the spins turns each by s across, and its field by s / 2: four neighbours of about equal direction."""
    with_noise(monkeypatch, smoke_run, {0.0: 0.02, 10.0: 0.01})
    rows = theta([smoke_run], tmp_path).tables[0].rows
    peaks, means = ({row[1]: row[column] for row in rows if row[0] == "X_Out"} for column in (2, 3))
    for gamma, noise in ((0.0, 0.02), (10.0, 0.01)):
        deviation = np.degrees(noise * np.sqrt(1 + 1 / 4))
        assert means[gamma] == pytest.approx(deviation * np.sqrt(np.pi / 2), rel=0.05)
        assert peaks[gamma] == pytest.approx(deviation, rel=0.15)


def test_without_an_e_vae_stage_nothing_is_decided(smoke_run, tmp_path):
    young = dataclasses.replace(smoke_run, stages=smoke_run.stages[:2])
    sections = local_correlation([young], tmp_path), theta([young], tmp_path)
    assert [claim.holds for section in sections for claim in section.claims] == [None] * 3
    assert len(sections[0].tables[0].rows) == 3

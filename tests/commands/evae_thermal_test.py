"""evae-thermal: file, table and picture; maps; what it answers to bad input."""

import csv

import numpy as np
import pytest

from keras_evae.commands import evae_thermal
from keras_evae.dataset import SPLITS, read_split
from keras_evae.dataset.thermal_file import read_thermal
from tests.helpers.commands import assert_one_line, call, call_here

CONFIG = """
dataset: {shape: [16, 16], train: 10}
training: {batch_size: 1}
hamiltonian: {B: 0.2}
thermal:
  {path: out/thermal.h5, temperatures: [0.4, 0.6], sweeps: 40, thermalization: 20, charge_interval: 20, J_meV: 10}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path


def rows(folder):
    with open(folder / "out" / "thermal.csv") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_averages_in_all_forms(folder):
    result = call(folder, "evae-thermal", "--config", "run.yaml", "--set", "thermal.keep=2")
    assert result.returncode == 0, result.stderr
    first, second = rows(folder)
    _, arrays = read_thermal(folder / "out" / "thermal.h5")
    assert (first["T"], second["T"], first["kelvin"]) == (0.4, 0.6, pytest.approx(4.0 / 0.08617333, rel=1e-6))
    assert first["energy"] == arrays["energy"][0, 0] and first["magnetization_z"] == arrays["magnetization"][0, 0, 2]
    kept = np.load(folder / "out" / "thermal_spins.npy")
    np.testing.assert_array_equal(kept, arrays["spins"][0].reshape(4, 16, 16, 3))
    assert second["energy_error"] > 0 and "±" in result.stdout
    assert (folder / "out" / "thermal.png").read_bytes()[:4] == b"\x89PNG"
    # They are data to train on.
    sizes = [word for split in ("train=2", "validation=1", "test=1") for word in ("--set", f"dataset.{split}")]
    arguments = "evae-import", "out/thermal_spins.npy", "--config", "run.yaml", "--output", "own.h5", *sizes
    result = call_here(folder, *arguments)
    assert result.returncode == 0, result.stderr
    found = np.concatenate([read_split(folder / "own.h5", split) for split in SPLITS])
    assert {state.tobytes() for state in found} == {state.tobytes() for state in kept}


@pytest.mark.parametrize("order", [("B=0:1:3", "T=0.4:0.6:2"), ("T=0.4:0.6:2", "B=0:1:3")])
def test_a_map_has_each_point_where_it_belongs(folder, order, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        evae_thermal, "plot_scan", lambda axes, x, y, values, names, title: drawn.setdefault(title, (names, values))
    )
    monkeypatch.chdir(folder)
    scans = [word for axis in order for word in ("--scan", axis)]
    assert evae_thermal.main(["--config", "run.yaml", *scans]) == 0
    found = rows(folder)
    assert [(row["B"], row["T"]) for row in found] == [(B, T) for B in (0.0, 0.5, 1.0) for T in (0.4, 0.6)]
    names, values = drawn["$|M|/N$"]
    assert names == ("$B$", "$T$")
    expected = np.array([row["magnetization_modulus"] for row in found]).reshape(3, 2)
    np.testing.assert_array_equal(values, expected.T)
    assert np.all(np.diff(expected, axis=0) > 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "thermal.sweeps=50"], "thermal.sweeps: expected a multiple of 20, found 50"),
        (["--set", "thermal.temperatures=[0.5,0.4]"], "thermal.temperatures: expected increasing values"),
        (["--set", "thermal.temperatures=[0,0.4]"], "thermal.temperatures.0: expected greater than"),
        (["--scan", "X=0:1:2"], "--scan X=0:1:2: expected NAME=START:STOP:COUNT"),
        (["--scan", "B=0:1"], "--scan B=0:1: expected NAME=START:STOP:COUNT"),
        (["--scan", "B=0:1:2", "--scan", "D=0:1:2", "--scan", "K=0:1:2"], "expected two axes at most"),
        (["--scan", "B=0:1:2", "--scan", "D=0:1:2"], "thermal.temperatures: expected one temperature for a map"),
        (["--scan", "T=0:1:2"], "thermal.temperatures: expected a finite number above 0"),
    ],
)
def test_bad_input_is_answered_in_one_line(folder, arguments, words):
    assert_one_line(call_here(folder, "evae-thermal", "--config", "run.yaml", *arguments), 2, words)
    assert not (folder / "out").exists()

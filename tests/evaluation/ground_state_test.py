"""A whole search at 16 x 16, its resumption, and what it refuses."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest

from keras_evae.config import load_config
from keras_evae.errors import ConfigError, DataError, MismatchError
from keras_evae.evaluation import ground_state
from keras_evae.evaluation.ground_state import find_ground_state
from keras_evae.evaluation.results import read_section
from keras_evae.geometry import make_geometry
from keras_evae.minima.skyrmion_lattices import TriangularLattice
from keras_evae.minima.slow_anneals import Anneals
from keras_evae.runs.from_config import dataset_specification
from keras_evae.training.search_trial import Trial
from tests.helpers.commands import call_here
from tests.helpers.killed_search import CONFIG, SMALL
from tests.helpers.run_folders import record_version
from tests.helpers.states import random_spins, uniform

SEARCH = {**SMALL, "anneal_seconds": 0.5}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground_state")
    (folder / "tiny.yaml").write_text(CONFIG.format(folder=folder))
    config = load_config(folder / "tiny.yaml")
    return folder, config, find_ground_state(config, folder / "out", seeds=1, **SEARCH)


@pytest.fixture
def copied(searched, tmp_path):
    folder, config, section = searched
    shutil.copytree(folder / "out", tmp_path / "out")
    return tmp_path / "out", config, section


@pytest.fixture
def trained(monkeypatch):
    """Names of the probes that are trained."""
    names, train = [], Trial._train
    monkeypatch.setattr(
        Trial, "_train", lambda self, stage, parent: (names.append(stage.name), train(self, stage, parent))
    )
    return names


def rows(section, name):
    """A table of the results, by the names of its columns."""
    table = next(table for table in section.tables if table.name == name)
    return table.records


def stages(output, seed="seed_0"):
    return sorted((output / "beta_0.0001" / seed / "probes" / "stages").iterdir())


def test_results_are_in_the_folder_the_lowest_state_first(searched):
    folder, _, section = searched
    output, tables = folder / "out", {table.name: table.records for table in section.tables}
    assert read_section(output / "ground_state.json").title == section.title
    with open(output / "ground_state_candidates.csv", newline="") as file:
        states = list(csv.DictReader(file))
    energies = [float(row["energy_per_site"]) for row in states]
    assert energies == sorted(energies) and all(float(row["torque"]) < 1.1e-5 for row in states)
    with h5py.File(output / "candidates.h5") as file:
        assert file["spins"].shape == (len(states), 16, 16, 3)
        assert list(file["energy_per_site"]) == energies
        assert json.loads(file.attrs["origins"]) == {str(k): row["found_by"] for k, row in enumerate(states)}
    page = (output / "report.html").read_text()
    assert f"Lowest state found: E/N = {energies[0]:.7f}, by {states[0]['found_by']}." in page
    assert all((output / picture.file).is_file() for picture in section.pictures)
    assert list(tables)[:2] == ["ground_state", "ground_state_methods"]
    (lowest,), methods = tables["ground_state"], tables["ground_state_methods"]
    assert lowest == tables["ground_state_candidates"][0]
    assert lowest["energy_per_site"] == pytest.approx(min(row["energy_per_site"] for row in methods), abs=1e-9)
    assert lowest["gap"] == pytest.approx(0.0, abs=1e-9) and min(row["gap"] for row in methods) == 0
    # The lattice is too small for a skyrmion.
    assert lowest["energy_per_site"] == pytest.approx(-2.05, abs=1e-7) and lowest["skyrmions"] == 0
    assert "E-VAE of seed_0 from gamma = " in lowest["found_by"]
    energies = {row["method"]: row["energy_per_site"] for row in methods}
    assert energies["generated states, relaxed"] < energies["generated states"] + 1e-6
    assert all(row["states"] > 0 and row["cpu_seconds"] > 0 for row in methods)
    assert {row["method"] for row in methods} == {
        "slow anneals", "generated states, relaxed", "generated states", "annealed data"
    }  # fmt: skip


@pytest.mark.slow
def test_search_in_a_sample_with_absent_sites(tmp_path):
    text = CONFIG.format(folder=tmp_path).replace("  shape: [16, 16]\n", "")
    (tmp_path / "triangle.yaml").write_text(text + "geometry: {shape: triangle, size: 14}\n")
    config = load_config(tmp_path / "triangle.yaml")
    section = find_ground_state(config, tmp_path / "out", seeds=1, **SEARCH)
    mask = make_geometry("triangle", 14).mask
    with h5py.File(tmp_path / "out" / "candidates.h5") as file:
        lengths = np.linalg.norm(file["spins"], axis=-1)
        np.testing.assert_allclose(lengths, np.broadcast_to(mask, lengths.shape), atol=1e-6)
        energies = dataset_specification(config).hamiltonian.energy_per_site(np.asarray(file["spins"], np.float64))
    reported = [row["energy_per_site"] for row in rows(section, "ground_state_candidates")]
    np.testing.assert_allclose(reported, energies, atol=1e-9)
    # No skyrmion has room; spins that tilt at the edges lie lower than all up.
    up = uniform(mask.shape) * mask[..., None]
    assert reported[0] < dataset_specification(config).hamiltonian.energy_per_site(up)


def test_lowest_state_that_the_network_has_not_found(searched, tmp_path, monkeypatch):
    """A state of another method comes first, with its own certificate."""
    _, config, _ = searched
    h, shape = dataset_specification(config).hamiltonian, config.dataset.shape
    spins = np.stack((random_spins(*shape), uniform(shape))).astype(np.float32)
    monkeypatch.setattr(ground_state, "relax_states", lambda states, hamiltonian: np.repeat(spins[:1], len(states), 0))
    monkeypatch.setattr(ground_state, "relaxed_lattices", lambda *given: ([TriangularLattice(None, [0])], spins[1:]))
    monkeypatch.setattr(ground_state, "anneal_for", lambda *given: Anneals(np.array([-1.0]), spins[0], -1.0, 1.0))
    shutil.copytree(searched[0] / "out", tmp_path / "out")
    section = find_ground_state(config, tmp_path / "out", seeds=1, **SEARCH)
    (lowest,) = rows(section, "ground_state")
    assert lowest["found_by"] == "placed lattices" and lowest["gap"] == pytest.approx(0.0, abs=1e-9)
    assert lowest["energy_per_site"] == pytest.approx(h.energy_per_site(spins[1].astype(np.float64)))


def test_second_start_trains_nothing(copied, trained):
    output, config, section = copied
    again = find_ground_state(config, output, seeds=1, **SEARCH)
    assert trained == []
    for name in ("ground_state", "ground_state_probes", "phase_curve_trials"):
        assert rows(again, name) == rows(section, name)


@pytest.mark.parametrize(
    ("changed", "options", "error", "message"),
    [
        (lambda stages: shutil.rmtree(stages[0]), {}, DataError, "no stage after the missing 01_beta.*delete them"),
        (None, {"bound": 1e6}, ConfigError, "its posterior has collapsed; choose a smaller beta"),
        (lambda stages: record_version(stages[0].parents[2], 1), {}, MismatchError, "training_version: .* found 1"),
        (lambda stages: record_version(stages[0].parents[1], 1), {}, MismatchError, "training_version: .* found 1"),
    ],
)
def test_search_that_cannot_go_on_trains_nothing(copied, trained, changed, options, error, message):
    output, config, _ = copied
    shutil.rmtree(stages(output)[-1])
    if changed:
        changed(stages(output))
    with pytest.raises(error, match=message):
        find_ground_state(config, output, seeds=1, **SEARCH | options)
    assert trained == []


@pytest.mark.parametrize(
    ("evae", "left", "error", "message"),
    [
        ({"epochs": 7}, "search.yaml", MismatchError, "evae.epochs: expected 7"),
        ({"gammas": [10.0]}, "search.yaml", ConfigError, "evae.gammas: expected at least two values"),
        ({}, "thesis.tex", DataError, "expected a folder of a search or an empty one"),
    ],
)
def test_folder_is_not_touched(searched, tmp_path, evae, left, error, message):
    """That of another search, of an impossible one, or with other files."""
    folder, config, _ = searched
    content = (folder / "out" / "search.yaml").read_text()
    (tmp_path / left).write_text(content)
    with pytest.raises(error, match=message):
        find_ground_state(config.model_copy(update={"evae": config.evae.model_copy(update=evae)}), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} - {".lock"} == {left}
    assert (tmp_path / left).read_text() == content


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ([], 2, "one of the arguments --config --run is required"),
        (["--config", "tiny.yaml", "--seeds", "0"], 2, "--seeds: expected greater than 0, found 0"),
        (
            ["--config", "tiny.yaml", "--betas", "1e-3", "-1"],
            2,
            "--betas: expected greater than or equal to 0.000000000000001, found -1",
        ),
        (["--run", "nowhere"], 3, "nowhere: expected a run folder"),
        (["--run", "nowhere", "--set", "evae.beta=1"], 2, "--set goes with --config"),
    ],
)
def test_bad_input_is_one_line(searched, arguments, code, message):
    result = call_here(searched[0], "evae-ground-state", *arguments)
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == code and message in last and "Traceback" not in result.stderr

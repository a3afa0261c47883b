import dataclasses
import json

import numpy as np
import pytest

from keras_evae.analysis import ring_average, structure_factor
from keras_evae.errors import MismatchError
from keras_evae.evaluation.generated_states import analyse_file, make_analyse, measure, sample_tables
from keras_evae.evaluation.recipes import evaluate_file
from keras_evae.evaluation.results import read_section
from keras_evae.evaluation.stage_states import generate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from keras_evae.plotting import as_label
from tests.helpers.commands import call_here
from tests.helpers.pictures import assert_shows, curves
from tests.helpers.states import random_spins, uniform

PICTURES = ("structure", "rings", "neighbours", "distributions")


def rows(table):
    return {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}


def test_run_beside_its_test_data(smoke_run, tmp_path, drawn):
    run = smoke_run
    section = make_analyse([run], tmp_path)
    summary, lattice, distances = (rows(table) for table in section.tables)
    assert set(summary) == set(lattice) == {*distances, "test data"}
    assert len(summary) == 2 + len(run.stages)
    for stage in run.stages:
        mean = summary[stage.stage.weights_in_words]["energy_per_site"]
        assert mean == pytest.approx(stage.metrics["generated"]["energy_per_site_mean"], abs=5e-3)
    states = {"test data": run.read_split("test", 100)}
    states |= {as_label(stage.stage.weights_in_words): generate(run, stage, 100) for stage in run.stages[1:]}
    structure, rings, neighbours, distributions = (drawn[f"analyse_{name}.png"].axes for name in PICTURES)
    found = curves(rings[0])
    assert list(found) == list(states) == [axes.get_title() for axes in structure[:4]]
    for (name, spins), map_axes, lattice_axes in zip(states.items(), structure, neighbours, strict=False):
        factor = structure_factor(spins).mean(axis=0)
        wave_numbers, means = ring_average(factor)
        np.testing.assert_allclose(found[name], [wave_numbers, np.maximum(means, 1e-14)], rtol=1e-3, atol=1e-9)
        shown = np.fft.ifftshift(map_axes.images[0].get_array().filled(0.0))
        inside = (factor > map_axes.images[0].norm.vmin) & (np.indices(factor.shape).sum(axis=0) > 0)
        np.testing.assert_allclose(shown[inside], factor[inside], rtol=1e-3)
        assert_shows(lattice_axes, spins[0])
        title = lattice_axes.get_title()
        assert title.splitlines()[0] == name and r"\$" not in title
    # A histogram for each sample, of all its values.
    for axes in distributions[:5]:
        assert [sum(patch.get_data().values) for patch in axes.patches] == pytest.approx([1.0] * 4)
    assert [picture.file for picture in section.pictures] == [f"analyse_{name}.png" for name in PICTURES]
    json.dumps(section.tables[1].rows, allow_nan=False)


def test_run_that_has_not_reached_the_evae(smoke_run, tmp_path):
    run = dataclasses.replace(smoke_run, stages=smoke_run.stages[:1], selected=smoke_run.stages[0])
    section = make_analyse([run], tmp_path)
    assert [row[0] for row in section.tables[0].rows] == ["test data", "validation data", "beta = 1e-4, gamma = 0"]


def test_good_bad_and_empty_samples():
    h = Hamiltonian()
    positions, spins = triangular_skyrmions(h, (64, 96))
    good = np.stack([np.roll(spins, (3 * k, 5 * k), (0, 1)) for k in range(4)])
    samples = [
        measure("good", good, h),
        measure("noise", random_spins(4, 64, 96), h),
        measure("uniform", np.stack([uniform((64, 96))] * 4), h),
    ]
    summary, lattice, distances = (rows(table) for table in sample_tables("a", samples, samples[0]))
    assert lattice["good"]["skyrmions"] == len(positions) and lattice["good"]["defects"] == 0.0
    assert lattice["good"]["psi6"] > 0.9 and lattice["good"]["bragg_contrast"] > 0.8
    assert lattice["noise"]["bragg_contrast"] < 0.4 and summary["noise"]["theta_degrees"] == pytest.approx(90, abs=5)
    assert lattice["uniform"]["skyrmions"] == 0 and summary["uniform"]["m_z"] == 1.0
    for name in ("radius_sites", "psi6", "defects", "ring_1/site", "bragg_height"):
        assert lattice["uniform"][name] is None
    assert distances["uniform"]["charge"] == pytest.approx(len(positions)) and distances["uniform"]["psi6"] is None
    assert distances["uniform"]["energy_per_site"] == pytest.approx(samples[0].states[0].energy_per_site * -1 - 2.05)


@pytest.mark.parametrize(
    "spins", [uniform((16, 24))[None], random_spins(2, 16, 24), triangular_skyrmions(Hamiltonian(), (64, 96))[1][None]]
)
def test_any_spins_can_be_drawn(tmp_path, spins):
    np.save(tmp_path / "a.npy", spins)
    section = evaluate_file(str(tmp_path / "a.npy"), Hamiltonian(), tmp_path / "out")
    assert len(section.tables) == 2 and {f"spins_{name}.png" for name in PICTURES} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_file_beside_the_test_data_of_a_run(smoke_run, tmp_path):
    run = smoke_run
    np.save(tmp_path / "a.npy", random_spins(3, 32, 32))
    section = analyse_file(str(tmp_path / "a.npy"), run.hamiltonian, run, tmp_path)
    assert [row[0] for row in section.tables[0].rows] == ["test data", "a.npy"]
    assert section.tables[2].rows[0][1] > 1.5
    np.save(tmp_path / "b.npy", random_spins(3, 16, 32))
    with pytest.raises(MismatchError, match=r"expected the lattice .*\(32, 32\), found \(16, 32\); leave --run out"):
        analyse_file(str(tmp_path / "b.npy"), Hamiltonian(), run, tmp_path)


def test_command(tmp_path):
    """The Hamiltonian comes from the configuration."""
    np.save(tmp_path / "a.npy", uniform((16, 24))[None])
    (tmp_path / "strong.yaml").write_text("hamiltonian: {B: 0.5}\n")
    for arguments, energy in (([], -2.05), (["--config", "strong.yaml"], -2.5)):
        result = call_here(tmp_path, "evaluate.py", "--analyse", "--spins", "a.npy", *arguments)
        assert result.returncode == 0, result.stderr
        (sample, *_) = read_section(tmp_path / "a_analysis" / "spins.json").tables[0].rows
        assert sample[2] == pytest.approx(energy)
    np.save(tmp_path / "b.npy", np.ones((2, 16, 24, 3)))
    for arguments, code, message in (
        (["--analyse", "--spins", "b.npy"], 3, "error: b.npy: expected unit vectors, found lengths from 1.732"),
        (["--losses", "--spins", "a.npy"], 2, "--spins goes with --analyse alone"),
        (["--losses", "--config", "a.yaml"], 2, "--config goes with --spins"),
    ):
        result = call_here(tmp_path, "evaluate.py", *arguments)
        assert result.returncode == code and message in result.stderr and "Traceback" not in result.stderr

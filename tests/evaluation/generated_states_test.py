import json

import numpy as np
import pytest

from keras_evae.analysis import ring_average, structure_factor
from keras_evae.evaluation.generated_states import make_analyse, measure, sample_tables
from keras_evae.evaluation.stage_states import generate
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from keras_evae.plotting import as_label
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

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keras_evae.analysis.barrier import find_barrier
from keras_evae.evaluation import figure_4_interpolation as recipe
from keras_evae.evaluation import interpolation_paths
from keras_evae.evaluation.interpolation_paths import IMAGES, POINTS, REACHED, SHOWN_STEPS, LatentPath
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.interstitial import Targets
from keras_evae.plotting.colors import spin_colors
from keras_evae.runs.run import load_run
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.runs.stage_plan import Stage, plan_stages
from tests.helpers.pictures import grid_of
from tests.helpers.states import skyrmion, uniform

SHAPE = (24, 40)


def latent_path(width, plateau, loss=0.01, reached=True):
    """Gaussian barrier of a given FWHM between two plateaus; the charge changes at half of its height."""
    steps = np.arange(POINTS)
    energies = plateau - 1e-3 * steps / POINTS + 0.005 * np.exp(-4 * np.log(2) * ((steps - 90) / width) ** 2)
    barrier = find_barrier(energies) if reached else None
    shown = {step: skyrmion(SHAPE, radius=4.0) for step in SHOWN_STEPS[1:]} if barrier else {}
    charges = np.where(steps <= 90 + width / 2, -2.0, -1.0)
    return LatentPath(np.full((5, 2), loss), 3.0, energies, charges, reached, barrier, shown)


def finished(index, gamma, fft_mse):
    return FinishedStage(Stage(index, 1e-3, gamma, index, 1), None, {"generated": {"fft_mse": fft_mse}})


@pytest.fixture
def run():
    stages = [finished(1, 0.0, 1e-5), finished(2, 10.0, 1e-5), finished(3, 100.0, 1e-5), finished(4, 1e3, 1e-8)]
    planned = plan_stages((1e-3,), 1, 1e-3, (10.0, 100.0, 1e3), 1)
    facts = {"shape": SHAPE, "hamiltonian": Hamiltonian(), "evae_beta": 1e-3, "planned": planned}
    return SimpleNamespace(name="run", path=Path("run"), stages=stages, **facts)


@pytest.fixture
def interpolate(run, tmp_path, monkeypatch):
    """The recipe with made-up targets and latent_paths, a list of them for each stage that it asks for."""

    def call(made):
        targets = Targets(np.stack([skyrmion(SHAPE, radius=4.0), uniform(SHAPE)]), 0, 12.0, 1e-7)
        monkeypatch.setattr(recipe, "make_targets", lambda hamiltonian, shape: targets)
        monkeypatch.setattr(
            recipe,
            "find_latent_paths",
            lambda run, stages, targets: (
                [targets] * IMAGES,
                {stage.gamma: kept for stage, kept in zip(stages, made, strict=True)},
            ),
        )
        return recipe.make_interpolation([run], tmp_path)

    return call


def images(section, gamma):
    """The rows of one stage in the table of the images."""
    table = section.tables[3]
    rows = table.records
    return [row for row in rows if row["gamma"] == gamma]


def test_sharpening_barriers(interpolate, tmp_path, drawn):
    widths = (24.0, 20.0, 8.0)
    section = interpolate([[latent_path(width, -2.05 - 0.001 * i)] * IMAGES for i, width in enumerate(widths)])
    assert section.numbers == {"run": {"compared_gamma": 100.0, "awaits_nearer_stage": False}}
    assert any("collapsed" in note and "1000" in note for note in section.notes)
    before, after = images(section, 0.0), images(section, 100.0)
    assert [row["image"] for row in after] == list(range(IMAGES)) and {row["reached"] for row in after} == {"yes"}
    assert after[1]["plateau_initial"] == pytest.approx(before[1]["plateau_initial"] - 0.002)
    table = section.tables[1]
    rows = table.records
    assert [row["gamma"] for row in rows] == [0, 10, 100]
    np.testing.assert_allclose([row["fwhm_steps"] for row in rows], widths, rtol=0.02)
    np.testing.assert_allclose([row["fwhm_share"] * (POINTS - 1) for row in rows], widths, rtol=0.02)
    np.testing.assert_allclose([row["barrier_height"] for row in rows], 0.005, rtol=0.02)
    assert [picture.file for picture in section.pictures] == ["interpolation.png", "interpolation_states.png"]
    energies, losses = drawn["interpolation.png"].axes
    made = [latent_path(width, -2.05 - 0.001 * i) for i, width in enumerate(widths)]
    # A line for each image; the first of each gamma is in the legend. Then one at the peak.
    assert len(energies.lines) == 3 * IMAGES + 1 and len(losses.lines) == 2 * 3
    for line, gamma, one in zip(energies.lines[::IMAGES], (0, 10, 100), made, strict=False):
        assert line.get_label() == rf"$\gamma$ = {gamma}"
        np.testing.assert_array_equal(line.get_xydata().T, [one.steps, one.energies])
    states = grid_of(drawn["interpolation_states.png"], rows=2)
    assert [axes.get_title() for axes in states[:, 0]] == ["with interstitial", "zoomed"]
    assert [axes.get_ylabel() for axes in states[:, 1]] == [r"$\gamma$ = 0", r"$\gamma$ = 100"]
    for row in states:
        assert [axes.get_title() for axes in row[1:-2] if axes.images] == [f"R = {step}" for step in SHOWN_STEPS[1:]]
        # Two distances of skyrmions wide, moved as the last row asks for.
        moved = (np.roll(skyrmion(SHAPE, radius=4.0), shift, (0, 1))[:, :24] for shift in np.ndindex(SHAPE))
        assert any(np.allclose(row[2].images[0].get_array(), spin_colors(state)) for state in moved)
    with open(tmp_path / "interpolation_curves.csv", newline="") as stream:
        curves = list(csv.DictReader(stream))
    assert len(curves) == 3 * IMAGES * POINTS
    highest = max(curves[:POINTS], key=lambda row: float(row["energy_per_site"]))
    assert (highest["R"], float(highest["share_of_path"])) == ("0", 90 / (POINTS - 1))


def test_states_that_a_model_cannot_make_are_left_out(smoke_folder, tmp_path, monkeypatch):
    """The whole way through the model of a run, which is hardly trained."""
    monkeypatch.chdir(smoke_folder)
    targets = Targets(np.stack([skyrmion((32, 32), radius=4.0), uniform((32, 32))]), 0, 12.0, 1e-7)
    images, found = interpolation_paths.find_latent_paths(
        load_run("runs/smoke"), load_run("runs/smoke").stages[1:3], targets, candidates=3, count=2, max_steps=5
    )
    assert len(images) == 2 and len(found) == 2
    for some in found.values():
        assert len(some) == 2
        for one in some:
            assert one.losses.shape == (6, 2) and one.energies.shape == (POINTS,)
            assert np.isfinite(one.energies).all() and one.distance > 0
            # The uniform state, the second target, is within reach of such a model; the skyrmion is not.
            assert one.losses[-1][0] > REACHED * targets.distance
            assert not one.reached and one.barrier is None
    remaining = [sum(some[i].losses[-1].sum() for some in found.values()) for i in range(2)]
    assert remaining == sorted(remaining)


def test_what_is_left_beyond_the_peak(interpolate):
    """Of a Gaussian barrier of 12 steps a half is left 6 steps beyond its peak, where the charge changes too."""
    section = interpolate([[latent_path(width, -2.05)] * IMAGES for width in (24.0, 20.0, 12.0)])
    table = section.tables[2]
    rows = [row for row in table.records if row["gamma"] == 100.0]
    assert [(row["R"], row["steps"]) for row in rows] == [(2, 200.0), (4, 100.0), (6, 66.7), (8, 50.0), (10, 40.0)]
    expected = 0.5 ** ((np.arange(2, 11, 2) / 6) ** 2)
    np.testing.assert_allclose([row["barrier_left"] for row in rows], expected, rtol=0.08)
    assert [row["interstitial_left"] for row in rows] == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_lattice_too_small_for_skyrmions(smoke_run, tmp_path):
    section = recipe.make_interpolation([smoke_run], tmp_path)
    assert not section.tables and not section.numbers
    assert any("32 x 32" in note for note in section.notes)

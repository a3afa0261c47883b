"""The recipes on samples with absent sites: means over the spins that are there, and no number lost to the others."""

import dataclasses
import json
import math
import sys

import numpy as np
import pytest

from keras_evae.analysis import field_angle
from keras_evae.dataset.formats.spin_files import read_states
from keras_evae.errors import MismatchError
from keras_evae.evaluation.figure_3_correlation import make_local_correlation
from keras_evae.evaluation.figure_5_collapse import compare_all, final_states
from keras_evae.evaluation.figure_s1_reconstructions import make_reconstructions
from keras_evae.evaluation.generated_states import analyse_file
from keras_evae.evaluation.recipes import ALL, evaluate
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import encode_mask
from keras_evae.runs.run import Run
from tests.helpers.commands import smoke
from tests.helpers.states import random_spins, uniform

MASK = make_geometry("disc", 28).mask
DISC = Hamiltonian(mask=MASK, boundary="open")
UP, RIGHT = (np.where(MASK[..., None], uniform((32, 32), axis), 0.0).astype(np.float32) for axis in np.eye(3)[[2, 0]])


@pytest.fixture
def disc_run(smoke_run):
    """The smoke run with the Hamiltonian of a disc."""
    energy = smoke_run.config.hamiltonian.model_copy(update={"mask": encode_mask(MASK), "boundary": "open"})
    return dataclasses.replace(smoke_run, config=smoke_run.config.model_copy(update={"hamiltonian": energy}))


def give(monkeypatch, recipe, data, outputs):
    """Data, and what models make of them and generate, for a recipe."""
    module = sys.modules[recipe.__module__]
    monkeypatch.setattr(Run, "read_split", lambda run, split, count: data[:count])
    for name in ("reconstruct", "generate"):
        monkeypatch.setattr(module, name, lambda run, stage, what: outputs)


def test_reconstructions_are_measured_on_the_sample(disc_run, tmp_path, monkeypatch):
    give(monkeypatch, make_reconstructions, UP[None], RIGHT[None])
    table = make_reconstructions([disc_run], tmp_path).tables[0]
    assert "m_z = 1.0000" in table.caption
    # |S - S'|^2 of orthogonal spins; the mean spin is as long as each of them.
    assert [row[2:] for row in table.rows] == [[2.0, 0.0, "yes", 0.0]] * 4


def test_local_correlation_of_the_sample(disc_run, tmp_path, monkeypatch):
    noisy = random_spins(3, 32, 32) * 0.05 + uniform((32, 32))
    noisy = np.where(MASK[..., None], noisy / np.linalg.norm(noisy, axis=-1, keepdims=True), 0.0).astype(np.float32)
    give(monkeypatch, make_local_correlation, noisy, noisy)
    section = make_local_correlation([disc_run], tmp_path)
    degrees = np.degrees(field_angle(noisy.astype(np.float64), DISC)[:, MASK])
    for row in section.tables[0].rows:
        expected = [np.cos(np.radians(degrees)).mean(), degrees.mean(), np.percentile(degrees, 99)]
        assert row[2:] == pytest.approx(expected, rel=1e-5)
    caption = section.pictures[0].caption
    black = float(caption.split("cos(theta) of ")[1].split()[0])
    assert black == pytest.approx(np.percentile(np.cos(np.radians(degrees)), 2), rel=1e-3)
    assert caption.endswith("pale blue: no spin")


def test_distances_of_final_states_are_means_over_the_sample(disc_run, monkeypatch):
    module = sys.modules[final_states.__module__]
    monkeypatch.setattr(module, "generate", lambda run, stage, count: np.stack([UP, RIGHT, UP]))
    (one,), (row,) = final_states([disc_run])
    assert row["largest_distance"] == pytest.approx(2.0) == pytest.approx(row["largest_aligned_distance"])
    (pair,), _ = compare_all([one, dataclasses.replace(one, spins=-one.spins)])
    assert pair["distance"] == pytest.approx(4.0)


@pytest.mark.parametrize("mask", [None, MASK])
def test_files_of_spins_may_leave_sites_out(tmp_path, mask):
    """Each configuration its own; what is analysed together needs the same ones."""
    spins = np.where(MASK[..., None], random_spins(3, 32, 32), 0.0)
    np.save(tmp_path / "a.npy", 1.002 * spins)
    found, _ = read_states(str(tmp_path / "a.npy"), 9, mask)
    np.testing.assert_allclose(found, spins, atol=1e-6)
    spins[1, 16, 16] = 0.0
    np.save(tmp_path / "a.npy", spins)
    if mask is None:
        np.testing.assert_array_equal(read_states(str(tmp_path / "a.npy"))[0].any(axis=-1), spins.any(axis=-1))
        with pytest.raises(MismatchError, match="the same absent sites in all states, found others in state 1"):
            analyse_file(str(tmp_path / "a.npy"), Hamiltonian(), None, tmp_path)
        return
    for other, words in ((mask, "a spin at every site of the mask"), (mask[1:], r"\(32, 32\); give the con"),
                         (np.ones((48, 32), bool), "look swapped")):  # fmt: skip
        np.save(tmp_path / "a.npy", random_spins(1, 32, 48) if "swapped" in words else spins)
        with pytest.raises(MismatchError, match=words):
            read_states(str(tmp_path / "a.npy"), 9, other)


def test_zero_vectors_of_a_file_are_the_mask(tmp_path):
    np.save(tmp_path / "a.npy", UP[None])
    section = analyse_file(str(tmp_path / "a.npy"), Hamiltonian(), None, tmp_path)
    row = section.tables[0].records[0]
    # Periodic edges, but no bond crosses them.
    assert row["m_z"] == pytest.approx(1.0)
    assert row["energy_per_site"] == pytest.approx(DISC.reference_energy_per_site((32, 32)) - 0.05)
    assert f"spins on {MASK.sum()} of 32 x 32 sites" in section.notes[0]
    # A uniform sample has no structure, whatever its shape.
    assert section.tables[1].rows[0][-3:] == [None] * 3


@pytest.mark.slow
def test_everything_on_a_disc(tmp_path, monkeypatch, drawn):
    result = smoke(tmp_path, "--set", "geometry={shape: disc, size: 28}")
    assert result.returncode == 0, result.stderr
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "out"
    sections = evaluate([tmp_path / "runs" / "smoke"], ALL, output, report=True)
    assert [section.name for section in sections] == list(ALL)
    tables = [table for section in sections for table in section.tables]
    numbers = [cell for table in tables for row in table.rows for cell in row if isinstance(cell, float)]
    assert len(numbers) > 300 and all(map(math.isfinite, numbers))
    # What does not exist is empty, and only there: radii and order where a sample has no skyrmion.
    optional = {"radius_sites", "psi6", "psi4", "defects", "radius", "radius_error", "psi6_error"}
    optional |= {"psi6_relaxed", "psi4_relaxed"}
    # Stages of one epoch have no half.
    optional |= {"L_RC_change_%", "L_KL_change_%", "L_H_change_%", "L_H_at_L_RC=0"}
    ladders = {"gamma", "before", "after", "mark"}
    for table in tables:
        for name, column in zip(table.header, zip(*table.rows, strict=True), strict=True):
            assert None not in column or name in optional | ladders, f"{table.name}: {name}"
    found = [value for section in sections for values in section.numbers.values() for value in values.values()]
    assert found and not any(isinstance(value, float) and math.isnan(value) for value in found)
    best = {table.name: table for table in tables}["best_known"]
    assert min(row[best.header.index("gap")] for row in best.rows) == 0.0
    for section in sections:
        json.loads((output / f"{section.name}.json").read_text(), parse_constant=pytest.fail)
    assert {picture.file for section in sections for picture in section.pictures} == set(drawn)
    images = [image.get_array() for figure in drawn.values() for axes in figure.axes for image in axes.images]
    states = [image for image in images if image.shape == (32, 32, 3)]
    # Sites without a spin are grey, and no others.
    assert len(states) > 20
    for image in states:
        assert np.ptp(image[0, 0]) == 0.0 and (image[~MASK] == image[0, 0]).all()
        assert not (image[MASK] == image[0, 0]).all(axis=-1).any()
    assert any("periodic boundaries" in note for section in sections for note in section.notes)
    assert f"spins on {MASK.sum()} sites" in (output / "report.html").read_text()

"""Figure 2: the recipe, and what it says of the data."""

import dataclasses

import numpy as np
import pytest

from keras_evae.evaluation import figure_2_losses as module
from keras_evae.evaluation.figure_2_losses import make_losses
from keras_evae.plotting import LOSS_LABELS
from keras_evae.runs.run import Run
from tests.helpers.pictures import curves, grid_of


def test_an_uninformed_output_may_know_the_edges(smoke_run, monkeypatch):
    """With edges its best guess is the mean spin of each site; without, of all sites that translations make equal."""
    y = np.arange(32)[:, None, None] / 32
    row = np.concatenate([np.sin(np.pi * y), 0 * y, np.cos(np.pi * y)], axis=-1)
    spins = np.broadcast_to(row, (4, 32, 32, 3)).astype(np.float32)
    monkeypatch.setattr(Run, "read_split", lambda *arguments: spins)

    def mean_spin(boundary):
        section = smoke_run.config.hamiltonian.model_copy(update={"boundary": boundary})
        run = dataclasses.replace(smoke_run, config=smoke_run.config.model_copy(update={"hamiltonian": section}))
        return module._mean_spin(run)

    assert mean_spin(("open", "open")) == mean_spin(("open", "periodic")) == pytest.approx(1.0)
    whole = np.linalg.norm(row.mean(axis=(0, 1)))
    assert mean_spin(("periodic", "open")) == mean_spin(("periodic", "periodic")) == pytest.approx(whole, rel=1e-6)


def test_recipe(smoke_run, tmp_path, drawn):
    section = make_losses([smoke_run], tmp_path)
    assert [table.name for table in section.tables] == ["losses", "transitions"]
    assert len(section.tables[0].rows) == 4
    ladders = {"beta": smoke_run.stages[:2], "gamma": smoke_run.stages[1:]}
    for row, (loss, label) in zip(grid_of(drawn["losses.png"], rows=3), LOSS_LABELS.items(), strict=True):
        assert row[0].get_ylabel() == label
        for axes, (weight, stages) in zip(row, ladders.items(), strict=True):
            for split in ("train", "validation"):
                expected = [[getattr(stage, weight), stage.metrics[split][loss]] for stage in stages]
                np.testing.assert_allclose(curves(axes)[split].T, expected)
    transitions = {row[1]: row[2:] for row in section.tables[1].rows}
    assert transitions["beta_c"] == [None, None, None] and transitions["beta_c estimated"][-1] > 0
    numbers = section.numbers["smoke"]
    assert numbers["ladder_of_beta_shown"] and numbers["beta_of_ladder_of_gamma"] == 1e-3 and "ln 2" in section.text
    assert numbers["beta_c_expected"] == transitions["beta_c estimated"][-1] and numbers["all_stages_finished"]
    energies = smoke_run.hamiltonian.energy_per_site(smoke_run.read_split("train").astype(np.float64))
    assert numbers["data_hamiltonian_loss"] == pytest.approx(energies.mean() + 2.0)
    first = section.tables[0].records[0]
    assert first["fft_mse"] == smoke_run.stages[0].metrics["generated"]["fft_mse"]

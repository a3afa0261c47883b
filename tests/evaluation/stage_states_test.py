"""States of stages come from a model of the evaluation's own."""

import shutil

import numpy as np
import pytest

from keras_evae.errors import DataError
from keras_evae.evaluation.recipes import evaluate
from keras_evae.evaluation.stage_states import generate, reconstruct
from keras_evae.runs.run import load_run
from tests.helpers.damage import flip


def values(model):
    return [variable.numpy() for variable in [*model.variables, model.sampling.seed_generator.state]]


def test_the_model_of_a_run_is_what_its_stage_says_before_and_after_an_evaluation(smoke_run, tmp_path):
    before = values(smoke_run.model)
    evaluate([smoke_run], ["reconstructions"], tmp_path)
    for expected, found in zip(before, values(smoke_run.model), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_states_do_not_depend_on_what_was_asked_before(smoke_run):
    """Reconstructions draw noise: it begins where the stage left it."""
    first, last = smoke_run.stages[0], smoke_run.stages[-1]
    spins = smoke_run.read_split("test", 3)
    expected = reconstruct(smoke_run, first, spins)
    generate(smoke_run, last, 2)
    np.testing.assert_array_equal(reconstruct(smoke_run, first, spins), expected)
    np.testing.assert_array_equal(reconstruct(smoke_run, first, spins), expected)
    assert np.abs(reconstruct(smoke_run, last, spins) - expected).max() > 1e-3
    np.testing.assert_array_equal(generate(smoke_run, last, 2), smoke_run.model.generate(2, seed=0))


def test_weights_are_compared_with_their_checksum_when_they_are_first_used(smoke_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(smoke_folder)
    shutil.copytree("runs/smoke", tmp_path / "smoke")
    run = load_run(tmp_path / "smoke")
    file = run.stages[1].path / "model.weights.h5"
    file.write_bytes(flip(file.read_bytes(), 8 * 3000))
    with pytest.raises(DataError, match="model.weights.h5: missing or damaged"):
        generate(run, run.stages[1], 1)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_lowest_annealed_state_of_all_splits(smoke_run, monkeypatch, split):
    monkeypatch.setattr("keras_evae.runs.run.read_energies", lambda path, name: np.array([0.0, -1.0 - (name == split)]))
    assert smoke_run.lowest_annealed() == -2.0
    np.testing.assert_array_equal(smoke_run.lowest_annealed_state(), smoke_run.read_split(split)[1])

"""Latent vectors by the name of their prior; the learned density beside the weights of its stage."""

import dataclasses
import logging
import os
import pickle
import shutil

import numpy as np
import pytest

from keras_evae.errors import DataError
from keras_evae.model.latent_flow import FlowSettings
from keras_evae.runs import load_run
from keras_evae.runs.environment import add_to_environment
from keras_evae.runs.stage_folder import copy_stage
from keras_evae.runs.stage_priors import FLOW
from tests.helpers.damage import Hostile, random_flips

QUICK = FlowSettings(width=16, blocks=1, steps=10, batch_size=16, codes=60)


@pytest.fixture
def run(smoke_folder, tmp_path, monkeypatch):
    """A finished run of its own, in its folder."""
    for folder in ("runs/smoke", "data"):
        shutil.copytree(smoke_folder / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return load_run("runs/smoke", "gamma=10")


def priors_of(run):
    return run.priors(run.selected, run.model)


def test_same_seed_same_states(run):
    priors_of(run).fit_flow(QUICK)
    again = load_run("runs/smoke", "gamma=10")
    for prior in ("normal", "posterior", "flow"):
        states = run.generate(4, prior, seed=1)
        assert states.shape == (4, 32, 32, 3) and states.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(states, axis=-1), 1, atol=1e-5)
        np.testing.assert_array_equal(again.generate(4, prior, seed=1), states)
        assert np.abs(run.generate(4, prior, seed=2) - states).max() > 1e-3
        assert np.abs(run.generate(4, prior) - run.generate(4, prior)).max() > 1e-6


def test_posterior_vectors_are_distributed_like_codes(run):
    """Mean and variance of each component: those of the posteriors' mixture, |z| < 5."""
    priors = priors_of(run)
    drawn = priors.draw(2000, "posterior", seed=3)
    means, deviations = priors._posteriors(2000, np.random.default_rng(4))
    variance = means.var(axis=0) + np.square(deviations).mean(axis=0)
    assert np.abs((drawn.mean(axis=0) - means.mean(axis=0)) / np.sqrt(2 * variance / 2000)).max() < 5
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=5 * np.sqrt(4 / 2000))


def test_learned_once_and_kept_with_the_stage(run, caplog):
    caplog.set_level(logging.INFO, "keras_evae")
    learned = priors_of(run).fit_flow(QUICK)
    assert "posteriors of 60 states, then 10 steps" in caplog.text
    shutil.rmtree("data")
    # Only read now: the data are not needed any more, nor with a copy of the stage.
    copy_stage(run.selected, run.path.parent / "other")
    copied = dataclasses.replace(run.selected, path=run.path.parent / "other" / "stages" / run.selected.name)
    for stage in (run.selected, copied):
        priors = dataclasses.replace(priors_of(run), stage=stage)
        np.testing.assert_array_equal(priors.draw(3, "flow", seed=0), learned.sample(3, seed=0))


def test_damage_is_noticed_and_mended(run):
    priors = priors_of(run)
    priors.fit_flow(QUICK)
    file = run.selected.path / FLOW
    content = file.read_bytes()
    damaged = [*random_flips(content, 20), content[:-1], content[: len(content) // 2], b"", pickle.dumps(Hostile())]
    for found in damaged:
        file.write_bytes(found)
        with pytest.raises(
            DataError, match=f"{FLOW}: truncated or damaged .*; delete it, and it will be learned again"
        ):
            run.generate(1, "flow")
    priors.fit_flow(QUICK)
    assert file.read_bytes() == content


def test_without_training_data(run):
    shutil.rmtree("data")
    # Started in this folder, not where the fixture's data are.
    add_to_environment(run.path, {"folder": os.getcwd()})
    for prior in ("posterior", "flow"):
        with pytest.raises(DataError, match=r"/data/smoke_32x32.h5: expected the training data, .* found no file; .*$"):
            run.generate(1, prior)
    assert run.generate(1).shape == (1, 32, 32, 3)


def test_density_of_other_weights_is_not_used(run):
    priors_of(run).fit_flow(QUICK)
    last = load_run("runs/smoke")
    shutil.copyfile(run.selected.path / FLOW, last.selected.path / FLOW)
    assert priors_of(last).read_flow() is None

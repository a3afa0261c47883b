"""Which runs and stages each recipe gets, and what is kept."""

import dataclasses

import pytest

from experiments.reproduction import results
from experiments.reproduction.results import Runs, make_results
from keras_evae.evaluation.results import Section


@pytest.fixture
def run(smoke_run):
    """The smoke run with a ladder of gamma = 0, 100, 1000, 10000 that collapses at 1000."""
    run, stages = smoke_run, []
    for index, (gamma, fft_mse) in enumerate(((0.0, 1e-5), (100.0, 1e-5), (1e3, 1e-7), (1e4, 1e-8))):
        stage = dataclasses.replace(run.stages[1].stage, index=index, gamma=gamma)
        metrics = {**run.stages[1].metrics, "generated": {"fft_mse": fft_mse}}
        stages.append(dataclasses.replace(run.stages[1], stage=stage, metrics=metrics))
    return dataclasses.replace(run, stages=tuple(stages))


@pytest.fixture
def asked(monkeypatch):
    """What the recipes are asked for, instead of what they would do."""
    found = {}

    def make_section(recipe, runs, folder):
        found[recipe] = [[stage.gamma for stage in run.stages] for run in runs]
        return Section(recipe, recipe, "made now")

    monkeypatch.setattr(results, "make_section", make_section)
    return found


def test_long_recipes_get_the_stages_that_they_are_for(run, asked, tmp_path):
    vae = dataclasses.replace(run, config=run.config.model_copy(update={"evae": None}), stages=run.stages[:1])
    sections = make_results(Runs([vae], [run]), tmp_path)
    assert set(asked) == set(results.SYSTEM) == {recipe for _, recipe in sections}
    assert asked["losses"] == [[0.0], [0.0, 100.0, 1e3, 1e4]]
    assert asked["analyse"] == [[0.0, 100.0]] and asked["relax"] == [[1e3, 1e4]]

"""Which runs and stages each recipe gets, and what is kept."""

import dataclasses

import numpy as np
import pytest

from experiments.reproduction import results
from experiments.reproduction.results import Runs, compare_lengths, longer_stages, make_results, open_finished
from keras_evae.errors import DataError
from keras_evae.evaluation.results import Section
from keras_evae.runs.stage_plan import LOSSES


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


def test_a_run_that_has_not_collapsed_shows_its_last_stage(run, asked, tmp_path, caplog):
    caplog.set_level("INFO")
    young = dataclasses.replace(run, stages=run.stages[:2])
    make_results(Runs([], [young]), tmp_path)
    assert asked["relax"] == [[100.0]]
    start = dataclasses.replace(run, stages=run.stages[:1])
    sections = make_results(Runs([], [start]), tmp_path)
    assert set(results.SYSTEM) - {recipe for _, recipe in sections} == {"relax"} and "not finished" in caplog.text


def test_longer_runs_find_their_counterpart(run, tmp_path):
    longer = dataclasses.replace(run, path=tmp_path / "longer")
    assert compare_lengths(Runs([], [run], [longer]))[0].rows == []
    training = run.config.training.model_copy(update={"seed": 5})
    other = dataclasses.replace(longer, config=run.config.model_copy(update={"training": training}))
    with pytest.raises(DataError, match="differs in the stages alone"):
        compare_lengths(Runs([], [run], [other]))


def test_runs_without_a_finished_stage_are_left_out(smoke_folder, tmp_path):
    folder = tmp_path / "young"
    folder.mkdir()
    (folder / "config.yaml").write_text((smoke_folder / "runs/smoke/config.yaml").read_text())
    assert [run.name for run in open_finished([folder, smoke_folder / "runs/smoke"])] == ["smoke"]


def test_the_same_stage_trained_longer(smoke_run, tmp_path):
    """Its end beside that of the shorter one, and its doublings: each loss that falls as 1 / epoch halves."""
    first = smoke_run.stages[0]
    metrics = {"validation": {name: 1.01 * value for name, value in first.metrics["validation"].items()}}
    length = dataclasses.replace(first.stage, epochs=4 * first.stage.epochs)
    stage = dataclasses.replace(first, path=tmp_path, stage=length, metrics=metrics)
    header = ",".join(f"val_{loss}" for loss in LOSSES.values())
    lines = [",".join([str(1 / epoch)] * len(LOSSES)) for epoch in range(1, length.epochs + 1)]
    (tmp_path / "history.csv").write_text("\n".join([header, *lines]))
    longer = dataclasses.replace(smoke_run, path=tmp_path / "long", stages=(stage, *smoke_run.stages[1:]))
    row, *doublings = longer_stages(smoke_run, longer).rows
    assert row[2:4] == [first.stage.epochs, length.epochs] and row[-1] == "yes"
    np.testing.assert_allclose(np.abs(row[4:7]), 1.0, atol=0.01)
    assert [doubling[2:4] for doubling in doublings] == [[2, 4], [4, 8]] and first.stage.epochs == 2
    assert all(doubling[4:] == [-100.0, -100.0, -100.0, "no"] for doubling in doublings)

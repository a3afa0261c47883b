"""Which runs and stages each recipe gets, and what is kept."""

import dataclasses

import pytest

from keras_evae.errors import DataError
from keras_evae.evaluation.sections import Section
from keras_evae.reproduction import results
from keras_evae.reproduction.page import describe_change
from keras_evae.reproduction.results import Runs, compare_lengths, make_results, most_alike, open_finished
from keras_evae.runs import load_run


@pytest.fixture
def run(smoke_folder, monkeypatch):
    """The smoke run with a ladder of gamma = 0, 100, 1000, 10000 that collapses at 1000."""
    monkeypatch.chdir(smoke_folder)
    run = load_run("runs/smoke")
    stages = []
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
    sections, gaps = make_results(Runs([vae], [run]), tmp_path)
    assert set(asked) == set(results.SYSTEM) == {recipe for _, recipe in sections} and not gaps
    assert asked["losses"] == [[0.0], [0.0, 100.0, 1e3, 1e4]]
    assert asked["analyse"] == [[0.0, 100.0]] and asked["relax"] == [[1e3, 1e4]]


def test_a_run_that_has_not_collapsed_shows_its_last_stage(run, asked, tmp_path):
    young = dataclasses.replace(run, stages=run.stages[:2])
    make_results(Runs([], [young]), tmp_path)
    assert asked["relax"] == [[100.0]]
    start = dataclasses.replace(run, stages=run.stages[:1])
    _, gaps = make_results(Runs([], [start]), tmp_path)
    assert list(gaps) == [("system", "relax")] and "not finished" in gaps["system", "relax"]


def test_what_is_not_made_again_is_read(run, asked, tmp_path):
    make_results(Runs([], [run], confined=[run]), tmp_path)
    asked.clear()
    sections, _ = make_results(Runs([], [run], confined=[run]), tmp_path, ["losses"])
    assert list(asked) == ["losses"] and ("system", "theta") in sections and ("confined", "relax") in sections


def test_longer_runs_find_their_counterpart(run, tmp_path):
    longer = dataclasses.replace(run, path=tmp_path / "longer")
    assert compare_lengths(Runs([], [run], [longer]))[0].rows == []
    training = run.config.training.model_copy(update={"seed": 5})
    other = dataclasses.replace(longer, config=run.config.model_copy(update={"training": training}))
    with pytest.raises(DataError, match="differs in the stages alone"):
        compare_lengths(Runs([], [run], [other]))


def test_longer_runs_are_held_against_the_shortest(run, tmp_path):
    def trained(name, *epochs):
        stages = [
            dataclasses.replace(stage, stage=dataclasses.replace(stage.stage, epochs=count))
            for stage, count in zip(run.stages, epochs, strict=False)
        ]
        return dataclasses.replace(run, path=tmp_path / name, stages=tuple(stages))

    whole, short, part = trained("whole", 9, 9, 9, 9), trained("short", 9, 9, 9, 4), trained("part", 1, 1)
    # The longer one is among them, too.
    (table,) = compare_lengths(Runs([], [whole, short], [whole], changed=[part]))
    assert table.name == "longer_whole" and "short and whole" in table.caption
    assert table.rows[0][:4] == [run.stages[-1].beta, 1e4, 4, 9]


def test_a_changed_run_stands_beside_the_one_most_like_it(run, tmp_path):
    def changed(name, **sections):
        updates = {key: getattr(run.config, key).model_copy(update=values) for key, values in sections.items()}
        return dataclasses.replace(run, path=tmp_path / name, config=run.config.model_copy(update=updates))

    seed = changed("seed", training={"seed": 5})
    slower = changed("slower", training={"seed": 5, "checkpoint_minutes": 1.5}, evae={"gammas": (10.0, 2e6)})
    vae = dataclasses.replace(run, config=run.config.model_copy(update={"evae": None}))
    assert most_alike(slower, [vae, run, seed]) is seed and most_alike(run, [seed, vae, run]) is run
    before = ", ".join(f"{gamma:g}" for gamma in run.config.evae.gammas)
    assert describe_change(slower, seed) == f"evae.gammas: 10, 2e+06 (there {before})"


def test_runs_without_a_finished_stage_are_left_out(smoke_folder, tmp_path):
    folder = tmp_path / "young"
    folder.mkdir()
    (folder / "config.yaml").write_text((smoke_folder / "runs/smoke/config.yaml").read_text())
    assert [run.name for run in open_finished([folder, smoke_folder / "runs/smoke"])] == ["smoke"]

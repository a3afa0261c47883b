from keras_evae.evaluation import figure_s1_reconstructions as module
from keras_evae.evaluation.figure_s1_reconstructions import make_reconstructions
from keras_evae.runs.stage_plan import in_words
from tests.helpers.pictures import assert_shows, grid_of, is_empty
from tests.helpers.states import random_spins, skyrmion, uniform


def test_recipe(smoke_run, tmp_path, drawn):
    section = make_reconstructions([smoke_run], tmp_path)
    rows = section.tables[0].records
    assert [(row["beta"], row["gamma"]) for row in rows] == [(1e-4, 0), (1e-3, 0), (1e-3, 10), (1e-3, 1000)]
    assert all(0 <= row["reconstruction_loss"] <= 4 and abs(row["magnetization_z"]) <= 1 for row in rows)
    given, grid = smoke_run.read_split("test", 1), grid_of(drawn["reconstructions.png"], rows=4)
    assert_shows(grid[0, 0], given[0])
    # Above the VAE's two stages, below those of the E-VAE.
    for index, stage in enumerate(smoke_run.stages):
        above, below = grid[2 * (index // 2) : 2 * (index // 2) + 2, 1 + index % 2]
        assert_shows(above, module.reconstruct(smoke_run, stage, given)[0])
        assert_shows(below, module.generate(smoke_run, stage, 1)[0])
        weight = rf"$\gamma$ = {stage.gamma:g}" if stage.gamma else rf"$\beta$ = {in_words(stage.beta)}"
        assert above.get_title().splitlines() == [weight, f"$m_z$ = {rows[index]['magnetization_z']:.2f}"]
    assert is_empty(grid[2, 0]) and is_empty(grid[3, 0])


def test_collapsed_stages_are_told_by_their_uniform_state(smoke_run, tmp_path, monkeypatch):
    states = iter([skyrmion((32, 32)), uniform((32, 32)), -uniform((32, 32)), random_spins(32, 32)])
    monkeypatch.setattr(module, "reconstruct", lambda *_: next(states)[None])
    rows = make_reconstructions([smoke_run], tmp_path).tables[0].rows
    assert [row[4] for row in rows] == ["no", "yes", "yes", "no"]
    assert [row[3] for row in rows[1:3]] == [1.0, -1.0]

"""The picture at the end of an evaluation: the states of the stage that generates best."""

import json

from keras_evae.evaluation.results import Section
from keras_evae.evaluation.shown_states import COUNT, make_states
from keras_evae.evaluation.stage_states import generate
from tests.helpers.pictures import assert_shows


def test_states_with_their_numbers(smoke_run, tmp_path, drawn):
    section = make_states([smoke_run], tmp_path)
    row = section.tables[0].records[0]
    assert (row["gamma"], row["vectors"]) == (10, "posterior")
    states = generate(smoke_run, smoke_run.stages[2], COUNT, "posterior")
    for axes, spins in zip(drawn["states.png"].axes[:COUNT], states, strict=True):
        assert_shows(axes, spins)
        assert f"{smoke_run.hamiltonian.energy_per_site(spins.astype(float)):.5f}" in axes.get_title()
    json.dumps(section.tables[0].rows, allow_nan=False)


def test_stage_that_the_table_has_found(smoke_run, tmp_path):
    last = smoke_run.stages[-1]
    numbers = {"smoke": {"best_beta": last.beta, "best_gamma": last.gamma, "best_vectors": "normal"}}
    Section("generation", "", "", numbers=numbers).write(tmp_path)
    section = make_states([smoke_run], tmp_path)
    assert [row[:2] for row in section.tables[0].rows] == [[last.beta, last.gamma]]

"""What a training says while it runs."""

import logging

import pytest

from keras_evae.training import progress
from keras_evae.training.progress import Pace, StageProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


LOGS = {"loss": 1.0, "reconstruction_loss": 0.5, "kl_loss": 12.0, "hamiltonian_loss": -0.05}


def test_pace_leaves_the_first_step_out_and_counts_what_is_left(clock):
    pace = Pace(1000)
    assert pace.time_for(100) == "?"
    clock[0] += 50
    pace.count(10)
    assert pace.samples_per_second == 0
    for _ in range(4):
        clock[0] += 2
        pace.count(10)
    assert pace.samples_per_second == 5 and pace.left == 950
    assert pace.time_for(100) == "20 s" and pace.time_for(pace.left) == "3.2 min"


def steps(stage, clock, count):
    stage.on_epoch_begin(4)
    for batch in range(count):
        clock[0] += 1
        stage.on_train_batch_end(batch, LOGS)


def test_line_on_a_terminal(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (200, 20))
    pace = Pace(1000)
    with StageProgress("stage 2/3 beta 0.001 gamma 10", 100, 50, 10, pace) as stage:
        steps(stage, clock, 3)
        stage.bar.refresh()
    line = capsys.readouterr().err.split("\r")[-3]
    assert "stage 2/3 beta 0.001 gamma 10  80%, 2 s, run 1.6 min left, 10 samples/s, " in line
    assert "L_RC 0.5 L_KL 12 L_H -0.05 |" in line


def test_nothing_moves_where_the_output_is_no_terminal(clock, capsys):
    with StageProgress("stage", 100, 0, 10, Pace(100)) as stage:
        steps(stage, clock, 3)
    assert capsys.readouterr().err == "" and stage.left == 70


def test_epochs_are_logged_for_those_who_ask(clock, caplog):
    validation = {f"val_{name}": 2 * value for name, value in LOGS.items()}
    with caplog.at_level(logging.DEBUG, "keras_evae"), StageProgress("stage", 100, 0, 10, Pace(100)) as stage:
        steps(stage, clock, 2)
        clock[0] += 2
        stage.on_epoch_end(4, LOGS | validation)
    assert caplog.messages == [
        "epoch 4: train L_RC 0.5 L_KL 12 L_H -0.05 | validation L_RC 1 L_KL 24 L_H -0.1 | 5 samples/s"
    ]

"""What a training says while it runs."""

import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest

from keras_evae.runs.stage_plan import Stage
from keras_evae.training import progress
from keras_evae.training.progress import Pace, StageProgress, log_stage_line


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


SEEN = "| stage 2/3  80%, 1.6 min left, L_RC 0.5 L_KL 12 L_H -0.05, stage 2 s"


@pytest.mark.parametrize(("columns", "end"), [(80, ""), (200, ", beta = 1e-3, gamma = 10, 10 samples/s")])
def test_line_on_a_terminal(clock, capsys, monkeypatch, columns, end):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (columns, 20))
    with StageProgress("stage 2/3", "beta = 1e-3, gamma = 10", 100, 50, 10, Pace(1000)) as stage:
        steps(stage, clock, 3)
        stage.bar.refresh()
    line = capsys.readouterr().err.split("\r")[-3]
    assert line.startswith("|████▊ " + SEEN + end) and len(line) <= columns


def test_nothing_moves_where_the_output_is_no_terminal(clock, capsys):
    with StageProgress("stage", "", 100, 0, 10, Pace(100)) as stage:
        steps(stage, clock, 3)
    assert capsys.readouterr().err == "" and stage.left == 70


def test_notebook_without_widgets_shows_the_line(clock, capsys, monkeypatch):
    """As text, without a word of tqdm on widgets, which are not installed."""
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", ModuleType("zmqshell"))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with StageProgress("stage 2/3", "", 100, 50, 10, Pace(1000)) as stage:
        steps(stage, clock, 3)
        stage.bar.refresh()
    assert SEEN in capsys.readouterr().err


def metrics(kl, fft_mse):
    generated = {"energy_per_site_mean": -2.0, "energy_per_site_std": 1e-3, "fft_mse": fft_mse}
    return {"validation": LOGS | {"kl_loss": kl}, "generated": generated}


@pytest.mark.parametrize(
    ("beta", "gamma", "kl", "fft_mse", "words"),
    [(1e-3, 1e3, 90.0, 2e-6, []), (1e-3, 1e3, 90.0, 1e-7, ["collapsed to one state"]),
     (1e-3, 1e4, 17e3, 1e-7, ["collapsed to one state", "L_KL is 224 times that of the stage before"]),
     (1e-1, 0.0, 0.1, 1e-5, ["posterior collapsed"])],
)  # fmt: skip
def test_stage_says_what_has_collapsed_and_why_kl_has_jumped(caplog, beta, gamma, kl, fft_mse, words):
    before = [(Stage(number, 1e-3, gamma, 0, 1), metrics(76.0, 1e-5)) for number, gamma in enumerate((0.0, 10.0))]
    with caplog.at_level(logging.INFO, "keras_evae"):
        log_stage_line(Stage(2, beta, gamma, 1, 1), metrics(kl, fft_mse), 2.0, 100, before)
    assert len(caplog.messages) == max(1, len(words))
    assert all(word in line for word, line in zip(words, caplog.messages, strict=False))
    assert ("collapsed" in caplog.messages[0]) == bool(words)


def test_epochs_are_logged_for_those_who_ask(clock, caplog):
    validation = {f"val_{name}": 2 * value for name, value in LOGS.items()}
    with caplog.at_level(logging.DEBUG, "keras_evae"), StageProgress("stage", "", 100, 0, 10, Pace(100)) as stage:
        steps(stage, clock, 2)
        clock[0] += 2
        stage.on_epoch_end(4, LOGS | validation)
    assert caplog.messages == [
        "epoch 4: train L_RC 0.5 L_KL 12 L_H -0.05 | validation L_RC 1 L_KL 24 L_H -0.1 | 5 samples/s"
    ]

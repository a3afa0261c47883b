"""What a training says while it runs."""

import logging

import pytest

from keras_evae.runs.stage_plan import Stage
from keras_evae.training import progress
from keras_evae.training.progress import Pace, log_stage_line


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

"""train.py and evaluate.py from the shell: a whole run at 32 x 32, its resumption, and bad input."""

import csv
import json
import shutil
import signal
import subprocess

import numpy as np
import pytest

from keras_evae.config import load_config
from keras_evae.training.recipe import train
from tests.helpers.commands import PATIENCE, SMOKE, assert_one_line, call_here, command

LADDER = [0, 0, 10, 1000]
STAGES = ["00_beta_0.0001_gamma_0", "01_beta_0.001_gamma_0", "02_beta_0.001_gamma_10", "03_beta_0.001_gamma_1000"]


@pytest.fixture(scope="module")
def folder(smoke_folder, tmp_path_factory):
    """A folder of this module's own with a finished smoke run."""
    return shutil.copytree(smoke_folder, tmp_path_factory.mktemp("work") / "copy")


def test_run_folder_is_complete(folder):
    run = folder / "runs" / "smoke"
    assert sorted(path.name for path in (run / "stages").iterdir()) == STAGES
    epochs = []
    for stage in STAGES:
        with open(run / "stages" / stage / "history.csv") as file:
            rows = list(csv.DictReader(file))
        epochs += [int(row["epoch"]) for row in rows]
        metrics = json.loads((run / "stages" / stage / "metrics.json").read_text())
        for weight in ("beta", "gamma"):
            assert [float(row[weight]) for row in rows] == pytest.approx([metrics[weight]] * len(rows))
        assert np.isfinite(list(metrics["metrics"]["validation"].values())).all()
    assert epochs == list(range(7))


def test_second_call_has_nothing_to_do(folder, caplog):
    def times():
        files = [path for path in (folder / "runs").rglob("*") if path.is_file() and path.name != ".lock"]
        return {path: path.stat().st_mtime_ns for path in files}

    before = times()
    caplog.set_level("INFO")
    result = call_here(folder, "train.py", "--config", SMOKE)
    assert result.returncode == 0
    assert "there: beta = 0.0001, 0.001" in caplog.text and "to train" not in caplog.text
    assert before == times()


@pytest.fixture(scope="module")
def second(folder):
    """A younger run beside the first, with the same stages."""
    return shutil.copytree(folder / "runs" / "smoke", folder / "runs" / "second", copy_function=shutil.copy)


def test_evaluate_takes_the_latest_run_and_makes_tables_pictures_and_numbers(folder, second, caplog):
    caplog.set_level("INFO")
    result = call_here(folder, "evaluate.py", "--losses", "--reconstructions", "--fft-mse")
    assert result.returncode == 0, result.stderr
    for name, gammas in (("losses", LADDER), ("reconstructions", LADDER), ("fft_mse", LADDER[1:])):
        assert (second / "evaluation" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        with open(second / "evaluation" / f"{name}.csv") as file:
            assert [float(row["gamma"]) for row in csv.DictReader(file)] == gammas
    assert "second: losses" in caplog.text


@pytest.mark.slow
def test_plain_vae_on_a_stream_has_no_ladder_of_gamma(folder, monkeypatch, caplog):
    """Its second stage goes on with configurations not seen before."""
    monkeypatch.chdir(folder)
    options = ["dataset.source=stream", "dataset.path=data/stream.h5", "dataset.shape=[16, 16]", "evae=null"]
    caplog.set_level("INFO")
    run = train(load_config("smoke", [*options, "vae.epochs=1"]), "runs/vae")
    assert "60 lattices of 16 x 16" in caplog.text and len(run.stages) == 2
    result = call_here(folder, "evaluate.py", "--run", "runs/vae", "--losses", "--fft-mse")
    assert_one_line(result, 3, "figures against gamma need a run with an evae section")
    assert "vae: losses" in caplog.text


def test_bad_configuration(folder, tmp_path):
    (tmp_path / "bad.yaml").write_text("dataset: {shape: [100, 128]}\n")
    result = call_here(tmp_path, "train.py", "--config", "bad.yaml")
    assert_one_line(result, 2, "bad.yaml: dataset.shape", "found 100")
    result = call_here(folder, "train.py", "--config", SMOKE, "--set", "training.batchsize=3")
    assert_one_line(result, 2, "did you mean 'batch_size'?")
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.yaml"]


def test_second_trainer_is_refused_and_interrupt_leaves_a_checkpoint(folder, tmp_path):
    """Two processes at one run; Ctrl-C for the first."""
    (tmp_path / "data").symlink_to(folder / "data")
    options = ["--config", SMOKE, "--set", "vae.epochs=10000"]
    line, where = command(tmp_path, "train.py", *options, "--verbose")
    run = tmp_path / "runs" / "smoke"
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **where) as first:
        try:
            # The second epoch is over, so that the end of the first is kept.
            assert any(line.startswith("epoch 1") for line in first.stdout)
            second = call_here(tmp_path, "train.py", *options)
            first.send_signal(signal.SIGINT)
            _, errors = first.communicate(timeout=PATIENCE)
        finally:
            first.kill()
    assert_one_line(second, 6, f"found process {first.pid} on")
    assert first.returncode == 130
    assert errors == "error: interrupted; finished work is kept, the same command goes on from there\n"
    checkpoint = run / "checkpoint.npz"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    result = call_here(tmp_path, "train.py", *options)
    assert_one_line(result, 3, "checkpoint.npz: truncated or damaged", "delete it, and training goes on")
    assert checkpoint.read_bytes() == content[: len(content) // 2]

"""train.py and evaluate.py from the shell: a whole run at 32 x 32, its resumption, and bad input."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.lock import hold_lock
from tests.commands import ROOT, call, command, smoke

STAGES = ["00_beta_0.0001_gamma_0", "01_beta_0.001_gamma_0", "02_beta_0.001_gamma_10", "03_beta_0.001_gamma_1000"]


@pytest.fixture(scope="module")
def folder(smoke_folder, tmp_path_factory):
    """A folder of this module's own with a finished smoke run."""
    return shutil.copytree(smoke_folder, tmp_path_factory.mktemp("work") / "copy")


def test_plan_comes_first(folder):
    lines = (folder / "first.txt").read_text().splitlines()
    assert lines[0].startswith("Hamiltonian  exchange J = 1, Dzyaloshinskii-Moriya D = 0.3 of Neel type")
    text = "\n".join(lines[: [n for n, line in enumerate(lines) if line.startswith("Run folder")][0]])
    for part in ("80 lattices of 32 x 32; to anneal", "to train: beta = 0.0001, 0.001", "gamma = 10, 1000", "Time"):
        assert part in text


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


def read_events(folder):
    for file in sorted(folder.rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                yield event.step, value


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_has_one_epoch_axis_and_pictures(folder):
    events = list(read_events(folder / "runs" / "smoke" / "tensorboard"))
    scalars = {}
    for step, value in events:
        scalars.setdefault(value.tag, set()).add(step)
    for tag in ("epoch_loss", "epoch_reconstruction_loss", "epoch_beta", "epoch_gamma"):
        assert scalars[tag] == set(range(7))
    assert scalars["stage_generated/fft_mse"] == {1, 3, 4, 6}
    for tag in ("X_in", "X_out", "X_out_generated"):
        assert scalars[tag] == {1, 3, 4, 6}
        # The first two strings are width and height, the others the pictures.
        image = next(tf.make_ndarray(value.tensor) for _, value in events if value.tag == tag)
        picture = tf.io.decode_png(image[2]).numpy()
        assert picture.shape == (32, 32, 3) and picture.std() > 10


def test_second_call_has_nothing_to_do(folder):
    def times():
        files = [path for path in (folder / "runs").rglob("*") if path.is_file() and path.name != ".lock"]
        return {path: path.stat().st_mtime_ns for path in files}

    before = times()
    result = smoke(folder)
    assert result.returncode == 0
    assert "there: beta = 0.0001, 0.001" in result.stdout and "to train" not in result.stdout
    assert before == times()


def test_killed_run_goes_on_to_the_same_result(folder):
    """Killed inside a stage and started again, it ends with the bits of the uninterrupted run."""
    line, options = command(folder, "train.py", "--config", ROOT / "configs" / "smoke.yaml", "--output", "runs/killed")
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    stages = folder / "runs" / "killed" / "stages"
    while not (stages / STAGES[0]).exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 1 <= len([path for path in stages.iterdir() if not path.name.startswith(".")]) < 4
    result = smoke(folder, "--output", "runs/killed")
    assert result.returncode == 0 and "there: beta = 0.0001" in result.stdout
    for stage in STAGES:
        whole, resumed = (
            json.loads((folder / "runs" / name / "stages" / stage / "metrics.json").read_text())["metrics"]
            for name in ("smoke", "killed")
        )
        assert resumed == whole


def test_evaluate_makes_tables_pictures_and_numbers(folder):
    result = call(folder, "evaluate.py", "--run", "runs/smoke", "--losses", "--reconstructions", "--fft-mse")
    assert result.returncode == 0, result.stderr
    output = folder / "runs" / "smoke" / "evaluation"
    for name, rows in (("losses", 4), ("reconstructions", 4), ("fft_mse", 3)):
        assert matplotlib.image.imread(output / f"{name}.png").std() > 0.01
        with open(output / f"{name}.csv") as file:
            assert len(list(csv.DictReader(file))) == rows
    assert "does not hold (at least 100 times lower than at gamma = 0)" in result.stdout


def test_evaluate_takes_the_latest_run_and_compares_runs(folder):
    assert smoke(folder, "--output", "runs/second", "--set", "training.seed=1", "--set", "evae.gammas=[10]",
                 "--set", "evae.epochs=1").returncode == 0  # fmt: skip
    result = call(folder, "evaluate.py", "--losses")
    assert result.returncode == 0 and "second: losses" in result.stdout
    result = call(folder, "evaluate.py", "--run", "runs/smoke", "--run", "runs/second", "--fft-mse", "--output", "both")
    assert result.returncode == 0
    with open(folder / "both" / "fft_mse.csv") as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"smoke", "second"}


def test_training_on_a_stream(folder):
    """Equal whether it is interrupted or not: the second stage goes on with configurations not seen before."""
    options = ["--set", "dataset.source=stream", "--set", "dataset.path=data/stream.h5", "--set", "evae.gammas=[10]",
               "--set", "evae.epochs=1", "--output", "runs/stream"]  # fmt: skip
    result = smoke(folder, *options)
    assert result.returncode == 0, result.stderr
    assert "60 lattices of 32 x 32" in result.stdout
    assert call(folder, "evaluate.py", "--run", "runs/stream", "--losses").returncode == 0


def assert_one_line(result, exit_code, *parts):
    assert result.returncode == exit_code, result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("error: ")
    for part in parts:
        assert part in result.stderr


def test_second_trainer_on_a_run_is_refused(folder):
    with hold_lock(folder / "runs" / "smoke" / ".lock"):
        assert_one_line(smoke(folder), 6, f"found process {os.getpid()}")


def test_plain_vae_has_no_ladder_of_gamma(folder):
    options = ["--set", "evae=null", "--set", "vae.betas=[1e-4]", "--set", "vae.epochs=1", "--output", "runs/vae"]
    assert smoke(folder, *options).returncode == 0
    result = call(folder, "evaluate.py", "--run", "runs/vae", "--fft-mse")
    assert_one_line(result, 3, "figures against gamma need a run with an evae section")


def test_cut_short_epochs_leave_no_logs(folder):
    """The run that was killed inside a stage has each epoch once in its logs."""
    for name in ("killed", "smoke"):
        steps = [
            s for s, value in read_events(folder / "runs" / name / "tensorboard" / "train") if value.tag == "epoch_loss"
        ]
        assert steps == list(range(7))


def test_output_of_the_evaluation_that_is_a_file(folder):
    (folder / "file").touch()
    result = call(folder, "evaluate.py", "--run", "runs/smoke", "--losses", "--output", "file")
    assert_one_line(result, 3, "file: expected a folder for the results, found a file")


def test_no_run_yet(tmp_path):
    assert_one_line(call(tmp_path, "evaluate.py", "--losses"), 3, "no run found; start one with: python train.py")
    (tmp_path / "runs" / "young" / "stages").mkdir(parents=True)
    (tmp_path / "runs" / "young" / "config.yaml").write_text("{}\n")
    assert_one_line(call(tmp_path, "evaluate.py", "--losses"), 3, "no stage is finished yet")


def test_bad_configuration(folder, tmp_path):
    (tmp_path / "bad.yaml").write_text("dataset: {shape: [100, 128]}\n")
    assert_one_line(call(tmp_path, "train.py", "--config", "bad.yaml"), 2, "bad.yaml: dataset.shape", "found 100")
    assert_one_line(smoke(folder, "--set", "training.batchsize=3"), 2, "did you mean 'batch_size'?")
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.yaml"]


def test_dataset_of_another_hamiltonian_and_damaged_dataset(folder, tmp_path):
    data = tmp_path / "data" / "smoke_32x32.h5"
    data.parent.mkdir()
    data.write_bytes((folder / "data" / "smoke_32x32.h5").read_bytes())
    result = smoke(tmp_path, "--set", "hamiltonian.D=0.2")
    assert_one_line(result, 4, "hamiltonian.D: expected 0.2 as configured, found 0.3")
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])
    assert_one_line(smoke(tmp_path), 3, "smoke_32x32.h5: truncated or damaged")
    assert data.read_bytes() == content[: len(content) // 2]


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_with_their_code(tmp_path, number, exit_code):
    line, options = command(
        tmp_path, "train.py", "--config", ROOT / "configs" / "smoke.yaml", "--set", "vae.epochs=10000"
    )
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    while not list((tmp_path / "runs" / "smoke").glob("tensorboard/train/*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == exit_code
    assert "finished work is kept" in errors.splitlines()[-1] and "Traceback" not in errors


@pytest.mark.slow
def test_run_of_a_disc(tmp_path):
    """A masked sample from data to figures; a changed size belongs to another dataset and another run."""
    disc = ("--set", "geometry={shape: disc, size: 24}")
    result = smoke(tmp_path, *disc)
    assert result.returncode == 0, result.stderr
    assert "spins on 448 of 32 x 32 sites" in result.stdout
    assert "nothing to do" in smoke(tmp_path, *disc).stdout
    assert call(tmp_path, "evaluate.py", "--losses", "--reconstructions", "--fft-mse").returncode == 0
    for arguments in (("--set", "geometry.size=26"), ("--set", "geometry.size=26", "--output", "runs/other")):
        changed = smoke(tmp_path, *disc, *arguments)
        assert changed.returncode == 4 and "hamiltonian.mask: expected" in changed.stderr
    assert smoke(tmp_path, "--set", "geometry={shape: disc, size: 40}").returncode == 2

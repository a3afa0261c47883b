"""Promise T1: training that is killed or stopped at any moment and started again ends with the same bits."""

import json
import signal
import subprocess
import sys

import pytest

from keras_evae.config import load_config
from keras_evae.dataset import ensure_dataset
from keras_evae.runs.from_config import dataset_specification
from tests.helpers.commands import python_environment, run_python
from tests.helpers.training_cases import CONFIG, EPOCHS, fingerprint, read_events


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a configuration and its data."""
    folder = tmp_path_factory.mktemp("resume")
    (folder / "run.yaml").write_text(CONFIG)
    specification = dataset_specification(load_config(folder / "run.yaml"))
    ensure_dataset(folder / "data" / "spins.h5", specification)
    return folder


@pytest.fixture
def train(folder):
    """Runs trainings in processes forked from one that has everything imported."""
    options = {"cwd": folder, "env": python_environment(), "text": True}
    line = [sys.executable, "-m", "tests.helpers.killed_training"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as process:

        def run_train(run, *moment, options=()):
            words = [*(moment or ("never", 0)), "--config", "run.yaml", "--output", f"runs/{run}", *options]
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
            return subprocess.CompletedProcess(words, **json.loads(process.stdout.readline()))

        yield run_train


@pytest.mark.filterwarnings("ignore")
def test_killed_at_epochs_and_between_stages_and_stopped(folder, train):
    """Each death leaves the training at another kind of place; the result is that of the uninterrupted run."""
    whole = train("whole", options=["--verbose", "--set", "training.checkpoint_minutes=60"])
    assert whole.returncode == 0, whole.stderr
    assert not (folder / "runs" / "whole" / "checkpoint.npz").exists()
    assert [line.split(":")[0] for line in whole.stdout.splitlines() if line.startswith("epoch")] == [
        f"epoch {epoch}" for epoch in range(EPOCHS)
    ]
    assert "\r" not in whole.stdout + whole.stderr
    stages = sorted(fingerprint(folder / "runs" / "whole"))

    run = folder / "runs" / "killed"
    # In the middle of writing the checkpoint of the second epoch.
    assert train("killed", "write", 2, "half written").returncode == -signal.SIGKILL
    assert not list((run / "stages").iterdir())
    # Ctrl-C while the first stage is evaluated.
    resumed = train("killed", "evaluate", 1)
    assert resumed.returncode == 130
    assert f"Going on     in {stages[0]} after 1 of 2 epochs" in resumed.stdout
    # When the first stage is there, and the checkpoint of its last epoch too.
    resumed = train("killed", "saved", 1)
    assert resumed.returncode == -signal.SIGKILL
    assert f"Going on     in {stages[0]} after 2 of 2 epochs" in resumed.stdout
    assert [path.name for path in (run / "stages").iterdir()] == stages[:1] and (run / "checkpoint.npz").exists()
    # SIGTERM at the third step of the second epoch of the second stage.
    stopped = train("killed", "term", 8, options=["--set", "training.checkpoint_minutes=60"])
    assert stopped.returncode == 143
    assert stopped.stderr.splitlines()[-1].startswith("error: terminated; finished work is kept")
    resumed = train("killed")
    assert resumed.returncode == 0, resumed.stderr
    assert f"Going on     in {stages[1]} after 1 of 2 epochs" in resumed.stdout
    assert sorted(path.name for path in run.iterdir()) == sorted(
        path.name for path in (folder / "runs" / "whole").iterdir()
    )
    assert fingerprint(run) == fingerprint(folder / "runs" / "whole")
    for split in ("train", "validation"):
        steps = [step for step, value in read_events(run / "tensorboard" / split) if value.tag == "1 losses/loss"]
        assert steps == list(range(EPOCHS))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["each", "random"])
@pytest.mark.timeout(3600)
def test_many_kills(folder, mode):
    result = run_python(folder, "-m", "tests.helpers.training_kills", mode, "run.yaml")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    assert record["kills"] >= 20 and record["runs"] == record["equal"]
    print(record)

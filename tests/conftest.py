"""TensorFlow without its start-up messages, and a finished run that tests share."""

import contextlib
import dataclasses
import fcntl
import os
import signal

# Each of two processes of pytest-xdist on two cores: threads of BLAS would wait for one another, at full load.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest

from keras_evae import plotting
from keras_evae.evaluation import stage_states
from keras_evae.machine import prepare_tensorflow
from keras_evae.runs.run import load_run
from tests.helpers.commands import smoke

# In the background of a shell script Ctrl-C is ignored, also by the commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The files that take longest, which begin first: so the processes of pytest-xdist end at about the same time.
LONGEST = [
    "resume_test.py",
    "evae_train_test.py",
    "general_test.py",
    "replicas_test.py",
    "evae_test.py",
    "ground_state_test.py",
    "report_test.py",
    "cluster_test.py",
    "annealing_test.py",
    "polyphase_test.py",
    "keras_switches_test.py",
    "compilation_test.py",
    "shard_folder_test.py",
    "thermal_test.py",
    "packaging_test.py",
]


def pytest_pycollect_makemodule():
    """Before the first test is read, and not in the process of pytest-xdist that hands out the tests."""
    prepare_tensorflow()


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def smoke_folder(tmp_path_factory):
    """A folder with a finished smoke run, `runs/smoke`, its dataset and what train.py said; not to be changed.

    The processes of pytest-xdist share one, which the first of them makes.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "smoke"
    folder.mkdir(exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "first.txt").exists():
            result = smoke(folder)
            assert result.returncode == 0, result.stderr
            (folder / "first.txt").write_text(result.stdout)
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """The figures that recipes save, by the names of their files."""
    figures = {}

    def keep(figure, path):
        figure.savefig(path)
        figures[path.name] = figure

    monkeypatch.setattr(plotting, "save_figure", keep)
    return figures


@pytest.fixture(scope="session")
def opened_run(smoke_folder):
    with contextlib.chdir(smoke_folder):
        return load_run("runs/smoke")


@pytest.fixture
def smoke_run(opened_run, smoke_folder, monkeypatch):
    """The finished smoke run, opened once, in the folder to which the paths of its configuration belong."""
    monkeypatch.chdir(smoke_folder)
    with plotting.style():
        yield opened_run


@pytest.fixture
def run(smoke_run):
    return smoke_run


@pytest.fixture(scope="session", autouse=True)
def one_model_of_each_network():
    """Evaluations load the weights of a stage before each use, so all runs of one network may take one traced model."""

    models = {}

    def model_of(run):
        network = run.shape, run.hamiltonian, run.config.network.model_dump_json(), run.config.training.precision
        if network not in models:
            models[network] = run.new_model()
        return models[network]

    model_of.cache_clear = lambda: None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_states, "_model_of", model_of)
        yield


@pytest.fixture
def vae_run(smoke_run, tmp_path):
    """The first stage of that run, as of a VAE alone."""
    config = smoke_run.config.model_copy(update={"evae": None})
    return dataclasses.replace(smoke_run, path=tmp_path / "vae", config=config, stages=smoke_run.stages[:1])

"""TensorFlow without its start-up messages, and a finished run that tests share."""

import fcntl
import os
import signal

import pytest

from tests.commands import smoke

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# In the background of a shell script Ctrl-C is ignored, also by the commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


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

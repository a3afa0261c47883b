"""TensorFlow without its start-up messages, and a finished run that tests share."""

import os

import pytest

from tests.commands import smoke

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def smoke_folder(tmp_path_factory):
    """A folder with a finished smoke run, `runs/smoke`, its dataset and what train.py said; not to be changed."""
    folder = tmp_path_factory.mktemp("smoke")
    result = smoke(folder)
    assert result.returncode == 0, result.stderr
    (folder / "first.txt").write_text(result.stdout)
    return folder

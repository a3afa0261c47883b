"""The finished smoke run, opened in the folder to which the paths of its configuration belong."""

import pytest

from keras_evae import plotting
from keras_evae.runs.run import load_run


@pytest.fixture
def smoke_run(smoke_folder, monkeypatch):
    monkeypatch.chdir(smoke_folder)
    with plotting.style():
        yield load_run("runs/smoke")

"""What is said before the training; the command itself is tested in commands_test.py."""

import re

import numpy as np

from keras_evae.analysis import critical_beta
from keras_evae.config_sections import TrainingConfig
from keras_evae.dataset import read_split
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import read_values
from keras_evae.runs.from_config import dataset_specification, planned_stages
from keras_evae.training.forecast import describe_posterior_collapse, training_seconds
from keras_evae.training.trainer import compile_model


def test_expected_posterior_collapse(smoke_run, smoke_folder):
    config = smoke_run.config
    specification = dataset_specification(config)
    estimate = critical_beta(read_split(config.dataset.path, "train"), (True, True))
    line = describe_posterior_collapse(config.dataset.path, specification, planned_stages(config))
    assert f"about {estimate:.2g} (" in line and line.endswith("beyond it: none")
    vae = config.model_copy(update={"evae": None, "vae": config.vae.model_copy(update={"betas": (1e-4, 0.9, 1.5)})})
    line = describe_posterior_collapse(vae.dataset.path, specification, planned_stages(vae))
    assert line.endswith("beyond it: 0.9, 1.5")
    (first,) = re.findall(r"^Collapse .*$", (smoke_folder / "first.txt").read_text(), re.MULTILINE)
    assert f"about {estimate:.2g} (" in first


def test_trial_leaves_no_trace():
    """In what training goes on from: weights, optimiser, statistics, noise."""
    model = EVAE((16, 16), latent_dim=4, gamma=1.0)
    compile_model(model, TrainingConfig())
    before = read_values(model)
    assert training_seconds(model, 4, (8, 4), samples=80, epochs=10, stages=2) > 0
    for value, expected in zip(read_values(model), before, strict=True):
        np.testing.assert_array_equal(value, expected)

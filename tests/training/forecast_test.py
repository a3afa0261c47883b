"""What is said before the training; the command itself is tested in commands_test.py."""

import re

from keras_evae.analysis import critical_beta
from keras_evae.dataset import read_split
from keras_evae.runs.from_config import dataset_specification, planned_stages
from keras_evae.training.forecast import describe_posterior_collapse


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

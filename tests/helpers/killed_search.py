"""A small search of a ground state, killed at a chosen moment.

python -m tests.helpers.killed_search CONFIG OUTPUT            to its end
python -m tests.helpers.killed_search CONFIG OUTPUT write N    SIGKILL in the N-th checkpoint of the probes
python -m tests.helpers.killed_search CONFIG OUTPUT saved      SIGKILL when the probe in training has appeared
"""

import os
import signal
import sys
from pathlib import Path

from keras_evae.config import load_config
from keras_evae.evaluation.ground_state import find_ground_state
from keras_evae.training import search_trial, trainer
from tests.helpers.killed_training import count, prepare

# A few steps neither inform the latent space nor sharpen the collapse; one anneal, whatever the CPU time.
SMALL = {"bound": 0.0, "factor": 10.0, "anneal_seconds": 0.0}
CONFIG = """
dataset:
  path: {folder}/spins.h5
  shape: [16, 16]
  train: 40
  validation: 8
  test: 4
  schedule: {{temperatures: 5, max_greedy_sweeps: 50}}
network: {{latent_dim: 4}}
training: {{batch_size: 8, augmentation: true, checkpoint_minutes: 1.0e-6}}
vae: {{betas: [1e-4], epochs: 4}}
evae: {{beta: 1e-4, gammas: [100, 100000], epochs: [1, 2]}}
"""


def prepare_kill(moment, number="1"):
    """Checkpoints of the VAE do not count: the trap is set when the probes begin."""
    traps = {
        "write": lambda: prepare("write", int(number), ["half written"]),
        "saved": lambda: count(trainer, "save_stage", 1, lambda: count(trainer, "remove_checkpoint", 1, kill)),
    }
    count(search_trial, "Trial", 1, traps[moment])


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    config, output, *moment = sys.argv[1:]
    if moment:
        prepare_kill(*moment)
    find_ground_state(load_config(config), Path(output), seeds=1, **SMALL)

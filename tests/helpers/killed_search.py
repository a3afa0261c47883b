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
from keras_evae.evaluation import ground_state
from keras_evae.evaluation.ground_state import find_ground_state
from keras_evae.minima import certificate, slow_anneals
from keras_evae.training import collapse_search, search_trial
from tests.helpers.killed_training import count, prepare


def shrink():
    """A few steps neither inform the latent space nor sharpen the collapse; one anneal, whatever the CPU time."""
    search_trial.COLLAPSED_KL = 0.0
    collapse_search.LIKENESS_DROP = 10.0
    certificate.MOST_ANNEALS = certificate.FEWEST_ANNEALS = 2
    ground_state.anneal_for = lambda *given: slow_anneals.anneal_for(given[0], given[1], 0.0, given[3])


def prepare_kill(moment, number="1"):
    """Checkpoints of the VAE do not count: the trap is set when the probes begin."""
    if moment == "write":
        count(ground_state, "run_trial", 1, lambda: prepare("write", int(number), ["half written"]))
    else:
        count(search_trial, "save_stage", 1, lambda: count(search_trial, "remove_checkpoint", 1, kill))


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    config, output, *moment = sys.argv[1:]
    shrink()
    if moment:
        prepare_kill(*moment)
    find_ground_state(load_config(config), Path(output), seeds=1)

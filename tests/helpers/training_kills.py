"""Kills trainings and resumes them, in processes forked from one that has everything imported.

python -m tests.helpers.training_kills each|random CONFIG    writes a JSON record as its last line
"""

import json
import os
import random
import sys
from pathlib import Path

from keras_evae.config import load_config
from keras_evae.training.recipe import train
from tests.helpers.dataset_kills import fork, killed
from tests.helpers.killed_training import OPERATIONS, prepare
from tests.helpers.training_cases import STEPS, fingerprint

RUNS = 8
# Starts of one run after which it does not get on.
MOST = 100


def training(config, run, *moment):
    """A training in a process of its own, killed at a moment; returns its number."""

    def body():
        if moment:
            name, number, *rest = moment
            prepare(name, number, list(rest))
        train(config, run)

    return fork(body)


def each(config, folder):
    """Kills in turn at each operation of a checkpoint inside a stage and at its end, and at each stage's appearance."""
    moments = [("write", number, operation) for number in (1, 2, 3, 5) for operation in OPERATIONS]
    moments += [("saved", number) for number in (1, 2, 3)]
    kills = equal = 0
    for index, moment in enumerate(moments):
        run = folder / str(index)
        kills += killed(training(config, run, *moment))
        equal += finish(config, run) == fingerprint(folder / "whole")
    return {"runs": len(moments), "kills": kills, "equal": equal}


def random_moments(config, folder):
    """Kills each run again and again at random steps until it is finished."""
    draw, kills, equal, inside = random.Random(0), 0, 0, 0
    for index in range(RUNS):
        run = folder / str(index)
        for _ in range(MOST):
            if len(list(run.glob("stages/[0-9]*"))) == 3:
                break
            # Often beyond the end of an epoch, so that the run gets on.
            kills += killed(training(config, run, "step", draw.randint(1, 4 * STEPS)))
            inside += (run / "checkpoint.npz").exists()
        else:
            raise RuntimeError(f"{run}: not finished after {MOST} starts")
        equal += finish(config, run) == fingerprint(folder / "whole")
    return {"runs": RUNS, "kills": kills, "with checkpoint": inside, "equal": equal}


def finish(config, run):
    if os.waitstatus_to_exitcode(os.waitpid(training(config, run), 0)[1]):
        raise RuntimeError(f"{run}: did not go on")
    return fingerprint(run)


if __name__ == "__main__":
    mode, config, folder = sys.argv[1], load_config(sys.argv[2]), Path("kills") / sys.argv[1]
    finish(config, folder / "whole")
    record = {"each": each, "random": random_moments}[mode](config, folder)
    print(json.dumps(record))

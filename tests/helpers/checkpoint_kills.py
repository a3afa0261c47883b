"""Kills the writing of a checkpoint at each operation that changes the disk.

python -m tests.helpers.checkpoint_kills FOLDER    writes a JSON record of the epochs that were read afterwards
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np

from keras_evae import files
from keras_evae.runs.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from tests.helpers.dataset_kills import Tripwire, fork, killed

OLD = Checkpoint("stage", 1, {"loss": [0.5]}, [np.arange(1000.0), np.zeros((2, 3), np.float32)])
NEW = dataclasses.replace(OLD, epoch=2, history={"loss": [0.5, 0.25]})


def write_until(path, last):
    tripwire = Tripwire(last)
    for name in ("fsync", "replace"):
        setattr(os, name, tripwire.guard(getattr(os, name)))
    files.open = tripwire.open
    write_checkpoint(path, NEW)


def each(folder):
    found = {}
    for old in (False, True):
        epochs = []
        for last in range(1, 100):
            path = folder / f"{old}_{last}"
            if old:
                write_checkpoint(path, OLD)
            if not killed(fork(write_until, path, last)):
                break
            checkpoint = read_checkpoint(path)
            epochs.append(checkpoint and checkpoint.epoch)
        found[str(old)] = epochs
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "record.json").write_text(json.dumps(each(folder)))

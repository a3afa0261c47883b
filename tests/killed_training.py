"""train.py, killed or asked to stop at a chosen moment.

python -m tests.killed_training write N OPERATION ...    SIGKILL at an operation of the N-th checkpoint's writing
python -m tests.killed_training saved N ...              SIGKILL when the N-th stage's folder has just appeared
python -m tests.killed_training term N ...               SIGTERM at the N-th step

The remaining arguments are those of train.py.
"""

import itertools
import os
import runpy
import signal
import sys

from keras_evae import durable, fitting, training
from tests.dataset.kills import Tripwire
from tests.training_cases import ROOT

# What `durable.write_whole` does to the disk, in order; the last is the folder's fsync, after the renaming.
OPERATIONS = ("opened", "half written", "written", "synced", "renamed")


def count(module, name, number, act):
    """Calls `act` before the n-th call of a function of a module."""
    function, counter = getattr(module, name), itertools.count(1)

    def counting(*arguments, **options):
        if next(counter) == number:
            act()
        return function(*arguments, **options)

    setattr(module, name, counting)


def arm(operation):
    tripwire = Tripwire(OPERATIONS.index(operation) + 1)
    for name in ("fsync", "replace"):
        setattr(os, name, tripwire.guard(getattr(os, name)))
    durable.open = tripwire.open


def prepare(moment, number, arguments):
    """Sets the trap; the arguments for train.py are what is left."""
    if moment == "write":
        operation = arguments.pop(0)
        count(fitting, "write_checkpoint", number, lambda: arm(operation))
    if moment == "saved":
        count(training, "remove_checkpoint", number, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if moment == "term":
        count(fitting.Position, "on_train_batch_end", number, lambda: os.kill(os.getpid(), signal.SIGTERM))


if __name__ == "__main__":
    moment, number, *arguments = sys.argv[1:]
    prepare(moment, int(number), arguments)
    sys.argv = [str(ROOT / "train.py"), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")

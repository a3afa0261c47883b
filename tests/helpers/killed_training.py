"""train.py, killed or asked to stop at chosen moments.

python -m tests.helpers.killed_training

Reads requests from standard input, a JSON list of words in each line, and answers each with a JSON object in a line. A
request is a moment and then the arguments of train.py, which runs in a process forked from this one:

write N OPERATION ...    SIGKILL at an operation of the N-th checkpoint's writing
saved N ...              SIGKILL when the N-th stage's folder has just appeared
evaluate N ...           SIGINT when the N-th stage is trained and not yet evaluated
term N ...               SIGTERM at the N-th step
step N ...               SIGKILL at the N-th step
never 0 ...              left alone
"""

import itertools
import json
import os
import runpy
import signal
import sys
import tempfile

from keras_evae import files
from keras_evae.training import trainer
from tests.helpers.commands import ROOT
from tests.helpers.dataset_kills import Tripwire, fork

# What `files.write_whole` does to the disk, in order; the last is the folder's fsync, after the renaming.
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
    files.open = tripwire.open


def prepare(moment, number, arguments):
    """Sets the trap; the arguments for train.py are what is left."""
    if moment == "write":
        operation = arguments.pop(0)
        count(trainer, "write_checkpoint", number, lambda: arm(operation))
    if moment == "saved":
        count(trainer, "remove_checkpoint", number, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if moment == "evaluate":
        count(trainer, "evaluate_stage", number, lambda: os.kill(os.getpid(), signal.SIGINT))
    if moment in ("term", "step"):
        number_of_signal = signal.SIGTERM if moment == "term" else signal.SIGKILL
        count(trainer.StopOnNonFinite, "on_train_batch_end", number, lambda: os.kill(os.getpid(), number_of_signal))


def run_train(words, output, errors):
    """Runs train.py in this process, which ends with it."""
    for descriptor, file in ((1, output), (2, errors)):
        os.dup2(file.fileno(), descriptor)
    moment, number, *arguments = words
    prepare(moment, int(number), arguments)
    sys.argv = [str(ROOT / "train.py"), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as stop:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stop.code)


def answer(words):
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        status = os.waitpid(fork(run_train, words, output, errors), 0)[1]
        for file in (output, errors):
            file.seek(0)
        return {"returncode": os.waitstatus_to_exitcode(status), "stdout": output.read(), "stderr": errors.read()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)

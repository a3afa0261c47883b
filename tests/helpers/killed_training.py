"""train.py, killed or asked to stop at chosen moments.

python -m tests.helpers.killed_training

Reads requests from standard input, a JSON list of words in each line, and answers each with a JSON object in a line. A
request is a moment and then the arguments of train.py, which runs in a process forked from this one:

write N ...    SIGKILL when the N-th checkpoint is half written
term N ...     SIGTERM at the N-th step
never 0 ...    left alone
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
from tests.helpers.dataset_kills import Tripwire, fork
from tests.helpers.training_cases import ROOT


def count(module, name, number, act):
    """Calls `act` before the n-th call of a function of a module."""
    function, counter = getattr(module, name), itertools.count(1)

    def counting(*arguments, **options):
        if next(counter) == number:
            act()
        return function(*arguments, **options)

    setattr(module, name, counting)


def arm():
    # After the opening of the file.
    tripwire = Tripwire(2)
    for name in ("fsync", "replace"):
        setattr(os, name, tripwire.guard(getattr(os, name)))
    files.open = tripwire.open


def prepare(moment, number):
    """Sets the trap."""
    if moment == "write":
        count(trainer, "write_checkpoint", number, arm)
    if moment == "term":
        count(trainer.StopOnNonFinite, "on_train_batch_end", number, lambda: os.kill(os.getpid(), signal.SIGTERM))


def run_train(words, output, errors):
    """Runs train.py in this process, which ends with it."""
    for descriptor, file in ((1, output), (2, errors)):
        os.dup2(file.fileno(), descriptor)
    moment, number, *arguments = words
    prepare(moment, int(number))
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

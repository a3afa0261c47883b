"""One `fit` of one batch from one saved state, again and again beside a load on all cores.

python -m tests.helpers.repeated_fits TIMES    writes what the results were, as JSON
"""

import contextlib
import json
import os
import subprocess
import sys

import tensorflow as tf

from keras_evae.config_sections import TrainingConfig
from keras_evae.machine import onednn_is_on
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import assign_values, read_values
from keras_evae.training.trainer import compile_model
from tests.helpers.states import random_spins

LOAD = "import numpy\na = numpy.ones((300, 300))\nwhile True:\n    a @ a"


@contextlib.contextmanager
def busy_machine():
    processes = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def repeat(times):
    """Bytes of all variables after each `fit`."""
    model = EVAE((128, 128), gamma=1.0)
    compile_model(model, TrainingConfig())
    start = read_values(model)
    # Of known size, as in training: then TensorFlow merges sums.
    spins = tf.data.Dataset.from_tensors(random_spins(100, 128, 128).astype("float32"))
    for _ in range(times):
        assign_values(model, start)
        model.fit(spins, verbose=0, shuffle=False)
        yield [value.tobytes() for value in read_values(model)]


if __name__ == "__main__":
    with busy_machine():
        found = list(repeat(int(sys.argv[1])))
    differing = sum(len(set(values)) > 1 for values in zip(*found, strict=True))
    results = len({b"".join(values) for values in found})
    print(
        json.dumps({"oneDNN": onednn_is_on(), "results": results, "variables": len(found[0]), "differing": differing})
    )

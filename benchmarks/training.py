"""Time of a full training step: three losses, gradients, Adam, on random spins.

    python benchmarks/training.py --size 128           # table: the phase form and the plain Keras layers, in turn
    python benchmarks/training.py --size 128 --json    # one line, medians after warm-up

The two forms take turns, so that their ratio holds on a noisy machine. `samples_per_s` and `step_s` are those of the
phase form, which training uses.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from keras_evae.model import EVAE
from keras_evae.optimizers import FusedAdam


def training_step(size: int, batch: int, phases: bool, jit_compile: bool) -> tuple[Callable[[], float], float]:
    """A function that makes one step and returns its loss, and the seconds of the first step with its compilation."""
    model = EVAE((size, size), gamma=1.0, phases=phases)
    model.compile(optimizer=FusedAdam(1e-3), jit_compile=jit_compile)
    model.make_train_function()
    spins = np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
    batches = iter(tf.data.Dataset.from_tensors(spins).repeat())

    def step() -> float:
        return float(model.train_function(batches)["loss"])

    start = time.perf_counter()
    step()
    return step, time.perf_counter() - start


def measure(size: int, batch: int, steps: int, jit_compile: bool) -> dict[str, float]:
    forms = {"phases": True, "plain": False}
    compiled = {name: training_step(size, batch, phases, jit_compile) for name, phases in forms.items()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(steps):
        for name, (step, _) in compiled.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    return {
        "step_s": medians["phases"],
        "samples_per_s": batch / medians["phases"],
        "plain_samples_per_s": batch / medians["plain"],
        "gain": medians["plain"] / medians["phases"],
        "first_step_s": compiled["phases"][1],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="side of the lattice")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=9, help="steps of each form; the first does not count")
    parser.add_argument("--jit-compile", action="store_true", help="compile with XLA")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    results = measure(arguments.size, arguments.batch, arguments.steps, arguments.jit_compile)
    if arguments.json:
        print(json.dumps({"size": arguments.size, "batch": arguments.batch, **results}))
        return
    for name, value in results.items():
        print(f"{name:22}{value:12.4g}")


if __name__ == "__main__":
    main()

"""Time of a full training step: three losses, gradients, Adam, fed by the training pipeline.

    python benchmarks/training.py --size 128            # the fast form, and the plain Keras layers in turn with it
    python benchmarks/training.py --size 128 --json     # one line, medians after warm-up
    python benchmarks/training.py --size 128 --levers   # what each part of the fast form is worth: all but that one
    python benchmarks/training.py --size 128 --input    # samples/s of the training pipeline alone
    python benchmarks/training.py --sizes               # memory, samples/s and parameters at 64 to 512, in turn

Variants take turns, step by step, so that their ratios hold on a noisy machine. `samples_per_s` and `step_s` are of
the fast form, which training uses, on spins in memory; `fed_samples_per_s` is the same with the training pipeline, file
and augmentation included, and `input_wait` the share of that time spent waiting for the next batch; `peak_memory_mb` is
that of the process after training in the fast form alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_evae.machine import describe_arithmetic, prepare_tensorflow, repeatable_sums

prepare_tensorflow()

import keras
import tensorflow as tf

from keras_evae.dataset import DatasetSpecification, ensure_dataset
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model import polyphase
from keras_evae.model.evae import EVAE
from keras_evae.model.fused_adam import FusedAdam
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.training.cached_splits import CachedSplits
from keras_evae.training.pipeline import training_batches

# The pipeline does not care how good the configurations are.
QUICK_SCHEDULE = AnnealingSchedule(temperatures=2, max_greedy_sweeps=0)
BATCHES = 3
# Of the pipeline alone: more lattices than the processor's caches hold.
INPUT_BATCHES = 10
# Side of the lattice, batch, width of the first dense layer; fewer lattices at once where each is large.
SIZES = ((64, 100, None), (128, 100, None), (256, 100, 3072), (512, 25, 3072))


class Variant:
    """A compiled training step with its times."""

    def __init__(
        self,
        size: int,
        batch: tf.Tensor,
        jit_compile: bool = False,
        phases: bool = True,
        fused_adam: bool = True,
        dense_units: int | None = None,
    ) -> None:
        model = EVAE((size, size), gamma=1.0, phases=phases, dense_units=dense_units)
        model.compile(optimizer=(FusedAdam if fused_adam else keras.optimizers.Adam)(1e-3))
        model.optimizer.build(model.trainable_variables)
        self.parameters = model.count_params()
        self.function = tf.function(model.train_step, jit_compile=jit_compile)
        self.times: list[float] = []
        # Traced here, while the patches of the variant hold.
        self.run(batch)
        self.first = self.times.pop()

    def run(self, batch: tf.Tensor) -> None:
        start = time.perf_counter()
        # As `EVAE.fit` compiles it.
        with repeatable_sums():
            float(self.function(batch)["loss"])
        self.times.append(time.perf_counter() - start)

    @property
    def step(self) -> float:
        return statistics.median(self.times[1:])


def batches(size: int, batch: int, folder: str) -> Iterator[tf.Tensor]:
    """The training pipeline on a file, with augmentation."""
    count = BATCHES * batch
    specification = DatasetSpecification(Hamiltonian(), (size, size), (count, 1, 1), 0, QUICK_SCHEDULE)
    path = Path(folder) / "spins.h5"
    ensure_dataset(path, specification)
    return iter(training_batches(path, batch, range(10**6), augment=Hamiltonian()))


def measure(size: int, batch: int, steps: int, jit_compile: bool) -> dict[str, float]:
    """The fast form, fed by the pipeline; then in turn with the plain layers."""
    waiting = []
    with tempfile.TemporaryDirectory() as folder:
        source = batches(size, batch, folder)
        spins = next(source)
        fast = Variant(size, spins, jit_compile)
        for _ in range(steps):
            start = time.perf_counter()
            spins = next(source)
            waiting.append(time.perf_counter() - start)
            fast.run(spins)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        del source
    wait, step = statistics.median(waiting[1:]), fast.step
    plain = Variant(size, spins, jit_compile, phases=False)
    fast.times.clear()
    for _ in range(steps):
        for variant in (fast, plain):
            variant.run(spins)
    return {
        "step_s": fast.step,
        "samples_per_s": batch / fast.step,
        "plain_samples_per_s": batch / plain.step,
        "gain": plain.step / fast.step,
        "fed_samples_per_s": batch / (wait + step),
        "input_wait": wait / (wait + step),
        "first_step_s": fast.first,
        "peak_memory_mb": memory,
    }


def input_rates(size: int, batch: int, steps: int) -> dict[str, float]:
    """Samples per second of the training pipeline alone: from memory and from the file, as stored and moved."""
    count = INPUT_BATCHES * batch
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        specification = DatasetSpecification(Hamiltonian(), (size, size), (count, 1, 1), 0, QUICK_SCHEDULE)
        path = Path(folder) / "spins.h5"
        ensure_dataset(path, specification)
        for place, cache in (("memory", True), ("file", False)):
            splits = CachedSplits(path, cache)
            for moved, augment in (("", None), (", augmented", Hamiltonian())):
                source = iter(training_batches(splits, batch, range(10**6), augment=augment))
                for _ in range(INPUT_BATCHES):
                    next(source)
                start = time.perf_counter()
                for _ in range(steps):
                    next(source)
                rates[place + moved] = steps * batch / (time.perf_counter() - start)
                del source
    return rates


def measure_size(size: int, batch: int, steps: int, dense_units: int | None) -> dict[str, float]:
    """The fast form alone, on spins in memory."""
    spins = tf.math.l2_normalize(tf.random.stateless_normal((batch, size, size, 3), (0, 0)), axis=-1)
    variant = Variant(size, spins, dense_units=dense_units)
    for _ in range(steps):
        variant.run(spins)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"parameters": variant.parameters, "samples_per_s": batch / variant.step, "peak_memory_gb": memory}


def sizes(steps: int) -> list[dict[str, float]]:
    """Each size in a process of its own, so that its peak of memory is its own."""
    rows = []
    for size, batch, dense_units in SIZES:
        line = [sys.executable, __file__, "--alone", "--json", "--size", str(size), "--batch", str(batch)]
        line += ["--steps", str(steps)] + (["--dense-units", str(dense_units)] if dense_units else [])
        rows.append(json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout))
    return rows


def levers(size: int, batch: int, steps: int) -> dict[str, float]:
    """Samples per second of the fast form, of the plain one, and of the fast form without one lever at a time."""
    spins = tf.math.l2_normalize(tf.random.stateless_normal((batch, size, size, 3), (0, 0)), axis=-1)
    variants = {}
    for name, (patches, options) in LEVERS.items():
        with patches():
            variants[name] = Variant(size, spins, **options)
    for _ in range(steps):
        for variant in variants.values():
            variant.run(spins)
    return {name: batch / variant.step for name, variant in variants.items()}


def _automatic_convolution(features: tf.Tensor, kernel: tf.Tensor, periodic: tuple[bool, bool]) -> tf.Tensor:
    padded = polyphase._pad(features, kernel.shape[0] // 2, periodic)
    return tf.nn.conv2d(padded, tf.convert_to_tensor(kernel), 1, "VALID")


def _automatic_energy(hamiltonian: Hamiltonian, spins: tf.Tensor) -> tf.Tensor:
    field = hamiltonian._effective_field(spins, tf) + (0.0, 0.0, hamiltonian.B)
    return -0.5 * tf.reduce_sum(spins * field, axis=(-3, -2, -1))


def _fused_normalization(features: tf.Tensor, norm: keras.Layer, bias: tf.Tensor, training: bool) -> tf.Tensor:
    image = tf.reshape(features, (-1, features.shape[-2], features.shape[-1] // bias.shape[0], bias.shape[0]))
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        image, norm.gamma.value, norm.beta.value, epsilon=norm.epsilon, is_training=True
    )
    polyphase._move(norm.moving_mean, mean + bias, norm.momentum)
    polyphase._move(norm.moving_variance, variance, norm.momentum)
    return tf.reshape(outputs, tf.shape(features))


def _fused_batch_norm() -> AbstractContextManager:
    """TensorFlow's own batch normalisation, before the pooling, in all blocks of convolutions."""

    def block(features, convolution, norm, periodic, training):  # type: ignore[no-untyped-def]
        phases = features.shape[-1] <= polyphase.PHASE_CHANNELS
        image = tf.nn.space_to_depth(features, 2) if phases else features
        kernel = polyphase.phase_kernel(convolution.kernel) if phases else convolution.kernel
        image = _fused_normalization(polyphase._convolve(image, kernel, periodic), norm, convolution.bias, training)
        if not phases:
            return polyphase._leaky_relu(tf.nn.max_pool2d(image, 2, 2, "VALID"))
        _, height, width, channels = image.shape
        rows = tf.reshape(image, (-1, height, 4 * width, channels // 4))
        return polyphase._leaky_relu(tf.nn.max_pool2d(rows, (1, 4), (1, 4), "VALID"))

    original = polyphase._normalization, polyphase._scale_and_shift

    def normalization(features, norm, bias, training):  # type: ignore[no-untyped-def]
        if features.shape.rank == 2:
            return original[0](features, norm, bias, training)
        return _fused_normalization(features, norm, bias, training), None

    def scale_and_shift(features, scale, shift):  # type: ignore[no-untyped-def]
        return scale if shift is None else original[1](features, scale, shift)

    return patch.multiple(
        polyphase,
        _convolution_block=block,
        _normalization=normalization,
        _scale_and_shift=scale_and_shift,
    )


LEVERS: dict[str, tuple[Callable[[], AbstractContextManager], dict[str, bool]]] = {
    "all": (nullcontext, {}),
    "plain Keras layers and Adam": (nullcontext, {"phases": False, "fused_adam": False}),
    "plain Keras layers and Adam, XLA": (nullcontext, {"phases": False, "fused_adam": False, "jit_compile": True}),
    "all, XLA": (nullcontext, {"jit_compile": True}),
    "without phases in the encoder": (lambda: patch.object(polyphase, "PHASE_CHANNELS", 0), {}),
    "without sums as products, pooling first": (_fused_batch_norm, {}),
    "without adjoint convolutions": (lambda: patch.object(polyphase, "_convolve", _automatic_convolution), {}),
    "without the energy's own gradient": (
        lambda: patch.object(Hamiltonian, "_tensor_energy", _automatic_energy),
        {},
    ),
    "without Adam in one pass": (nullcontext, {"fused_adam": False}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="side of the lattice")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=9, help="steps of each variant; the first does not count")
    parser.add_argument("--jit-compile", action="store_true", help="compile with XLA")
    parser.add_argument("--levers", action="store_true", help="leave out one part of the fast form at a time")
    parser.add_argument("--input", action="store_true", help="the training pipeline alone, without a model")
    parser.add_argument("--sizes", action="store_true", help="the fast form alone on lattices of 64 to 512")
    parser.add_argument("--alone", action="store_true", help="the fast form alone at one size")
    parser.add_argument("--dense-units", type=int, help="with --alone: width of the encoder's first dense layer")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    if arguments.sizes:
        for row in sizes(arguments.steps):
            print(json.dumps(row))
        return
    if arguments.input:
        results = input_rates(arguments.size, arguments.batch, arguments.steps)
    elif arguments.alone:
        results = measure_size(arguments.size, arguments.batch, arguments.steps, arguments.dense_units)
    elif arguments.levers:
        results = levers(arguments.size, arguments.batch, arguments.steps)
    else:
        results = measure(arguments.size, arguments.batch, arguments.steps, arguments.jit_compile)
    if arguments.json:
        print(json.dumps({**describe_arithmetic(), "size": arguments.size, "batch": arguments.batch, **results}))
        return
    for name, value in describe_arithmetic().items():
        print(f"{name:42}{value!s:>12}")
    for name, value in results.items():
        print(f"{name:42}{value:12.4g}")


if __name__ == "__main__":
    main()

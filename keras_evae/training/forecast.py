"""The forecast of a run in words: what it is going to do, what is there already, how long the rest will take."""

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_evae.analysis import critical_beta, generated_statistics
from keras_evae.analysis.principal_components import SAMPLES
from keras_evae.annealing import anneal, anneal_many
from keras_evae.config_sections import DatasetConfig
from keras_evae.console import format_seconds
from keras_evae.dataset import DatasetSpecification, finished_share, read_split
from keras_evae.machine import usable_cores
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import assign_values, read_values
from keras_evae.runs.stage_plan import GENERATION_SEED, Stage
from keras_evae.training.replicas import share_batches, spans_hosts

# What is not measured, as on two cores and a usual disk: bytes, and what comes with each epoch and each stage.
WRITTEN_PER_SECOND, COPIED_PER_SECOND = 200e6, 2e9
EPOCH_SECONDS, STAGE_SECONDS = 0.05, 0.3


class _Stopwatch(keras.callbacks.Callback):
    """Seconds of each step and each batch of the validation; ends the training when the steps have taken some time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.start = seconds, 0.0
        self.steps: list[float] = []
        self.evaluations: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps.append(time.perf_counter() - self.start)
        # The first one compiles.
        self.model.stop_training = sum(self.steps[1:]) > self.seconds

    on_test_batch_begin = on_train_batch_begin

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.evaluations.append(time.perf_counter() - self.start)


def describe_run(
    dataset: DatasetConfig,
    specification: DatasetSpecification,
    model: EVAE,
    batch_size: int,
    stages: Sequence[Stage],
    finished: int,
    samples: int,
) -> Iterator[str]:
    """Lines that say the Hamiltonian, the dataset, the stages, and the time that what is missing will take.

    Some lattices are annealed, and some steps trained, to measure the speed of both. The steps leave no trace: the
    training afterwards has the same bits, and uses what they have compiled.

    Args:
        stages: All stages, of which so many are `finished`.
        samples: Samples that are still to be trained on.
    """
    height, width = specification.shape
    yield f"Hamiltonian  {specification.hamiltonian.describe()}"
    share, stream = finished_share(dataset.path, specification), dataset.source == "stream"
    own = specification.files is not None
    lattice = _seconds_per_lattice(specification) if (share < 1.0 and not own) or (stream and samples) else 0.0
    seconds = (1.0 - share) * (specification.count * lattice + specification.disk_bytes / WRITTEN_PER_SECOND)
    done = f", {share:.0%} there" if share else ""
    todo = "there" if share == 1.0 else f"to {'import' if own else 'anneal'}{done}, about {format_seconds(seconds)}"
    yield f"Dataset      {dataset.path}: {specification.count} lattices of {height} x {width}; {todo}"
    for part, group in itertools.groupby(stages, key=lambda stage: "E-VAE" if stage.gamma else "VAE"):
        yield from _describe_stages(part, list(group), finished)
    if samples and spans_hosts(model.distribute_strategy):
        # A trial would need the other hosts.
        yield f"Training     {samples} samples to go"
        return
    if samples:
        yield f"{'Compiling':12s} the training step, once"
        epochs = samples // (dataset.train // batch_size * batch_size)
        training = training_seconds(model, batch_size, specification.sizes, samples, epochs, len(stages) - finished)
        # The lattices of a stream are annealed by the cores that train.
        training += samples * lattice if stream else 0.0
        yield f"Training     {samples} samples to go, about {format_seconds(training)}"
        seconds += training
    yield f"Time         about {format_seconds(seconds)} from here on, from a short trial on this machine"


def describe_posterior_collapse(path: Path, specification: DatasetSpecification, stages: Sequence[Stage]) -> str:
    """One line: where the principal components of the training data let expect it, and which stages lie beyond.

    See `keras_evae.analysis.principal_components`.
    """
    spins = read_split(path, "train", SAMPLES)
    estimate = critical_beta(spins, specification.hamiltonian.periodic)
    beyond = ", ".join(f"{beta:g}" for beta in sorted({stage.beta for stage in stages if stage.beta > estimate}))
    return (
        f"{'Collapse':12s} of the posterior expected at beta of about {estimate:.2g} "
        f"(2 x largest principal component per site); configured beyond it: {beyond or 'none'}"
    )


def _describe_stages(part: str, stages: Sequence[Stage], finished: int) -> Iterator[str]:
    ladder = "gamma" if stages[0].gamma else "beta"
    fixed = f" at beta = {stages[0].beta:g}" if ladder == "gamma" else ""
    epochs = sorted({stage.epochs for stage in stages})
    each = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
    yield f"{part:12s} {len(stages)} stages of {each} epochs{fixed}"
    for state, chosen in (
        ("there", [stage for stage in stages if stage.index < finished]),
        ("to train", [stage for stage in stages if stage.index >= finished]),
    ):
        if chosen:
            yield f"{'':12s} {state}: {ladder} = " + ", ".join(f"{getattr(stage, ladder):g}" for stage in chosen)


def _seconds_per_lattice(specification: DatasetSpecification, seconds: float = 0.5) -> float:
    """Time of one lattice where all cores anneal, measured for so long at least."""
    given, cores = (specification.schedule, specification.seed), usable_cores()
    # Compiles.
    anneal(specification.hamiltonian, specification.shape, *given)
    start = time.perf_counter()
    for lattices in itertools.count(cores, cores):
        list(anneal_many(specification.hamiltonian, specification.shape, cores, *given, start=lattices))
        if (elapsed := time.perf_counter() - start) > seconds:
            break
    return elapsed / lattices


def training_seconds(
    model: EVAE, batch_size: int, sizes: Sequence[int], samples: int, epochs: int, stages: int
) -> float:
    """Time that the training of stages will take on this machine, what is compiled apart.

    Args:
        model: Model and optimiser, which are the same afterwards, to the last bit.
        sizes: Samples of the splits for training and validation, and perhaps others.
    """
    values = read_values(model)
    try:
        step, evaluation = _seconds_per_batch(model, batch_size)
        stage = _seconds_per_stage(model)
    finally:
        assign_values(model, values)
    train, validation = (-(-size // batch_size) * evaluation for size in sizes[:2])
    state = sum(value.nbytes for value in values)
    # In the middle and at the end of a stage the whole state is written.
    stage += train + validation + 2 * state / WRITTEN_PER_SECOND
    return (
        samples / batch_size * step + epochs * (validation + EPOCH_SECONDS + state / COPIED_PER_SECOND) + stages * stage
    )


def _seconds_per_batch(model: EVAE, batch_size: int, seconds: float = 1.0, most: int = 10) -> tuple[float, float]:
    """Medians of training steps and of batches of an evaluation, from a `fit` of a second beside what it compiles."""
    spins = np.random.default_rng(0).standard_normal((batch_size, *model.lattice_shape, 3), np.float32)
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
    # Of the types of the batches that training gets, for which the steps are compiled.
    train = tf.data.Dataset.from_tensors(spins).repeat(most)
    evaluation = tf.data.Dataset.from_tensor_slices(spins).batch(batch_size).repeat(3)
    watch, devices = _Stopwatch(seconds), model.distribute_strategy
    model.fit(
        share_batches(train, devices),
        steps_per_epoch=most,
        validation_data=share_batches(evaluation, devices),
        validation_steps=3,
        verbose=0,
        shuffle=False,
        callbacks=[watch],
    )
    return statistics.median(watch.steps[1:]), statistics.median(watch.evaluations[1:])


def _seconds_per_stage(model: EVAE, count: int = 20) -> float:
    """Time of what is done at the end of a stage beside losses and files: states are generated and measured."""
    start = time.perf_counter()
    generated_statistics(model.generate(count, GENERATION_SEED), model.hamiltonian)
    return STAGE_SECONDS + (time.perf_counter() - start) * 100 / count

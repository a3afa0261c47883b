"""What a run is going to do: in words, with what is there already and how long the rest will take."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_evae.analysis import critical_beta
from keras_evae.analysis.principal_components import SAMPLES
from keras_evae.annealing import anneal
from keras_evae.console import format_seconds
from keras_evae.dataset import DatasetSpecification, finished_share, read_split
from keras_evae.machine import usable_cores
from keras_evae.model.evae import EVAE
from keras_evae.runs.stage_plan import Stage


def describe_plan(
    path: Path,
    specification: DatasetSpecification,
    model: EVAE,
    stages: Sequence[Stage],
    finished: int,
    samples: int,
) -> Iterator[str]:
    """Lines that say the Hamiltonian, the dataset, the stages, and the time that what is missing will take.

    A lattice is annealed, and a few samples are passed through the model, to measure the speed of both.

    Args:
        path, specification: File and content of the dataset.
        model: The model to be trained.
        stages: All stages, of which so many are `finished`.
        samples: Samples that are still to be trained on.
    """
    height, width = specification.shape
    yield f"Hamiltonian  {specification.hamiltonian.describe()}"
    share = finished_share(path, specification)
    seconds = 0.0 if share == 1.0 else _annealing_seconds(specification, share)
    done = f", {share:.0%} there" if share else ""
    todo = "there" if share == 1.0 else f"to anneal{done}, about {format_seconds(seconds)}"
    yield f"Dataset      {path}: {specification.count} lattices of {height} x {width}; {todo}"
    for part, group in itertools.groupby(stages, key=lambda stage: "E-VAE" if stage.gamma else "VAE"):
        yield from _describe_stages(part, list(group), finished)
    if samples:
        training = samples * _seconds_per_sample(model) / model.replicas
        yield f"Training     {samples} samples to go, about {format_seconds(training)}"
        seconds += training
    yield f"Time         about {format_seconds(seconds)} in all, from a short trial on this machine"


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


def _annealing_seconds(specification: DatasetSpecification, share: float) -> float:
    """Time of one lattice, after one that compiles the kernels, times their number, shared by the cores."""
    given = specification.hamiltonian, specification.shape, specification.schedule, specification.seed
    return _second_duration(lambda: anneal(*given)) * specification.count / usable_cores() * (1.0 - share)


def _seconds_per_sample(model: EVAE, batch_size: int = 100) -> float:
    """Time of a forward and backward pass per sample; the weights are not changed."""
    spins = np.zeros((batch_size, *model.lattice_shape, 3), np.float32)
    spins[..., 2] = 1.0

    # The network needs no AutoGraph, which takes longer than the passes.
    @tf.function(autograph=False)
    def passes() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            # Inference mode and no noise: neither statistics nor the seed of the training change.
            mean, log_variance = model.run_encoder(spins, training=False)
            outputs = model.run_decoder(mean + log_variance, training=False)
            energy = tf.reduce_sum(model.hamiltonian.energy(outputs))
        return tape.gradient(energy, model.trainable_variables)

    return _second_duration(passes) / batch_size


def _second_duration(work: Callable[[], Any]) -> float:
    """Seconds of work that has been done once before: the first time compiles."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

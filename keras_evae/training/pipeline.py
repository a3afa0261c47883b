"""tf.data pipelines that feed annealed configurations to the model, from a file or straight from the annealer.

The order of the training data and its augmentation depend on (seed, epoch, position) alone, so that a run
that goes on at some epoch sees what an uninterrupted run would have seen.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_evae.annealing import anneal_many
from keras_evae.dataset import DatasetSpecification, open_dataset, stream_split
from keras_evae.dataset.hdf5 import StoredSpins
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.symmetry import random_symmetry

# Keep the streams of shuffling and augmentation of one (seed, epoch) apart.
SHUFFLE, AUGMENT = 0, 1


def training_batches(
    path: str | Path,
    batch_size: int,
    epochs: range,
    seed: int = 0,
    augment: Hamiltonian | None = None,
) -> tf.data.Dataset:
    """Shuffled batches `(batch, y, x, 3)` of the training split, epoch after epoch in one stream.

    The remainder that does not fill a batch is left out, another one in each epoch. The dataset knows its
    length: epochs times full batches in the split.

    Args:
        path: HDF5 dataset.
        batch_size: Configurations in a batch.
        epochs: Numbers of the epochs to stream.
        seed: Seed of the order and the augmentation.
        augment: Hamiltonian under whose symmetries each sample is moved at random; None: as stored.
    """

    def batches() -> Iterator[np.ndarray]:
        with open_dataset(path) as file:
            spins = file["train"]["spins"]
            for epoch in epochs:
                yield from _epoch_batches(spins, batch_size, seed, epoch, augment)

    size, shape = _split_shape(path, "train")
    return _stream(batches, (batch_size, *shape), len(epochs) * (size // batch_size))


def streaming_batches(
    specification: DatasetSpecification,
    batch_size: int,
    epochs: range,
    samples: int,
    seed: int = 0,
    augment: Hamiltonian | None = None,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Batches of new configurations, annealed in the background while the model trains; no file holds them.

    Epoch e gets the configurations k ... k + n - 1 of the specification's stream, with n = `samples` in full batches
    and k = count + e n: none is one of the dataset's own, and each is seen once. At most two configurations for each
    core and two batches are ready ahead; the annealer's threads end with the iterator.

    Args:
        specification: Hamiltonian, lattice, schedule and seed of the configurations.
        batch_size: Configurations in a batch.
        epochs: Numbers of the epochs to stream.
        samples: Configurations in an epoch.
        seed: Seed of the augmentation.
        augment: As in `training_batches`.
        workers: Threads of the annealer; all cores by default. The result does not depend on it.
    """
    steps = samples // batch_size
    length = len(epochs) * steps

    def batches() -> Iterator[np.ndarray]:
        start = specification.count + epochs.start * steps * batch_size
        configurations = anneal_many(
            specification.hamiltonian,
            specification.shape,
            length * batch_size,
            specification.schedule,
            specification.seed,
            workers,
            start,
        )
        # Closed with this generator, when the iterator is dropped: its threads stop.
        with contextlib.closing(configurations):
            for epoch in epochs:
                random = np.random.default_rng((seed, epoch, AUGMENT))
                for _ in range(steps):
                    yield _batch(itertools.islice(configurations, batch_size), augment, random)

    return _stream(batches, (batch_size, *specification.shape, 3), length)


def evaluation_batches(path: str | Path, split: str, batch_size: int) -> tf.data.Dataset:
    """Batches `(batch, y, x, 3)` of a whole split in its stored order; the last one may be smaller."""
    size, shape = _split_shape(path, split)
    return _stream(lambda: stream_split(path, split, batch_size), (None, *shape), -(-size // batch_size))


def _epoch_batches(
    spins: StoredSpins, batch_size: int, seed: int, epoch: int, augment: Hamiltonian | None
) -> Iterator[np.ndarray]:
    order = np.random.default_rng((seed, epoch, SHUFFLE)).permutation(len(spins))
    random = np.random.default_rng((seed, epoch, AUGMENT))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        yield _batch((spins[index] for index in order[start : start + batch_size]), augment, random)


def _batch(samples: Iterable[np.ndarray], augment: Hamiltonian | None, random: np.random.Generator) -> np.ndarray:
    if augment is not None:
        samples = (random_symmetry(sample, augment, random) for sample in samples)
    return np.stack(list(samples))


def _split_shape(path: str | Path, split: str) -> tuple[int, tuple[int, ...]]:
    with open_dataset(path) as file:
        size, *shape = file[split]["spins"].shape
    return size, tuple(shape)


def _stream(batches: object, shape: tuple[int | None, ...], length: int) -> tf.data.Dataset:
    signature = tf.TensorSpec(shape, tf.float32)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    # Nothing here is left to tune, and closing an iterator waits for the tuner's sleep: up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(length)).prefetch(2).with_options(options)

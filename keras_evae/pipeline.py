"""tf.data pipelines that feed annealed configurations to the model.

The order of the training data and its augmentation depend on (seed, epoch, position) alone, so that a run
that goes on at some epoch sees what an uninterrupted run would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_evae.dataset import open_dataset
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
    length: epochs times `steps_per_epoch`.

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


def evaluation_batches(path: str | Path, split: str, batch_size: int) -> tf.data.Dataset:
    """Batches `(batch, y, x, 3)` of a whole split in its stored order; the last one may be smaller."""

    def batches() -> Iterator[np.ndarray]:
        with open_dataset(path) as file:
            spins = file[split]["spins"]
            for start in range(0, len(spins), batch_size):
                yield spins[start : start + batch_size]

    size, shape = _split_shape(path, split)
    return _stream(batches, (None, *shape), -(-size // batch_size))


def steps_per_epoch(path: str | Path, batch_size: int) -> int:
    """Full batches in one pass over the training split."""
    return _split_shape(path, "train")[0] // batch_size


def _epoch_batches(
    spins: object, batch_size: int, seed: int, epoch: int, augment: Hamiltonian | None
) -> Iterator[np.ndarray]:
    order = np.random.default_rng((seed, epoch, SHUFFLE)).permutation(len(spins))  # type: ignore[arg-type]
    random = np.random.default_rng((seed, epoch, AUGMENT))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        batch = [spins[index] for index in order[start : start + batch_size]]  # type: ignore[index]
        if augment is not None:
            batch = [random_symmetry(sample, augment, random) for sample in batch]
        yield np.stack(batch)


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

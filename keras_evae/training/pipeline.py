"""tf.data pipelines that feed annealed configurations to the model, from a file or straight from the annealer.

The order of the training data and its augmentation depend on (seed, epoch, position) alone, so that a run
that goes on at some epoch sees what an uninterrupted run would have seen.
"""

import collections
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_evae.annealing import anneal_many
from keras_evae.dataset import DatasetSpecification
from keras_evae.dataset.hdf5 import StoredSpins
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.monte_carlo.kernels import move_states
from keras_evae.symmetry import draw_symmetries, moved_components
from keras_evae.training.cached_splits import CachedSplits

# Keep the streams of shuffling and augmentation of one (seed, epoch) apart.
SHUFFLE, AUGMENT = 0, 1
# Bytes to whose multiples TensorFlow aligns its tensors.
ALIGNMENT = 64


def training_batches(
    source: CachedSplits | str | Path,
    batch_size: int,
    epochs: range,
    seed: int = 0,
    augment: Hamiltonian | None = None,
) -> tf.data.Dataset:
    """Shuffled batches `(batch, y, x, 3)` of the training split, epoch after epoch in one stream.

    The remainder that does not fill a batch is left out, another one in each epoch. The dataset knows its
    length: epochs times full batches in the split.

    Args:
        source: HDF5 dataset, or its splits, some of which may be in memory; the batches are the same.
        seed: Seed of the order and the augmentation.
        augment: Hamiltonian under whose symmetries each sample is moved at random; None: as stored.
    """
    splits = _kept(source, "train")

    def batches() -> Iterator[np.ndarray]:
        with splits.open("train") as spins, _threads() as threads:
            for epoch in epochs:
                order = np.random.default_rng((seed, epoch, SHUFFLE)).permutation(len(spins))
                random = np.random.default_rng((seed, epoch, AUGMENT))
                for start in range(0, len(order) - batch_size + 1, batch_size):
                    yield _batch(spins, order[start : start + batch_size], augment, random, threads)

    size, *shape = splits.shape("train")
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
        with contextlib.closing(configurations), _threads() as threads:
            for epoch in epochs:
                random = np.random.default_rng((seed, epoch, AUGMENT))
                for _ in range(steps):
                    samples = np.stack(list(itertools.islice(configurations, batch_size)))
                    yield _batch(samples, np.arange(batch_size), augment, random, threads)

    return _stream(batches, (batch_size, *specification.shape, 3), length)


def evaluation_batches(source: CachedSplits | str | Path, split: str, batch_size: int) -> tf.data.Dataset:
    """Batches `(batch, y, x, 3)` of a whole split in its stored order; the last one may be smaller."""
    splits = _kept(source, split)
    size, *shape = splits.shape(split)

    def batches() -> Iterator[np.ndarray]:
        with splits.open(split) as spins:
            for start in range(0, size, batch_size):
                yield spins[start : start + batch_size]

    return _stream(batches, (None, *shape), -(-size // batch_size))


@contextlib.contextmanager
def errors_of_batches() -> Iterator[None]:
    """Raises what has gone wrong while batches were made as it is; TensorFlow hides it in an error of its own."""
    _failures.clear()
    try:
        yield
    except tf.errors.OpError as error:
        if _failures:
            raise _failures.pop() from error
        raise


# Of generators, which run in threads of TensorFlow; the last one.
_failures: collections.deque[Exception] = collections.deque(maxlen=1)


def _kept(source: CachedSplits | str | Path, split: str) -> CachedSplits:
    """The splits of a source, one of them now in memory if that is where it shall be."""
    splits = source if isinstance(source, CachedSplits) else CachedSplits(source)
    # Here and not in the generator, whose errors TensorFlow wraps.
    splits.keep(split)
    return splits


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="batch")


def _share(threads: ThreadPoolExecutor, work: Callable[[slice], object], rows: int) -> None:
    """Calls `work` with parts of so many rows, one for each core."""
    length = -(-rows // usable_cores())
    list(threads.map(work, (slice(start, start + length) for start in range(0, rows, length))))


def _batch(
    spins: StoredSpins | np.ndarray,
    chosen: np.ndarray,
    augment: Hamiltonian | None,
    random: np.random.Generator,
    threads: ThreadPoolExecutor,
) -> np.ndarray:
    """The chosen of some spins `(n, y, x, 3)`, each moved at random if asked for."""
    if isinstance(spins, StoredSpins):
        spins, chosen = np.stack([spins[index] for index in chosen]), np.arange(len(chosen))
        if augment is None:
            return spins
    batch = _aligned((len(chosen), *spins.shape[1:]))
    if augment is None:
        _share(threads, lambda rows: np.take(spins, chosen[rows], 0, batch[rows], "clip"), len(chosen))
        return batch
    moves = draw_symmetries(augment, spins.shape[1:3], len(chosen), random)
    components = [moved_components(operation, augment.dmi) for operation, _ in moves]
    given = (
        chosen,
        np.array([operation for operation, _ in moves]),
        np.array([shifts for _, shifts in moves]),
        np.array([[source for source, _ in parts] for parts in components]),
        np.array([[sign for _, sign in parts] for parts in components], spins.dtype),
    )
    _share(threads, lambda rows: move_states(batch[rows], spins, *(values[rows] for values in given)), len(chosen))
    return batch


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An array that TensorFlow takes over without copying it."""
    size = math.prod(shape)
    memory = np.empty(size + ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % ALIGNMENT // 4
    return memory[start : start + size].reshape(shape)


def _stream(batches: Callable[[], Iterator[np.ndarray]], shape: tuple[int | None, ...], length: int) -> tf.data.Dataset:
    def remembered() -> Iterator[np.ndarray]:
        try:
            # Closed with this generator, when TensorFlow drops it.
            with contextlib.closing(batches()) as made:  # type: ignore[type-var]
                yield from made
        except Exception as error:
            _failures.append(error)
            raise

    signature = tf.TensorSpec(shape, tf.float32)
    dataset = tf.data.Dataset.from_generator(remembered, output_signature=signature)
    # Nothing here is left to tune, and closing an iterator waits for the tuner's sleep: up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(length)).prefetch(2).with_options(options)

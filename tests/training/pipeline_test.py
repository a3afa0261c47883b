"""tf.data pipelines: every sample once an epoch, an order that follows from (seed, epoch), exact augmentation."""

import gc
import threading

import numpy as np
import pytest

from keras_evae.annealing import anneal
from keras_evae.console import run_command
from keras_evae.dataset import DatasetSpecification, generate_dataset, read_split
from keras_evae.errors import DataError
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.symmetry import random_symmetry
from keras_evae.training.cached_splits import CachedSplits
from keras_evae.training.pipeline import (
    AUGMENT,
    SHUFFLE,
    errors_of_batches,
    evaluation_batches,
    streaming_batches,
    training_batches,
)

HAMILTONIAN = Hamiltonian()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "spins.h5"
    schedule = AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
    generate_dataset(file, DatasetSpecification(HAMILTONIAN, (16, 16), (10, 5, 1), 0, schedule))
    return file


def stream(path, epochs, seed=0, augment=None, batch_size=5):
    return np.stack([batch.numpy() for batch in training_batches(path, batch_size, epochs, seed, augment)])


def test_each_epoch_is_a_permutation_of_the_split(path):
    spins = read_split(path, "train")
    batches = stream(path, range(3))
    assert batches.shape == (6, 5, 16, 16, 3)
    epochs = batches.reshape(3, 10, -1)
    for epoch in epochs:
        order = [int(np.flatnonzero((spins.reshape(10, -1) == sample).all(axis=1))[0]) for sample in epoch]
        assert sorted(order) == list(range(10))
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize("augment", [None, HAMILTONIAN])
def test_order_follows_from_seed_and_epoch(path, augment):
    whole = stream(path, range(4), seed=3, augment=augment)
    np.testing.assert_array_equal(stream(path, range(2, 4), seed=3, augment=augment), whole[4:])
    assert not np.array_equal(stream(path, range(4), seed=4, augment=augment), whole)


@pytest.mark.parametrize("augment", [None, HAMILTONIAN, Hamiltonian(dmi="bloch"), Hamiltonian(boundary="open")])
def test_batches_from_memory_and_from_the_file_are_the_same(path, augment):
    """To the bit; and those of each sample turned by itself."""
    splits = CachedSplits(path, cache=True)
    found = stream(splits, range(3), 3, augment)
    np.testing.assert_array_equal(found.view(np.int32), stream(path, range(3), 3, augment).view(np.int32))
    spins, expected = read_split(path, "train"), []
    for epoch in range(3):
        order = np.random.default_rng((3, epoch, SHUFFLE)).permutation(10)
        random = np.random.default_rng((3, epoch, AUGMENT))
        expected += [spins[k] if augment is None else random_symmetry(spins[k], augment, random) for k in order]
    np.testing.assert_array_equal(found.reshape(30, -1).view(np.int32), np.reshape(expected, (30, -1)).view(np.int32))
    for split in ("train", "validation"):
        batches = [np.concatenate(list(evaluation_batches(source, split, 2))) for source in (splits, path)]
        np.testing.assert_array_equal(*batches)


@pytest.mark.parametrize("batches", [training_batches, lambda path, size, _: evaluation_batches(path, "train", size)])
def test_damage_that_a_thread_meets_is_one_line_of_the_command(tmp_path, path, batches, capsys, monkeypatch):
    """And not TensorFlow's own error, which holds the traceback of the generator."""
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    content = bytearray(path.read_bytes())
    # A state of the training split, as it lies in the file.
    place = bytes(content).index(read_split(path, "train", 8)[7].tobytes())
    content[place + 100] ^= 1
    (tmp_path / "spins.h5").write_bytes(content)

    def command():
        with errors_of_batches():
            list(batches(tmp_path / "spins.h5", 5, range(1)))

    assert run_command(command) == DataError.exit_code
    line = capsys.readouterr().err
    assert line.startswith(f"error: {tmp_path}/spins.h5: truncated or damaged (") and line.count("\n") == 1


SPECIFICATION = DatasetSpecification(
    HAMILTONIAN, (16, 16), (3, 2, 1), seed=2, schedule=AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
)


def streamed(epochs, workers=None):
    return np.concatenate([batch.numpy() for batch in streaming_batches(SPECIFICATION, 4, epochs, 9, workers=workers)])


def test_streams():
    spins = streamed(range(2))
    assert spins.shape == (16, 16, 16, 3)
    expected = [anneal(HAMILTONIAN, (16, 16), SPECIFICATION.schedule, seed=2, index=6 + k) for k in range(16)]
    np.testing.assert_array_equal(spins, expected)
    np.testing.assert_array_equal(streamed(range(1, 3), workers=1), streamed(range(3), workers=2)[8:])
    geometry = make_geometry("wire", (10, 32))
    hamiltonian = Hamiltonian(boundary=geometry.boundary, mask=geometry.mask)
    schedule = AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
    specification = DatasetSpecification(hamiltonian, geometry.lattice_shape, (2, 1, 1), 0, schedule)
    (batch,) = streaming_batches(specification, 4, range(1), 4, augment=hamiltonian)
    (plain,) = streaming_batches(specification, 4, range(1), 4)
    np.testing.assert_array_equal(batch.numpy().any(axis=-1), np.broadcast_to(geometry.mask, (4, 16, 32)))
    np.testing.assert_allclose(hamiltonian.energy(batch), hamiltonian.energy(plain), rtol=1e-5)
    assert np.abs(batch - plain).max() > 0.1


def test_dropped_stream_stops_its_threads_and_runs_only_a_little_ahead():
    batches = iter(streaming_batches(SPECIFICATION, 4, range(10**6), 9))
    next(batches)
    assert any(thread.name.startswith("anneal") for thread in threading.enumerate())
    del batches
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("anneal"):
            # Forever, if the stream went on.
            thread.join()


def test_evaluation_keeps_order_and_every_sample(path):
    batches = evaluation_batches(path, "validation", 2)
    assert len(batches) == 3
    np.testing.assert_array_equal(np.concatenate([b.numpy() for b in batches]), read_split(path, "validation"))

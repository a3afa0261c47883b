"""Datasets: content, reproducibility, and what happens to damaged or foreign files."""

import dataclasses
import multiprocessing
import os
import signal
import time

import h5py
import numpy as np
import pytest

from keras_evae import dataset
from keras_evae.analysis import topological_charge
from keras_evae.annealing import AnnealingSchedule, anneal
from keras_evae.dataset import (
    DatasetSpecification,
    check_dataset,
    generate_dataset,
    read_attributes,
    read_energies,
    read_split,
)
from keras_evae.errors import DataError, DiskError, MismatchError
from keras_evae.hamiltonian import Hamiltonian

SPECIFICATION = DatasetSpecification(
    Hamiltonian(), (16, 32), (5, 2, 3), seed=4, schedule=AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "spins.h5"
    generate_dataset(file, SPECIFICATION)
    return file


def test_splits_hold_the_annealed_configurations_in_order(path):
    spins = np.concatenate([read_split(path, split) for split in dataset.SPLITS])
    assert spins.shape == (10, 16, 32, 3) and spins.dtype == np.float32
    for index in (0, 6, 9):
        expected = anneal(SPECIFICATION.hamiltonian, (16, 32), SPECIFICATION.schedule, seed=4, index=index)
        np.testing.assert_array_equal(spins[index], expected)
    assert len(read_split(path, "train", 2)) == 2


def test_energies_charges_and_attributes(path):
    for split in dataset.SPLITS:
        spins = read_split(path, split).astype(np.float64)
        np.testing.assert_allclose(read_energies(path, split), Hamiltonian().energy_per_site(spins), rtol=1e-12)
        with h5py.File(path) as file:
            np.testing.assert_array_equal(file[split]["charge"], topological_charge(spins))
            assert file[split]["spins"].fletcher32
    attributes = read_attributes(path)
    assert attributes["hamiltonian.D"] == 0.3 and attributes["dataset.schedule.temperatures"] == 5


def test_result_does_not_depend_on_the_workers(path, tmp_path):
    generate_dataset(tmp_path / "one.h5", SPECIFICATION, workers=1)
    for split in dataset.SPLITS:
        np.testing.assert_array_equal(read_split(tmp_path / "one.h5", split), read_split(path, split))
        np.testing.assert_array_equal(read_energies(tmp_path / "one.h5", split), read_energies(path, split))


def test_existing_file_is_not_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(DataError, match="exists already; nothing was overwritten"):
        generate_dataset(path, SPECIFICATION)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hamiltonian": Hamiltonian(D=0.2)}, "hamiltonian.D: expected 0.2 as configured, found 0.3"),
        ({"hamiltonian": Hamiltonian(boundary=("open", "periodic"))}, "hamiltonian.boundary: expected"),
        ({"shape": (32, 32)}, "dataset.shape: expected"),
        ({"sizes": (5, 3, 3)}, "dataset.validation: expected 3 as configured, found 2"),
        ({"seed": 5}, "dataset.seed: expected 5 as configured, found 4"),
        ({"schedule": AnnealingSchedule(temperatures=6, max_greedy_sweeps=50)}, "dataset.schedule.temperatures"),
    ],
)
def test_dataset_of_another_specification(path, change, message):
    check_dataset(path, SPECIFICATION)
    with pytest.raises(MismatchError) as error:
        check_dataset(path, dataclasses.replace(SPECIFICATION, **change))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 1.0])
def test_truncated_file_is_noticed(path, tmp_path, kept):
    content = path.read_bytes()
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(content[: min(int(kept * len(content)), len(content) - 1)])
    with pytest.raises(DataError, match="damaged.h5: truncated or damaged"):
        check_dataset(damaged, SPECIFICATION)


def test_flipped_bits_are_noticed_or_harmless(path, tmp_path):
    """Whatever bit is flipped, either the damage is named or every value reads as it was written."""
    content, damaged, noticed = path.read_bytes(), tmp_path / "damaged.h5", 0
    expected = [read_split(path, split) for split in dataset.SPLITS]
    for position in np.random.default_rng(0).integers(0, 8 * len(content), 200):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << (position % 8)
        damaged.write_bytes(flipped)
        try:
            check_dataset(damaged, SPECIFICATION)
        except DataError:
            noticed += 1
        else:
            found = [read_split(damaged, split) for split in dataset.SPLITS]
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert noticed > 180


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(DataError, match="expected a dataset, found no file"):
        check_dataset(tmp_path / "absent.h5", SPECIFICATION)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="expected a spin dataset of format version 1, found None"):
        check_dataset(tmp_path / "foreign.h5", SPECIFICATION)


def test_disk_space_is_checked_first(tmp_path):
    huge = dataclasses.replace(SPECIFICATION, sizes=(10**12, 1, 1))
    with pytest.raises(DiskError, match=r"needs .* GB, found"):
        generate_dataset(tmp_path / "huge.h5", huge)
    assert list(tmp_path.iterdir()) == []


def generate_slowly(path):
    generate_dataset(path, dataclasses.replace(SPECIFICATION, sizes=(10**6, 1, 1)), workers=1)


def test_killed_generation_leaves_no_file_under_the_name(tmp_path):
    path = tmp_path / "spins.h5"
    process = multiprocessing.get_context("spawn").Process(target=generate_slowly, args=(path,))
    process.start()
    while not list(tmp_path.glob("*.parts/*.npz")) and process.is_alive():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not path.exists()
    generate_dataset(path, SPECIFICATION)
    check_dataset(path, SPECIFICATION)

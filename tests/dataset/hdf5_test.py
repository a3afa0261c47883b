"""Datasets: content, reproducibility, and what happens to damaged or foreign files."""

import dataclasses
import shutil

import h5py
import numpy as np
import pytest

from keras_evae import dataset
from keras_evae.analysis import topological_charge
from keras_evae.annealing import anneal
from keras_evae.dataset import check_dataset, generate_dataset, read_attributes, read_energies, read_split
from keras_evae.errors import DataError, MismatchError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.training.pipeline import evaluation_batches
from tests.helpers.damage import random_flips
from tests.helpers.dataset_cases import SPECIFICATION

HALF = dataclasses.replace(SPECIFICATION, storage="float16")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "spins.h5"
    generate_dataset(file, SPECIFICATION)
    return file


def test_splits_hold_the_annealed_configurations_with_energies_and_charges(path, monkeypatch):
    # A configuration at once.
    monkeypatch.setattr("keras_evae.dataset.hdf5.PART", 1)
    spins = np.concatenate([read_split(path, split) for split in dataset.SPLITS])
    assert spins.shape == (10, 16, 32, 3) and spins.dtype == np.float32
    for index in (0, 6, 9):
        expected = anneal(SPECIFICATION.hamiltonian, (16, 32), SPECIFICATION.schedule, seed=4, index=index)
        np.testing.assert_array_equal(spins[index], expected)
    assert len(read_split(path, "train", 2)) == 2
    for split in dataset.SPLITS:
        spins = read_split(path, split).astype(np.float64)
        np.testing.assert_allclose(read_energies(path, split), Hamiltonian().energy_per_site(spins), rtol=1e-12)
        with h5py.File(path) as file:
            np.testing.assert_array_equal(file[split]["charge"], topological_charge(spins))
            assert file[split]["spins"].fletcher32
    attributes = read_attributes(path)
    assert attributes["hamiltonian.D"] == 0.3 and attributes["dataset.schedule.temperatures"] == 5


def test_foreign_and_truncated_files_and_flipped_bits(tmp_path, path):
    with pytest.raises(DataError, match="expected a file, found no file"):
        check_dataset(tmp_path / "absent.h5", SPECIFICATION)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="expected a spin dataset of format version 1, found None"):
        check_dataset(tmp_path / "foreign.h5", SPECIFICATION)
    content, damaged, noticed = path.read_bytes(), tmp_path / "damaged.h5", 0
    for length in (0, len(content) // 100, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged.h5: (truncated or damaged|of another kind, or cut off)"):
            check_dataset(damaged, SPECIFICATION)
    # Whatever bit is flipped, either the damage is named or every value reads as it was written.
    expected = [read_split(path, split) for split in dataset.SPLITS]
    for flipped in random_flips(content, 200):
        damaged.write_bytes(flipped)
        try:
            check_dataset(damaged, SPECIFICATION)
        except DataError:
            noticed += 1
        else:
            found = [read_split(damaged, split) for split in dataset.SPLITS]
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert noticed > 180


@pytest.mark.parametrize("value", [2.0, np.nan])
def test_spins_that_are_none_are_refused(path, tmp_path, value):
    """Though their checksums are right."""
    shutil.copy(path, tmp_path / "spins.h5")
    with h5py.File(tmp_path / "spins.h5", "a") as file:
        file["test/spins"][1, 2, 3] = value
    with pytest.raises(DataError, match="expected unit vectors as test/spins, found others"):
        check_dataset(tmp_path / "spins.h5", SPECIFICATION)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "half.h5"
    generate_dataset(file, HALF)
    return file


def test_float16_takes_half_the_disk_and_reads_as_unit_vectors(path, half):
    with h5py.File(half) as file:
        assert file["train"]["spins"].dtype == np.float16 and file["train"]["spins"].fletcher32
    assert HALF.disk_bytes < 0.51 * SPECIFICATION.disk_bytes
    assert half.stat().st_size < 0.6 * path.stat().st_size
    check_dataset(half, HALF)
    with pytest.raises(MismatchError, match="dataset.storage: expected 'float32' as configured, found 'float16'"):
        check_dataset(half, SPECIFICATION)
    for split in dataset.SPLITS:
        exact, rounded = read_split(path, split), read_split(half, split)
        assert rounded.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rounded, axis=-1), 1.0, atol=3e-7)
        assert 0 < np.linalg.norm(rounded - exact, axis=-1).max() <= 5e-4
        (batch,) = evaluation_batches(half, split, 10)
        np.testing.assert_array_equal(batch, rounded)
    for split in dataset.SPLITS:
        np.testing.assert_array_equal(read_energies(half, split), read_energies(path, split))
        rounded = Hamiltonian().energy_per_site(read_split(half, split).astype(np.float64))
        np.testing.assert_allclose(rounded, read_energies(half, split), atol=5e-5)


@pytest.mark.parametrize("storage", ["float32", "float16"])
@pytest.mark.filterwarnings("error")
def test_masked_dataset(path, tmp_path, storage):
    mask = np.random.default_rng(0).random((16, 32)) < 0.7
    hamiltonian = Hamiltonian(boundary=("open", "periodic"), mask=mask)
    masked = dataclasses.replace(SPECIFICATION, hamiltonian=hamiltonian, storage=storage)
    file = tmp_path / "masked.h5"
    generate_dataset(file, masked)
    check_dataset(file, masked)
    spins = read_split(file, "train")
    np.testing.assert_array_equal(spins[:, ~mask], 0.0)
    np.testing.assert_allclose(np.linalg.norm(spins[:, mask], axis=-1), 1.0, atol=3e-7)
    energies = hamiltonian.energy_per_site(spins.astype(np.float64))
    np.testing.assert_allclose(read_energies(file, "train"), energies, atol=1e-12 if storage == "float32" else 2e-3)
    attributes = read_attributes(file)
    stored = {key.removeprefix("hamiltonian."): v for key, v in attributes.items() if key.startswith("hamiltonian.")}
    assert Hamiltonian(**stored) == hamiltonian
    for other, expected in ((~mask, masked), (None, masked)):
        changed = dataclasses.replace(expected, hamiltonian=dataclasses.replace(hamiltonian, mask=other))
        with pytest.raises(MismatchError, match="hamiltonian.mask: expected .* as configured, found '16x32"):
            check_dataset(file, changed)
    with pytest.raises(MismatchError, match="hamiltonian.(boundary|mask): expected"):
        check_dataset(path, dataclasses.replace(masked, storage="float32"))

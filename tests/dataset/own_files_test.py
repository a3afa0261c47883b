"""A dataset of a user's own states: the same promises as those of annealed ones."""

import dataclasses
import logging

import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.annealing import anneal_many
from keras_evae.config import load_config
from keras_evae.dataset import (
    check_dataset,
    check_specification,
    ensure_dataset,
    read_energies,
    read_origin,
    read_split,
)
from keras_evae.dataset.formats.spin_files import export_states, read_spins, write_spins
from keras_evae.errors import DataError, EVAEError, MismatchError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.runs.from_config import dataset_specification
from tests.helpers.commands import assert_one_line, call_here
from tests.helpers.damage import random_flips
from tests.helpers.dataset_cases import SPECIFICATION
from tests.helpers.states import random_spins

SPINS = np.stack([*anneal_many(Hamiltonian(), (16, 32), 10, SPECIFICATION.schedule)])


def own(*files, **changes):
    return dataclasses.replace(SPECIFICATION, files=tuple(map(str, files)), **changes)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "states").mkdir()
    write_spins(tmp_path / "states" / "a.ovf", SPINS[:4], "text")
    write_spins(tmp_path / "states" / "b.npz", SPINS[4:7])
    write_spins(tmp_path / "states" / "c.h5", SPINS[7:])
    return tmp_path / "states"


def test_states_are_split_measured_and_found_again(tmp_path, files):
    specification, path = own(files), tmp_path / "own.h5"
    ensure_dataset(path, specification)
    splits = {split: read_split(path, split) for split in ("train", "validation", "test")}
    assert [len(spins) for spins in splits.values()] == [5, 2, 3]
    stored = np.concatenate(list(splits.values()))
    order = [int(np.argmax((spins == SPINS).all(axis=(1, 2, 3)))) for spins in stored]
    assert sorted(order) == list(range(10)) and order != list(range(10))
    np.testing.assert_array_equal(stored, SPINS[order])
    expected = Hamiltonian().energy_per_site(splits["test"].astype(float))
    np.testing.assert_allclose(read_energies(path, "test"), expected, rtol=1e-12)
    # A configuration that names no files finds them too; one of other states, or annealed ones, does not.
    check_dataset(path, own())
    for other, message in [
        (SPECIFICATION, "dataset.source: expected annealed states"),
        (own("elsewhere"), "dataset.files: expected"),
        (own(seed=5), "dataset.seed: expected 5"),
    ]:
        with pytest.raises(MismatchError, match=message):
            check_dataset(path, other)
    ensure_dataset(tmp_path / "states" / "seed.h5", own(files / "a.ovf", files / "b.npz", files / "c.h5", seed=5))
    assert not np.array_equal(read_split(tmp_path / "states" / "seed.h5", "train"), splits["train"])
    assert read_origin(path) == "imported from a.ovf (4 states), b.npz (3 states), c.h5 (3 states)"
    assert [name.name for name in tmp_path.iterdir() if name.name != "states"] == ["own.h5"]
    content = path.read_bytes()
    for flipped in list(random_flips(content, 20)):
        path.write_bytes(flipped)
        try:
            check_dataset(path, own())
        except EVAEError:
            continue
        np.testing.assert_array_equal(read_split(path, "train"), splits["train"])
    path.write_bytes(content)
    export_states(path, "ovf")
    np.testing.assert_array_equal(read_spins(tmp_path / "own_test.ovf"), splits["test"])


def test_lattices_are_cropped_or_tiled_and_no_minima_are_named(tmp_path, caplog):
    states = np.stack([*anneal_many(Hamiltonian(), (8, 32), 10, SPECIFICATION.schedule)])
    write_spins(tmp_path / "small.npy", states)
    ensure_dataset(tmp_path / "tiled.h5", own(tmp_path / "small.npy", fit="tile"))
    tiled = read_split(tmp_path / "tiled.h5", "train")[0]
    np.testing.assert_array_equal(tiled[:8], tiled[8:])
    # Twice the skyrmions, twice the energy.
    half = Hamiltonian().energy(tiled[:8].astype(float))
    assert Hamiltonian().energy(tiled.astype(float)) == pytest.approx(2 * half)
    assert topological_charge(tiled) == pytest.approx(2 * topological_charge(tiled[:8]), abs=1e-6)
    large = random_spins(10, 20, 36).astype(np.float32)
    write_spins(tmp_path / "large.npy", large)
    ensure_dataset(tmp_path / "cropped.h5", own(tmp_path / "large.npy", fit="crop"))
    cropped = read_split(tmp_path / "cropped.h5", "train")[0]
    assert any((cropped == state[2:18, 2:34]).all() for state in large)
    write_spins(tmp_path / "random.npy", random_spins(10, 16, 32).astype(np.float32))
    with caplog.at_level(logging.WARNING):
        ensure_dataset(tmp_path / "own.h5", own(tmp_path / "random.npy"))
    assert "largest torque" in caplog.text and "no minima" in caplog.text


@pytest.mark.parametrize(
    "states, changes, error, message",
    [
        (SPINS[:6], {}, DataError, "expected 10 .* found 6 .*dataset.train=4, .*dataset.test=1"),
        (np.swapaxes(SPINS, 1, 2), {}, MismatchError, "axes y and x look swapped"),
        (random_spins(10, 20, 40), {}, MismatchError, r"dataset.fit=crop and dataset.shape=\[16, 32\], or tile"),
        (random_spins(10, 20, 40), {"hamiltonian": Hamiltonian(boundary="open")}, MismatchError, r"=\[16, 32\]$"),
        (random_spins(10, 32, 32), {}, MismatchError, r"set dataset.shape=\[32, 32\]"),
        (SPINS * np.eye(16, 32, dtype=bool)[..., None], {}, MismatchError, "geometry.file=mask.npy"),
        (2 * SPINS, {}, DataError, "expected unit vectors"),
        (SPINS[:, :8], {"fit": "tile", "hamiltonian": Hamiltonian(boundary="open")}, MismatchError, "too small"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported(tmp_path, states, changes, error, message):
    np.save(tmp_path / "a.npy", states)
    with pytest.raises(error, match=message) as found:
        ensure_dataset(tmp_path / "own.h5", own(tmp_path / "a.npy", **changes))
    assert "\n" not in str(found.value)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_the_command(tmp_path, files):
    sizes = ["--set", "dataset.shape=[16, 32]", "--set", "dataset.validation=2", "--set", "dataset.test=3"]
    sizes += ["--set", "training.batch_size=1", "--set", "dataset.train=5"]
    result = call_here(tmp_path, "evae-import", f"{files}/", "--config", "smoke", "--output", "own.h5", *sizes)
    assert result.returncode == 0 and len(read_split(tmp_path / "own.h5", "train")) == 5, result.stderr
    result = call_here(tmp_path, "evae-import", files / "a.ovf", "--config", "smoke", "--output", "b.h5", *sizes)
    assert_one_line(result, 3, "found 4 in 1 files")
    # A configuration that writes the folder alike finds them.
    values = ["dataset.source=own", f"dataset.files=[{files}/]", *sizes[1::2]]
    check_specification(tmp_path / "own.h5", dataset_specification(load_config("smoke", values)))

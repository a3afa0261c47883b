"""Generation: what it resumes, refuses, mends and keeps."""

import dataclasses
import errno
import functools
import logging
import os

import pytest

from keras_evae import files
from keras_evae.dataset import generation, shard_folder, shards
from keras_evae.errors import DataError, DiskError, LockedError, MismatchError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.damage import flip, random_flips
from tests.helpers.dataset_cases import SPECIFICATION, digest, of_size

SHARDS = ["000000.npz", "000001.npz", "000002.npz", "000003.npz", "000004.npz"]


# Five shards of the small dataset.
generate_dataset = functools.partial(generation.generate_dataset, longest_shard=2)
ensure_dataset = functools.partial(generation.ensure_dataset, longest_shard=2)


def open_parts(path):
    folder = shard_folder.ShardFolder(shard_folder.parts_path(path), SPECIFICATION, 2)
    return shard_folder.hold_parts(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "whole.h5"
    generate_dataset(path, SPECIFICATION)
    return digest(path)


class Interruption(Exception):
    pass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "spins.h5"


@pytest.fixture
def parts(path):
    """The work folder of a generation that was interrupted when all shards were there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "_pack", lambda *arguments: (_ for _ in ()).throw(Interruption))
        with pytest.raises(Interruption):
            generate_dataset(path, SPECIFICATION)
    names = sorted(os.listdir(path.with_name("spins.h5.parts")))
    assert names == [*SHARDS, "lock", "manifest.sha256", "specification.json"]
    return path.with_name("spins.h5.parts")


@pytest.fixture
def annealed(monkeypatch):
    """The first configurations of the shards that get annealed."""
    starts = []

    def anneal_shard(specification, indices, version):
        starts.append(indices.start)
        return shards.anneal_shard(specification, indices, version)

    monkeypatch.setattr(generation, "anneal_shard", anneal_shard)
    return starts


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_result_does_not_depend_on_the_workers(path, whole, workers):
    generate_dataset(path, SPECIFICATION, workers)
    assert digest(path) == whole
    assert os.listdir(path.parent) == ["spins.h5"]


def test_finished_file_is_never_changed(path, parts, monkeypatch):
    generate_dataset(path, SPECIFICATION)
    before = path.read_bytes(), path.stat()
    with pytest.raises(DataError, match="exists already; nothing was overwritten"):
        generate_dataset(path, SPECIFICATION)
    ensure_dataset(path, SPECIFICATION)
    with pytest.raises(MismatchError, match="dataset.seed"):
        ensure_dataset(path, dataclasses.replace(SPECIFICATION, seed=5))
    assert (path.read_bytes(), path.stat()) == before


def test_only_missing_shards_are_made(path, parts, annealed, caplog, whole):
    caplog.set_level(logging.INFO)
    for name in (SHARDS[1], SHARDS[4]):
        (parts / name).unlink()
    generate_dataset(path, SPECIFICATION)
    assert sorted(annealed) == [2, 8] and digest(path) == whole
    assert "Going on: 3 of 5 shards are there" in caplog.messages


@pytest.mark.parametrize("damage", ["empty", "one byte", "half", "all but one", "bits"])
def test_d1_damaged_shard_is_named_and_made_again(path, parts, annealed, caplog, whole, damage):
    shard = parts / SHARDS[2]
    content = shard.read_bytes()
    kept = {"empty": 0, "one byte": 1, "half": len(content) // 2, "all but one": len(content) - 1}
    shard.write_bytes(content[: kept.get(damage)] if damage in kept else flip(content, 8 * len(content) // 3))
    generate_dataset(path, SPECIFICATION)
    assert f"{shard}: truncated or damaged; it is generated again" in caplog.messages
    assert annealed == [4] and digest(path) == whole


@pytest.mark.parametrize(("name", "count"), [(SHARDS[2], 200), ("manifest.sha256", 100), ("specification.json", 100)])
def test_d1_flipped_bits_are_never_used(path, parts, monkeypatch, name, count):
    """Whatever bit is flipped, the folder is refused or every shard that it counts as finished is as written."""
    file = parts / name
    content, written = file.read_bytes(), {shard: (parts / shard).read_bytes() for shard in SHARDS}
    manifest = (parts / "manifest.sha256").read_bytes()
    noticed = 0
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for flipped in random_flips(content, count):
        file.write_bytes(flipped)
        try:
            with open_parts(path) as opened:
                missing = opened.missing()
                for shard in set(range(5)) - set(missing):
                    assert (parts / SHARDS[shard]).read_bytes() == written[SHARDS[shard]]
                noticed += bool(missing)
        except (DataError, MismatchError) as error:
            assert str(parts) in str(error) and "\n" not in str(error)
            noticed += 1
        for shard in SHARDS:
            (parts / shard).write_bytes(written[shard])
        (parts / "manifest.sha256").write_bytes(manifest)
        file.write_bytes(content)
    assert noticed == count


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hamiltonian": Hamiltonian(D=0.2)}, "hamiltonian.D: expected 0.2 as configured, found 0.3"),
        ({"hamiltonian": Hamiltonian(boundary=("open", "periodic"))}, "hamiltonian.boundary: expected"),
        ({"shape": (32, 32)}, "dataset.shape: expected"),
        ({"sizes": (6, 2, 3)}, "dataset.train: expected 6 as configured, found 5"),
        ({"storage": "float16"}, "dataset.storage: expected 'float16' as configured, found 'float32'"),
        ({"schedule": AnnealingSchedule(temperatures=6, max_greedy_sweeps=50)}, "dataset.schedule.temperatures"),
    ],
)
def test_shards_of_another_specification_are_refused(path, parts, change, message):
    before = {file: file.read_bytes() for file in parts.iterdir() if file.name != "lock"}
    with pytest.raises(MismatchError) as error:
        generate_dataset(path, dataclasses.replace(SPECIFICATION, **change))
    assert message in str(error.value) and "nothing was changed" in str(error.value) and "\n" not in str(error.value)
    assert before == {file: file.read_bytes() for file in parts.iterdir() if file.name != "lock"}


def test_left_overs_of_a_published_file_are_removed(path, parts, caplog):
    content = {file.name: file.read_bytes() for file in parts.iterdir()}
    generate_dataset(path, SPECIFICATION)
    parts.mkdir()
    for name, left in content.items():
        (parts / name).write_bytes(left)
    (parts / "notes.txt").write_text("of the user")
    caplog.set_level(logging.INFO)
    ensure_dataset(path, SPECIFICATION)
    assert "complete, 10 configurations; nothing to do" in caplog.text
    assert os.listdir(parts) == ["notes.txt"]


def test_disk_need_and_second_generators(path, parts):
    with pytest.raises(DiskError, match=r"the dataset and its shards need .* GB, found .* GB free") as error:
        generate_dataset(path.parent / "large" / "x.h5", dataclasses.replace(SPECIFICATION, sizes=(10**12, 1, 1)))
    assert error.value.exit_code == 5 and not (path.parent / "large").exists()
    with open_parts(path), pytest.raises(LockedError) as error:
        generate_dataset(path, SPECIFICATION)
    assert error.value.exit_code == 6 and "\n" not in str(error.value)
    for part in (str(parts), f"process {os.getpid()} on {os.uname().nodename}", "started 20", "wait for it or stop it"):
        assert part in str(error.value)
    generate_dataset(path, SPECIFICATION)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_keeps_the_finished_shards(path, monkeypatch, annealed, whole, number):
    real, calls = files.publish, []

    def publish(partial, target):
        calls.append(target.name)
        if sum(name.endswith(".npz") for name in calls) == 4:
            raise OSError(number, os.strerror(number), str(partial))
        real(partial, target)

    with monkeypatch.context() as patch:
        patch.setattr(files, "publish", publish)
        with pytest.raises(DiskError, match="the disk is full; make room. Finished work is kept") as error:
            generate_dataset(path, SPECIFICATION, workers=1)
    assert error.value.exit_code == 5
    assert len(list(path.with_name("spins.h5.parts").glob("*.npz"))) == 3
    assert not list(path.with_name("spins.h5.parts").glob("*.partial"))
    annealed.clear()
    generate_dataset(path, SPECIFICATION)
    assert len(annealed) == 2 and digest(path) == whole


@pytest.mark.parametrize(
    ("shape", "sweeps", "length"), [((16, 32), 1, 64), ((128, 128), 1, 64), ((512, 512), 1, 4), ((1024, 1024), 9, 1)]
)
def test_shards_take_seconds_and_megabytes(shape, sweeps, length):
    large = dataclasses.replace(of_size(1000), shape=shape, schedule=AnnealingSchedule(sweeps=sweeps))
    assert shards.shard_length(large) == length
    indices = shards.shard_indices(large, length)
    assert [index for shard in indices for index in shard] == list(range(1005))


def test_shards_that_are_damaged_or_of_other_kernels_are_refused(path, parts):
    with open_parts(path) as opened:
        (parts / SHARDS[3]).write_bytes(b"")
        with pytest.raises(DataError, match=f"{parts / SHARDS[3]}: truncated or damaged; start again"):
            opened.read(3)
    file = parts / "specification.json"
    file.write_text(file.read_text().replace('"kernel version": ', '"kernel version": 99'))
    with pytest.raises(MismatchError, match="kernel version: expected .* as configured, found 99"):
        generate_dataset(path, SPECIFICATION)
    with pytest.raises(MismatchError, match="kernel version: expected 999 as on the machine that asks"):
        shards.anneal_shard(SPECIFICATION, range(1), 999)

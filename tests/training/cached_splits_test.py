"""Splits in memory: only where they fit, which is known before they are read."""

import tracemalloc

import pytest

from keras_evae.dataset import DatasetSpecification, generate_dataset
from keras_evae.errors import ConfigError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import available_memory
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.training.cached_splits import CachedSplits, fits

# 20 lattices in single precision.
BYTES = 20 * 16 * 16 * 3 * 4


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "spins.h5"
    schedule = AnnealingSchedule(temperatures=2, max_greedy_sweeps=0)
    generate_dataset(file, DatasetSpecification(Hamiltonian(), (16, 16), (20, 2, 1), 0, schedule))
    return file


def kept(splits, split="train"):
    """Whether a split is in memory, from what reading all of it takes."""
    splits.keep(split)
    with splits.open(split) as spins:
        tracemalloc.start()
        spins[:]
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return taken < spins.shape[0] * 16 * 16 * 3 * 4


@pytest.mark.parametrize(
    ("cache", "available", "expected"),
    [
        ("auto", 2 * BYTES, True), ("auto", 2 * BYTES - 1, False), ("auto", 0, False),
        (True, BYTES, True), (False, 10 * BYTES, False),
    ],
)  # fmt: skip
def test_a_split_is_kept_where_it_fits(path, cache, available, expected):
    assert kept(CachedSplits(path, cache, lambda: available)) == expected


def test_what_does_not_fit_and_shall_is_refused(path):
    with pytest.raises(ConfigError, match=r"dataset.cache: expected splits that fit into the 0.0 GB of memory avail"):
        CachedSplits(path, True, lambda: BYTES - 1).keep("train")
    with pytest.raises(ConfigError, match=r"12.0 GB of memory available, found 23.6 GB; take auto or false"):
        fits((30_000, 256, 256, 3), True, 12 * 10**9)


def machine(folder, groups, files):
    """The files by which Linux says what is left: 8 GB on the machine."""
    for name, text in {
        "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n",
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return available_memory(folder)


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {}, 8_192_000_000),
        # A job's group has room, the one around it does not; files in memory count as room.
        (
            "0::/jobs/one",
            {
                "jobs/one/memory.max": "max", "jobs/one/memory.current": "10",
                "jobs/one/memory.stat": "inactive_file 0",
                "jobs/memory.max": "3000", "jobs/memory.current": "2000",
                "jobs/memory.stat": "anon 7\ninactive_file 500",
            },
            1500,
        ),
        # In a container, version 1: the path is the host's.
        (
            "4:memory:/docker/abc\n0::/",
            {
                "memory/memory.limit_in_bytes": "700", "memory/memory.usage_in_bytes": "300",
                "memory/memory.stat": "inactive_file 0",
            },
            400,
        ),
    ],
)  # fmt: skip
def test_memory_that_is_left_to_a_process(tmp_path, groups, files, expected):
    assert machine(tmp_path, groups, files) == expected

"""Generation of a dataset: what shards are missing, make them, pack them.

Shards are annealed by threads of this process or by the workers of a Dask cluster, and written here, in whatever order
they come. Each is a pure function of the specification, so neither that order, nor kills and restarts, nor the number
of workers and machines shows in the result.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.dataset.cluster import Client, cluster_pool
from keras_evae.dataset.hdf5 import check_dataset, write_dataset
from keras_evae.dataset.own_files import import_states
from keras_evae.dataset.shard_folder import ShardFolder, hold_parts, parts_path, remove_parts
from keras_evae.dataset.shards import LONGEST_SHARD, anneal_shard
from keras_evae.dataset.specification import DatasetSpecification
from keras_evae.errors import DataError
from keras_evae.files import check_room, disk_errors, publish
from keras_evae.machine import usable_cores

logger = logging.getLogger(__name__)

# Shards at work or waiting, for each thread of each worker; they bound the memory.
WINDOW = 2
# Metadata of HDF5 and of the shards, on top of the arrays.
OVERHEAD = 1.01
REMEDY = "make room or choose another dataset.path"
Pool = contextlib.AbstractContextManager[tuple[concurrent.futures.Executor, Callable[[], int]]]


def ensure_dataset(
    path: str | Path,
    specification: DatasetSpecification,
    workers: int | None = None,
    client: Client | None = None,
    longest_shard: int = LONGEST_SHARD,
) -> None:
    """Checks a dataset to the last bit if it is there, generates or imports it if not; see `generate_dataset`.

    Raises:
        DataError, MismatchError, DiskError, LockedError: As `check_dataset` and `generate_dataset`.
    """
    path = Path(path).absolute()
    if path.exists():
        check_dataset(path, specification)
        remove_parts(path)
        logger.info("%s: complete, %d configurations; nothing to do", path, specification.count)
    elif specification.files is not None:
        import_states(path, specification)
    else:
        generate_dataset(path, specification, workers, client, longest_shard)


def generate_dataset(
    path: str | Path,
    specification: DatasetSpecification,
    workers: int | None = None,
    client: Client | None = None,
    longest_shard: int = LONGEST_SHARD,
) -> None:
    """Anneals all configurations of a dataset and writes its file, which appears only when it is complete.

    Finished shards lie in `<path>.parts/` until then. Called again after any interruption, it goes on from there.

    Args:
        path: File to be made; must not exist.
        workers: Threads; all cores by default. The result does not depend on it.
        client: Dask client, whose workers anneal instead of threads here. The result does not depend on it.
        longest_shard: Configurations in a shard at most: what a kill can lose. The result does not depend on it.

    Raises:
        DataError: If the file exists.
        DiskError: If the disk has less room than shards and file need, or gets full, or cannot be written.
        LockedError: If another process generates the same file.
        MismatchError: If the shards that are there belong to another specification.
        ClusterError: If the Dask cluster is lost.
    """
    path = Path(path).absolute()
    _refuse_existing(path)
    check_room(path.parent, room_for_dataset(path, specification), "the dataset and its shards", REMEDY)
    folder = ShardFolder(parts_path(path), specification, longest_shard)
    with disk_errors(path), hold_parts(folder) as parts:
        # Again under the lock: the generator that held it before may have finished.
        _refuse_existing(path)
        _make_missing(parts, cluster_pool(client) if client else thread_pool(workers))
        _pack(parts, path)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise DataError(f"{path}: exists already; nothing was overwritten. Choose another path or move it away")


def room_for_dataset(path: Path, specification: DatasetSpecification) -> float:
    """Bytes that a dataset still needs on the disk.

    Shards and packed file both exist at the end; shards that are there need no more room.
    """
    if path.exists():
        return 0.0
    there = sum(file.stat().st_size for file in parts_path(path).glob("*.npz"))
    return OVERHEAD * 2 * specification.disk_bytes - there


@contextlib.contextmanager
def thread_pool(workers: int | None) -> Iterator[tuple[concurrent.futures.Executor, Callable[[], int]]]:
    """Threads, which the kernels use in parallel, and their number."""
    count = workers or usable_cores()
    pool = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="anneal")
    try:
        yield pool, lambda: count
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make_missing(parts: ShardFolder, pool: Pool) -> None:
    missing = parts.missing()
    finished = len(parts.shards) - len(missing)
    if finished:
        logger.info("Going on: %d of %d shards are there", finished, len(parts.shards))
    todo = sum(len(parts.shards[shard]) for shard in missing)
    count = parts.specification.count
    with (
        progress_bar(None, "annealing", count, initial=count - todo, unit="lattice") as progress,
        pool as (executor, threads),
    ):
        for shard, arrays in _annealed(parts, missing, executor, threads):
            parts.write(shard, arrays)
            progress.update(len(parts.shards[shard]))


def _annealed(
    parts: ShardFolder, missing: list[int], executor: concurrent.futures.Executor, threads: Callable[[], int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbers and arrays of the missing shards, in the order in which they get finished."""
    waiting = iter(missing)
    pending: dict[concurrent.futures.Future, int] = {}
    while True:
        # Asked each time: a cluster grows and shrinks.
        for shard in itertools.islice(waiting, max(0, WINDOW * threads() - len(pending))):
            pending[executor.submit(anneal_shard, parts.specification, parts.shards[shard], KERNEL_VERSION)] = shard
        if not pending:
            return
        finished, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in finished:
            yield pending.pop(future), future.result()


def _pack(parts: ShardFolder, path: Path) -> None:
    with progress_bar(range(len(parts.shards)), "packing", unit="shard") as shards:
        write_dataset(parts.packed, parts.specification, map(parts.read, shards))
    # The shards go only when what replaces them reads as it should.
    check_dataset(parts.packed, parts.specification)
    publish(parts.packed, path)
    parts.remove()

"""Thermal averages on disk: made in parts like a dataset, then one HDF5 file.

Layout: `averages` (hamiltonians, n) has a field for the temperature, for each average and for its `_error`; `series`
(hamiltonians, n, rounds, 6), see `keras_evae.monte_carlo.checkerboard.MonteCarlo.measure`, and `charge_series` are what
they are of; `acceptance`, `round_trips` and `spins` as `keras_evae.thermal.ThermalResult` has them. All are checksummed
(fletcher32). The attributes hold the specification and the versions.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.dataset.cluster import cluster_pool
from keras_evae.dataset.generation import Pool, thread_pool
from keras_evae.dataset.hdf5 import (
    AGAIN,
    METADATA_BYTES,
    VERSIONS,
    create_file,
    json_attribute,
    write_attribute,
)
from keras_evae.dataset.reading import open_hdf5
from keras_evae.dataset.shard_folder import PartsFolder, hold_parts, parts_path, remove_parts
from keras_evae.dataset.specification import describe_difference
from keras_evae.dataset.thermal_chains import STATE, ThermalSpecification, run_segment
from keras_evae.errors import DataError, MismatchError
from keras_evae.files import disk_errors, publish
from keras_evae.machine import usable_cores

if TYPE_CHECKING:
    import distributed

FORMAT_VERSION = 1
# Arrays that are no fields of the table.
APART = ("acceptance", "round_trips", "series", "charge_series", "spins")
Arrays = dict[str, np.ndarray]


class MemoryParts(dict[int, Arrays]):
    """Finished segments in memory."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def missing(self) -> list[int]:
        return [number for number in range(self._count) if number not in self]

    def read(self, shard: int) -> Arrays:
        return self[shard]

    def write(self, shard: int, arrays: Mapping[str, np.ndarray]) -> None:
        self[shard] = dict(arrays)


Parts = PartsFolder | MemoryParts


def make_chains(
    specification: ThermalSpecification,
    parts: Parts,
    workers: int | None = None,
    client: distributed.Client | None = None,
) -> None:
    """Makes the missing segments of all chains, on threads or on the workers of a Dask cluster."""
    cores = workers or usable_cores()
    # Copies of one chain move together: where there are few chains, each takes several threads.
    inner = 1 if client or not specification.exchange else max(1, cores // specification.chains)
    pool: Pool = cluster_pool(client) if client else thread_pool(cores)
    missing, segments = set(parts.missing()), specification.segments
    # What is behind a segment that is lost is made again, with the same bits.
    todo = {chain: min((part % segments for part in missing if part // segments == chain), default=segments)
            for chain in range(specification.chains)}  # fmt: skip
    total = segments * specification.chains
    with (
        progress_bar(description="sampling", total=total, initial=sum(todo.values()), unit="segment") as bar,
        pool as (executor, _),
    ):

        def submit(chain: int, state: Mapping[str, np.ndarray] | None) -> concurrent.futures.Future:
            return executor.submit(run_segment, specification, chain, todo[chain], state, inner, KERNEL_VERSION)

        def state_before(chain: int) -> Arrays | None:
            first = todo[chain]
            return _state(parts.read(chain * segments + first - 1)) if first else None

        pending = {submit(chain, state_before(chain)): chain for chain, first in todo.items() if first < segments}
        while pending:
            finished, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                chain, arrays = pending.pop(future), future.result()
                parts.write(chain * segments + todo[chain], arrays)
                bar.update()
                todo[chain] += 1
                if todo[chain] < segments:
                    pending[submit(chain, _state(arrays))] = chain


def _state(arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {name: arrays[name] for name in STATE}


def join_segments(specification: ThermalSpecification, parts: Parts) -> Arrays:
    """The arrays of all chains, from their segments: each `(hamiltonians, temperatures, times, ...)`.

    `history` of a Hamiltonian, `(hamiltonians, rounds + 1, temperatures)`, stays as it is; `temperatures` are those at
    which the chains were (hamiltonians, temperatures).
    """
    segments, joined = specification.segments, []
    for chain in range(specification.chains):
        found = [parts.read(chain * segments + number) for number in range(segments)]
        arrays = {
            name: np.concatenate([each[name] for each in found]) for name in ("series", "charge", "counts", "kept")
        }
        later = [each["history"][1:] for each in found[1:]]
        arrays["history"] = np.concatenate([found[0]["history"][:0], found[1]["history"][:1], *later])
        joined.append({**arrays, "temperatures": found[-1]["temperatures"][None]})
    size = (len(specification.hamiltonians), len(specification.temperatures))
    whole = {}
    for name in joined[0]:
        # (chains, times, temperatures of a chain, ...) with the temperatures in front of the times.
        values = np.moveaxis(np.stack([each[name] for each in joined]), 2, 1)
        whole[name] = values.reshape(*size, *values.shape[2:])
    return whole | {"temperatures": whole["temperatures"][..., 0]}


def ensure_thermal(
    path: str | Path,
    specification: ThermalSpecification,
    average: Callable[[ThermalSpecification, Arrays], Arrays],
    workers: int | None = None,
    client: distributed.Client | None = None,
) -> Arrays:
    """The content of a file, which is made if it is not there; stopped at any moment, it goes on from its parts.

    Args:
        path: The file. Until it is complete its parts lie in `<path>.parts/`.
        specification: What to sample.
        average: Makes what is written of the joined segments.
        workers, client: Threads, or a Dask cluster instead. The result does not depend on them.

    Raises:
        DataError, MismatchError, DiskError, LockedError, ClusterError: As `keras_evae.dataset.generate_dataset`.
    """
    path = Path(path)
    if not path.exists():
        count = specification.chains * specification.segments
        length = {"blocks in a segment": specification.segment_blocks}
        folder = PartsFolder(parts_path(path), count, specification.attributes() | length)
        with disk_errors(path), hold_parts(folder) as parts:
            make_chains(specification, parts, workers, client)
            _write(parts.packed, specification, average(specification, join_segments(specification, parts)))
            read_thermal(parts.packed)
            publish(parts.packed, path)
            parts.remove()
    attributes, arrays = read_thermal(path)
    difference = describe_difference(specification.attributes(), attributes)
    if difference:
        raise MismatchError(
            f"{path}: {difference} in this file; choose another thermal.path, or mend the configuration"
        )
    remove_parts(path)
    return arrays


def _write(path: Path, specification: ThermalSpecification, arrays: Arrays) -> None:
    fields = {name: values for name, values in arrays.items() if name not in APART}
    size = fields["temperatures"].shape
    table = np.empty(size, [(name, values.dtype, values.shape[2:]) for name, values in fields.items()])
    for name, values in fields.items():
        table[name] = values
    # A table, since more than eight names lie where HDF5 has no checksum, and damage ends the process.
    stored = {"averages": table, **{name: arrays[name] for name in APART}}
    create_file(path, sum(values.nbytes for values in stored.values()) + METADATA_BYTES * 512)
    with h5py.File(path, "r+", libver="latest") as file:
        file.attrs["thermal_format_version"] = FORMAT_VERSION
        write_attribute(file, "specification", specification.attributes())
        write_attribute(file, "versions", VERSIONS)
        for name, values in stored.items():
            checked = {"chunks": values.shape, "fletcher32": True} if values.size else {}
            file.create_dataset(name, data=values, track_times=False, **checked)


def read_thermal(path: str | Path) -> tuple[dict[str, Any], Arrays]:
    """The specification of a file as plain values, and its arrays, verified by their checksums.

    Raises:
        DataError: If the file is missing, damaged, or something else.
    """
    with open_hdf5(path, AGAIN) as file:
        version = file.attribute("thermal_format_version")
        if not np.array_equal(version, FORMAT_VERSION):
            raise DataError(f"{path}: expected thermal averages of format version {FORMAT_VERSION}, found {version}")
        table, apart = file["averages"][()], {name: file[name][()] for name in APART}
        return json_attribute(file, "specification"), {name: table[name] for name in table.dtype.names or ()} | apart

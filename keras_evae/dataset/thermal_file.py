"""The HDF5 file of thermal averages: made in parts like a dataset, checked, read.

Layout: `averages` (hamiltonians, n) has a field for the temperature, for each average and for its `_error`; `series`
(hamiltonians, n, rounds, 6), see `keras_evae.monte_carlo.checkerboard.MonteCarlo.measure`, and `charge_series` are what
they are of; `acceptance`, `round_trips` and `spins` as `keras_evae.dataset.thermal_averages.ThermalResult` has them.
All are checksummed (fletcher32). The attributes hold the specification and the versions.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.dataset.cluster import cluster_pool
from keras_evae.dataset.generation import thread_pool
from keras_evae.dataset.hdf5 import AGAIN, METADATA_BYTES, VERSIONS, create_file, json_attribute, write_attribute
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
SERIES = ("series", "charge", "counts", "kept")
APART = ("acceptance", "round_trips", "series", "charge_series", "spins")
Arrays = dict[str, np.ndarray]


def make_chains(
    specification: ThermalSpecification,
    missing: Iterable[int],
    read: Callable[[int], Arrays],
    write: Callable[[int, Arrays], None],
    workers: int | None = None,
    client: distributed.Client | None = None,
) -> Arrays:
    """Makes the missing segments of all chains, on threads or on the workers of a Dask cluster.

    Args:
        specification: What to sample.
        missing: Numbers of segments, those of the first chain first.
        read, write: Give and take the arrays of a segment, by its number.
        workers, client: As for `ensure_thermal`.

    Returns:
        The arrays of all segments, each `(hamiltonians, temperatures, times, ...)`, but for `history`, `(hamiltonians,
        rounds + 1, temperatures)`, and `temperatures`, at which the chains were, `(hamiltonians, temperatures)`.
    """
    chains, segments, cores = specification.chains, specification.segments, workers or usable_cores()
    # Where there are few chains, each takes several threads.
    inner = 1 if client or not specification.exchange else max(1, cores // chains)
    # What is behind a segment that is lost is made again, with the same bits.
    todo = dict.fromkeys(range(chains), segments)
    for part in sorted(missing, reverse=True):
        todo[part // segments] = part % segments
    with (
        progress_bar(
            description="sampling", total=segments * chains, initial=sum(todo.values()), unit="segment"
        ) as bar,
        cluster_pool(client) if client else thread_pool(cores) as (executor, _),
    ):

        def submit(chain: int) -> concurrent.futures.Future:
            first = todo[chain]
            state = read(chain * segments + first - 1) if first else None
            state = state and {name: state[name] for name in STATE}
            return executor.submit(run_segment, specification, chain, first, state, inner, KERNEL_VERSION)

        pending = {submit(chain): chain for chain, first in todo.items() if first < segments}
        while pending:
            for future in concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED).done:
                chain = pending.pop(future)
                write(chain * segments + todo[chain], future.result())
                bar.update()
                todo[chain] += 1
                if todo[chain] < segments:
                    pending[submit(chain)] = chain
    return _join(specification, read)


def _join(specification: ThermalSpecification, read: Callable[[int], Arrays]) -> Arrays:
    segments, joined = specification.segments, []
    for chain in range(specification.chains):
        # The first only brings the chain into equilibrium.
        found = [read(chain * segments + number) for number in range(1, segments)]
        arrays = {name: np.concatenate([each[name] for each in found]) for name in SERIES}
        later = [each["history"][1:] for each in found] if specification.exchange else []
        arrays["history"] = np.concatenate([found[0]["history"][:1], *later])
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
        attributes = specification.attributes() | {"blocks in a segment": specification.segment_blocks}
        folder = PartsFolder(parts_path(path), specification.chains * specification.segments, attributes)
        with disk_errors(path), hold_parts(folder) as parts:
            joined = make_chains(specification, parts.missing(), parts.read, parts.write, workers, client)
            _write(parts.packed, specification, average(specification, joined))
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

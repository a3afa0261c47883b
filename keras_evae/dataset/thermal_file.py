"""The HDF5 file of thermal averages: made in parts like a dataset, checked, read.

Layout: `averages` (hamiltonians, n) has a field for the temperature, for each average and for its `_error`; `series`
(hamiltonians, n, rounds, 6), see `keras_evae.monte_carlo.checkerboard.MonteCarlo.measure`, and `charge_series` are what
they are of; `acceptance`, `round_trips` and `spins` as `keras_evae.dataset.thermal_averages.ThermalResult` has them.
All are checksummed (fletcher32). The attributes hold the specification and the versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_evae.dataset.cluster import Client
from keras_evae.dataset.hdf5 import AGAIN, METADATA_BYTES, VERSIONS, create_file, json_attribute, write_attribute
from keras_evae.dataset.reading import open_hdf5
from keras_evae.dataset.shard_folder import PartsFolder, hold_parts, parts_path, remove_parts
from keras_evae.dataset.specification import describe_difference
from keras_evae.dataset.thermal_averages import average
from keras_evae.dataset.thermal_chains import Arrays, make_chains
from keras_evae.dataset.thermal_specification import ThermalSpecification
from keras_evae.errors import DataError, MismatchError
from keras_evae.files import disk_errors, publish

FORMAT_VERSION = 1
# Arrays that are no fields of the table.
APART = ("acceptance", "round_trips", "series", "charge_series", "spins")


def ensure_thermal(
    path: str | Path,
    specification: ThermalSpecification,
    workers: int | None = None,
    client: Client | None = None,
) -> Arrays:
    """The content of a file, which is made if it is not there; stopped at any moment, it goes on from its parts.

    Args:
        path: The file. Until it is complete its parts lie in `<path>.parts/`.
        specification: What to sample.
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

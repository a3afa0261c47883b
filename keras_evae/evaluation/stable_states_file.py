"""The file of certified states, which survives interruptions.

On the way to a file the states that are kept lie in `<file>.parts/`: `request.json`, and for each chunk an `.npz` that
is followed by its SHA-256.
"""

import contextlib
import functools
import io
import itertools
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_evae.console import format_table
from keras_evae.dataset.hdf5 import write_attribute
from keras_evae.dataset.reading import open_hdf5
from keras_evae.dataset.specification import describe_difference
from keras_evae.errors import DataError, EVAEError, MismatchError, validate_json
from keras_evae.evaluation.relaxed_states import new_states_file
from keras_evae.evaluation.stable_states import CHUNK, MEASURED, StableStates, StateSource, collect_chunks, make_source
from keras_evae.files import (
    as_npz,
    disk_errors,
    hold_lock,
    json_text,
    load_arrays,
    read_sealed,
    write_sealed,
    write_whole,
)
from keras_evae.runs.run import Run

logger = logging.getLogger(__name__)

LOCK, REQUEST = "lock", "request.json"


def write_stable(
    run: Run,
    path: Path,
    n: int,
    seed: int = 0,
    prior: str = "flow",
    relax: bool = True,
    limit: int | None = None,
    **conditions: Any,
) -> None:
    """Writes the states of `generate_stable` to an HDF5 file, which appears only when it is complete.

    Layout: `spins` (n, y, x, 3) float32 and the fields of `MEASURED`, each (n,), all checksummed (fletcher32); as
    attributes the Hamiltonian, the versions of the software and what was asked for, as JSON. Called again after any
    interruption, it goes on from the last finished chunk; a finished file is checked and stays.

    Raises:
        DataError: As `generate_stable`; what was found is kept, and a larger limit goes on from there.
        MismatchError: If the file, or what an interruption has left, is of other states; nothing is changed.
        LockedError: If another process makes the same file.
        DiskError: If the disk is full or cannot be written.
    """
    source = make_source(run, seed, prior, relax, conditions)
    request, path = source.request(), path.absolute()
    parts = path.with_name(f"{path.name}.parts")
    whole = {**request, "states": n}
    if path.exists():
        _finish(path, parts, whole)
        return
    with disk_errors(path), hold_lock(parts / LOCK):
        # Whoever held the lock before may have finished.
        if not path.exists():
            _claim(parts, request)
            chunk = functools.partial(_kept_chunk, parts, source)
            record = np.concatenate([found.record for found in collect_chunks(n, limit, chunk)])[:n]
            with new_states_file(path, run.hamiltonian, [n], run.shape) as file:
                _fill(file, record, map(chunk, itertools.count()), run.shape)
                write_attribute(file, "request", whole)
            _report(path, record)
        _finish(path, parts, whole)


def _finish(path: Path, parts: Path, request: Mapping[str, Any]) -> None:
    """Checks a finished file, and removes what a kill has left of its own request; that of another one stays."""
    _check_file(path, request)
    logger.info("%s: complete, %d states", path, request["states"])
    with contextlib.suppress(FileNotFoundError, EVAEError):
        found = validate_json(parts, (parts / REQUEST).read_bytes(), dict[str, Any])
        if not describe_difference({key: value for key, value in request.items() if key != "states"}, found):
            shutil.rmtree(parts)


def _kept_chunk(parts: Path, source: StateSource, number: int) -> StableStates:
    """A chunk from its file; one that is missing or damaged is drawn and written."""
    path = parts / f"{number:06d}.npz"
    with contextlib.suppress(ValueError, DataError):
        content = read_sealed(path)
        if content is not None:
            file = load_arrays(path, io.BytesIO(content), ("spins", "record"))
            return StableStates(file["spins"], file["record"])
    made = source.chunk(number)
    write_sealed(path, as_npz({"spins": made.spins, "record": made.record}))
    return made


def _claim(parts: Path, request: Mapping[str, Any]) -> None:
    """Writes what was asked for into a work folder, or compares it with what the folder is for."""
    if (parts / REQUEST).exists():
        content = (parts / REQUEST).read_bytes()
        found = validate_json(parts / REQUEST, content, dict[str, Any], f"delete the folder {parts}")
        _compare(parts, found, request)
    elif {file.name for file in parts.iterdir()} - {LOCK, f"{REQUEST}.partial"}:
        raise DataError(f"{parts}: expected a work folder of evae-generate, found something else; choose another file")
    else:
        write_whole(parts / REQUEST, json_text(request, indent=2).encode() + b"\n")


def _check_file(path: Path, request: Mapping[str, Any]) -> None:
    remedy = "nothing was overwritten. Delete it or choose another file"
    with open_hdf5(path, remedy) as file:
        content = file.attribute("request")
        if not isinstance(content, bytes):
            raise DataError(f"{path}: no file of evae-generate; nothing was overwritten. Choose another file")
        found = validate_json(path, content, dict[str, Any], remedy)
        for values in file.values():
            for start in range(0, len(values), CHUNK):
                values[start : start + CHUNK]
    _compare(path, found, request)


def _compare(path: Path, found: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    if difference := describe_difference(request, found):
        raise MismatchError(f"{path}: {difference}; nothing was changed. Choose another file, or delete this one")


def _fill(file: h5py.File, record: np.ndarray, chunks: Iterator[StableStates], shape: tuple[int, int]) -> None:
    spins = file.create_dataset("spins", (len(record), *shape, 3), "f4", chunks=(1, *shape, 3), fletcher32=True)
    start = 0
    while start < len(record):
        states = next(chunks).spins[: len(record) - start]
        spins[start : start + len(states)] = states
        start += len(states)
    for name in MEASURED:
        file.create_dataset(name, data=record[name], chunks=record.shape, fletcher32=True)


def _report(path: Path, record: np.ndarray) -> None:
    rows = [
        [text, *(f"{function(record[name]):.8g}" for function in (np.mean, np.min, np.max))]
        for name, (_, text) in MEASURED.items()
        if name != "draw"
    ]
    draws = record["draw"][-1] + 1
    logger.info("%d states of %d draws: %s\n", len(record), draws, path)
    logger.info(format_table(["", "mean", "smallest", "largest"], rows))

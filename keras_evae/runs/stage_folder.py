"""Folders of finished stages: weights, metrics, history, written as a whole; damage to them is noticed.

model.weights.h5     weights, optimiser state and seed position at the end of the stage
metrics.json         losses in inference mode, statistics of generated states; what its weights depend on
history.csv          losses of each epoch
checksums.sha256     of the three, in the format of `sha256sum --check`
prior_flow.npz       the learned density of latent vectors, once it was asked for (see `keras_evae.runs.stage_priors`)
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from keras_evae.console import format_csv
from keras_evae.dataset.reading import open_hdf5
from keras_evae.errors import DataError, in_brief, validate_json
from keras_evae.files import disk_errors, file_checksum, json_text, read_checksums, sync_folder
from keras_evae.runs.run_folder import check_decisive_keys
from keras_evae.runs.stage_plan import Stage, describe_plan

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE

WEIGHTS, METRICS, HISTORY, CHECKSUMS = "model.weights.h5", "metrics.json", "history.csv", "checksums.sha256"
CHECKED = (WEIGHTS, METRICS, HISTORY)


class Numbers(dict[str, Any]):
    """Numbers, or groups of them, by their names; a `DataError` where one is missing."""

    def __init__(self, file: Path, remedy: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._file, self._remedy = file, remedy

    def __missing__(self, name: str) -> float:
        raise DataError(f"{self._file}: expected {name}, found none; {self._remedy}")


class StageRecord(TypedDict):
    """What metrics.json holds of a stage."""

    index: int
    beta: float
    gamma: float
    first_epoch: int
    epochs: int
    metrics: dict[str, dict[str, float]]
    # Not in stages of earlier versions: the configuration, and beta, gamma and epochs of all stages up to this one.
    config: NotRequired[dict[str, Any]]
    stages: NotRequired[list[list[float]]]


def read_history(stage: FinishedStage) -> Mapping[str, list[float]]:
    """The columns of a stage's history.csv, a value for each epoch; a `DataError` where one is missing."""
    file = stage.path / HISTORY
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
        return Numbers(file, _remedy(file), {name: [row[name] for row in rows] for name in rows[0]})
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        raise _damaged(file, f"expected a column of numbers for each loss, found {error}") from error


@dataclasses.dataclass(frozen=True)
class FinishedStage:
    """A stage whose training is complete, with its measured metrics."""

    stage: Stage
    path: Path
    metrics: Mapping[str, Mapping[str, float]]

    @functools.cached_property
    def weights(self) -> Path:
        """File of its weights, compared with its checksum when it is first asked for.

        Raises:
            DataError: If it is missing or not what was written, to the last bit.
        """
        _check(self.path, _checksums(self.path), [WEIGHTS])
        return self.path / WEIGHTS

    def __repr__(self) -> str:
        return f"<FinishedStage {self.name}>"

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def beta(self) -> float:
        return self.stage.beta

    @property
    def gamma(self) -> float:
        return self.stage.gamma


def finished_stages(
    path: Path, planned: Sequence[Stage], config: Mapping[str, Any] = MappingProxyType({})
) -> tuple[FinishedStage, ...]:
    """The planned stages of the run folder `path` that are there, up to the first that is missing.

    Args:
        config: What weights depend on, by `run_folder.decided_by`; what is not in it is not compared.

    Raises:
        DataError: If the metrics or the history of one of them are not what was written.
        MismatchError: If one was trained with another configuration, or after other stages.
    """
    finished = []
    for stage in planned:
        folder = path / "stages" / stage.name
        if not folder.is_dir():
            break
        _check(folder, _checksums(folder), [METRICS, HISTORY])
        file = folder / METRICS
        record = validate_json(file, file.read_bytes(), StageRecord, _remedy(file))
        expected = {**dataclasses.asdict(stage), "stages": describe_plan(planned[: stage.index + 1])}
        # A probe is planned alone; what it started from is compared where it is read.
        if planned[0].index:
            del expected["stages"]
        check_decisive_keys(folder, record, expected)
        check_decisive_keys(folder, record.get("config", {}), config)
        numbers = functools.partial(Numbers, file, _remedy(file))
        metrics = numbers({name: numbers(values) for name, values in record["metrics"].items()})
        finished.append(FinishedStage(stage, folder, metrics))
    return tuple(finished)


def refuse_orphans(path: Path, missing: Sequence[Stage]) -> None:
    """Refuses to train a stage before others that are there: those were trained from another predecessor.

    Raises:
        DataError: With the folders to delete.
    """
    folders = (path / "stages").glob("[0-9]*") if missing else ()
    orphans = sorted(str(folder) for folder in folders if int(folder.name.partition("_")[0]) >= missing[0].index)
    if orphans:
        raise DataError(
            f"{path}: expected no stage after the missing {missing[0].name}, found {', '.join(orphans)}; "
            f"delete them, and they will be trained again"
        )


def save_stage(
    path: Path,
    stage: Stage,
    model: EVAE,
    metrics: Mapping[str, Mapping[str, float]],
    history: Mapping[str, list],
    made_from: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Writes the folder of a finished stage; it appears under its name only when everything is on disk.

    Args:
        path, stage, model, metrics, history: Run folder, stage, its model and what was measured.
        made_from: Entries `config` and `stages` of its `StageRecord`.
    """
    with _appear_whole(path / "stages" / stage.name) as partial:
        reserve(partial / WEIGHTS, 2 * sum(value.nbytes for value in model.get_weights()) + 2**20)
        model.save_weights(partial / WEIGHTS)
        rows = zip(*history.values(), strict=True)
        epochs = ([epoch, *values] for epoch, values in enumerate(rows, start=stage.first_epoch))
        (partial / HISTORY).write_bytes(format_csv(["epoch", *history], epochs))
        record = {**dataclasses.asdict(stage), "metrics": metrics, **made_from}
        (partial / METRICS).write_text(json_text(record, indent=2) + "\n", encoding="utf-8")
        lines = (f"{file_checksum(partial / name)}  {name}\n" for name in CHECKED)
        (partial / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def copy_stage(stage: FinishedStage, path: Path) -> None:
    """Puts the files of a finished stage into the run folder `path` too, where it appears like a new one.

    Files are linked where the disk can: both folders then name the same bytes, which nothing ever changes, and each may
    be deleted without the other. Else they are copied.

    Raises:
        DataError: If a file, or its copy, is not what was written.
    """
    checksums = _checksums(stage.path)
    _check(stage.path, checksums)
    with _appear_whole(path / "stages" / stage.name) as partial:
        for file in stage.path.iterdir():
            try:
                os.link(file, partial / file.name)
            except OSError:
                # Another disk, or one without links; whatever else is wrong, copying says.
                shutil.copyfile(file, partial / file.name)
        _check(partial, checksums)


@contextlib.contextmanager
def _appear_whole(folder: Path) -> Iterator[Path]:
    """An empty folder under another name, which gets its name when all that is written into it is on disk."""
    partial = folder.with_name(f".{folder.name}.partial")
    with disk_errors(folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            for file in partial.iterdir():
                with open(file, "rb") as stream:
                    os.fsync(stream.fileno())
            sync_folder(partial)
            partial.rename(folder)
        except BaseException:
            # What a full disk has cut short shall not fill it.
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(folder.parent)


def reserve(path: Path, room: int) -> None:
    """Asks the disk for room before HDF5 writes there: on a full disk HDF5 loses what it holds, and says so at length.

    Raises:
        OSError: If there is no room; nothing is left.
    """
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, room)
    path.unlink()


def load_stage_weights(model: EVAE, stage: FinishedStage) -> None:
    """Loads the weights of a finished stage with its beta and gamma.

    A built optimiser of the model gets its state, too.

    Raises:
        DataError: If the file is missing or not what was written, to the last bit, or not of this network.
    """
    file = stage.weights
    _check_weights(file)
    try:
        with warnings.catch_warnings():
            # Keras only warns where it leaves a layer as it was.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(file)
    except (ValueError, TypeError, KeyError, OSError, UserWarning) as error:
        raise _damaged(file, "expected the weights of this network, found something else") from error
    # `load_weights` leaves them alone.
    model.beta.assign(stage.beta)
    model.gamma.assign(stage.gamma)


def _check_weights(file: Path) -> None:
    """Reads each array once: finite real numbers in the file itself, which Keras would not look at."""
    with open_hdf5(file, _remedy(file)) as arrays:
        if arrays.links:
            raise DataError(f"{file}: expected weights, found links to other places ({in_brief(arrays.links)})")
        for name, array in arrays.items():
            values = array[()]
            if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
                raise _damaged(file, f"expected finite real numbers as {name}, found others")


def _checksums(folder: Path) -> dict[str, str]:
    """Checksums of a stage's files, by name."""
    try:
        found = read_checksums(folder / CHECKSUMS)
    except OSError as error:
        raise _damaged(folder / CHECKSUMS) from error
    if [name for name, _ in found] != list(CHECKED):
        raise _damaged(folder / CHECKSUMS)
    return dict(found)


def _check(folder: Path, checksums: Mapping[str, str], names: Sequence[str] = CHECKED) -> None:
    for file in (folder / name for name in names):
        if not file.is_file() or file_checksum(file) != checksums[file.name]:
            raise _damaged(file)


def _damaged(file: Path, problem: str = "missing or damaged (not what its checksum says)") -> DataError:
    return DataError(f"{file}: {problem}; {_remedy(file)}")


def _remedy(file: Path) -> str:
    return f"delete the folder {file.parent} and later stages, and evae-train will train them again"

"""Checkpoints at the ends of epochs: all that training needs to go on without a trace, in one file.

The file is an uncompressed `.npz` of arrays, followed by the 32 bytes of its SHA-256:

    record       JSON as bytes: stage, epoch, history
    0, 1, ...    values of all variables, in the order of `training_variables`
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import TypedDict

from keras_evae.errors import DataError, NumericalError, validate_json
from keras_evae.files import as_npz, disk_errors, json_text, load_arrays, read_sealed, write_sealed
from keras_evae.runs.stage_plan import Stage

if TYPE_CHECKING:
    from keras_evae.model.evae import EVAE

CHECKPOINT = "checkpoint.npz"
# Of a damaged one.
AGAIN = "delete it, and training goes on after the last finished stage"


class CheckpointRecord(TypedDict):
    """What stands beside the arrays."""

    __pydantic_config__ = {"extra": "forbid"}  # type: ignore[misc]
    stage: str
    epoch: int
    history: dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two epochs.

    Args:
        epoch: The next epoch, counted over the whole run.
        history: Logs of the stage's finished epochs, a list for each name.
        values: Values of all variables, in the order of `training_variables`.
    """

    stage: str
    epoch: int
    history: Mapping[str, list[float]]
    values: Sequence[np.ndarray]


def training_variables(model: EVAE) -> list[Any]:
    """Everything that an epoch changes and the next one reads: weights, statistics, loss weights, noise, optimiser."""
    return [*model.variables, *model.optimizer.variables]


def read_values(model: EVAE) -> list[np.ndarray]:
    """Values of all variables for a checkpoint.

    Raises:
        NumericalError: If one is not finite: such a state is not worth keeping.
    """
    variables = training_variables(model)
    values = [variable.numpy() for variable in variables]
    for variable, value in zip(variables, values, strict=True):
        if not np.isfinite(value).all():
            raise NumericalError(f"{variable.path} is not finite; no checkpoint was written of this state")
    return values


def assign_values(model: EVAE, values: Sequence[np.ndarray]) -> None:
    """Puts a model with a built optimiser into the state that `read_values` has read."""
    for variable, value in zip(training_variables(model), values, strict=True):
        variable.assign(value)


def check_values(path: Path, model: EVAE, checkpoint: Checkpoint, stage: Stage) -> None:
    """Raises `DataError` unless a checkpoint lies in its stage, and has the arrays that model and optimiser need."""
    done = checkpoint.epoch - stage.first_epoch
    if not 0 <= done <= stage.epochs or any(len(values) != done for values in checkpoint.history.values()):
        raise _damaged(path, f"expected an epoch of {stage.name} and its history, found epoch {checkpoint.epoch}")
    if not all(np.isfinite(value).all() for value in checkpoint.values):
        raise _damaged(path, "expected finite values, found NaN or Inf")
    expected = [(tuple(variable.shape), str(np.dtype(variable.dtype))) for variable in training_variables(model)]
    if expected != [(value.shape, str(value.dtype)) for value in checkpoint.values]:
        raise _damaged(path, "expected the arrays of this network and optimiser, found others")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint of a run; whenever this is cut short, the old or the new one is there, whole.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    record = {"stage": checkpoint.stage, "epoch": checkpoint.epoch, "history": checkpoint.history}
    arrays = {"record": np.frombuffer(json_text(record).encode(), np.uint8)}
    arrays |= {str(index): value for index, value in enumerate(checkpoint.values)}
    with disk_errors(path):
        write_sealed(path, as_npz(arrays))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint of a run, None if there is none.

    Raises:
        DataError: If the file is not what was written, to the last bit.
    """
    try:
        content = read_sealed(path)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if content is None:
        return None
    arrays = load_arrays(path, io.BytesIO(content), remedy=AGAIN)
    if arrays.keys() != {"record", *map(str, range(len(arrays) - 1))}:
        raise _damaged(path, "expected arrays and the record of a training, found something else")
    text = arrays.pop("record").tobytes()
    record: CheckpointRecord = validate_json(path, text, CheckpointRecord, AGAIN)
    values = [arrays[str(index)] for index in range(len(arrays))]
    return Checkpoint(record["stage"], record["epoch"], record["history"], values)


def remove_checkpoint(path: Path) -> None:
    """Removes the checkpoint of a stage that is finished, and what a kill may have left of another one."""
    for file in (path, path.with_name(f"{path.name}.partial")):
        file.unlink(missing_ok=True)


def _damaged(path: Path, problem: str) -> DataError:
    return DataError(f"{path}: {problem}; {AGAIN}")

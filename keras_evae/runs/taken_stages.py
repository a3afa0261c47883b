"""Stages that a run takes over from another one, where both plans begin alike, instead of training them again.

Training depends on nothing but the configuration, the stages before and the training version: with equal ones it ends
with the same bits, where what `machine.describe_arithmetic` says is equal too.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_evae.config import Config
from keras_evae.errors import DataError, MismatchError
from keras_evae.runs.environment import (
    ARITHMETIC,
    add_to_environment,
    check_training_version,
    read_environment,
    training_begun,
)
from keras_evae.runs.from_config import planned_stages
from keras_evae.runs.run import load_run
from keras_evae.runs.run_folder import CONFIG, check_same_config, free_keys
from keras_evae.runs.stage_folder import FinishedStage, copy_stage

# They plan the stages, which are compared one by one.
LADDERS = ("vae", "evae")
TAKEN = "stages_from"
REMEDY = "Leave out --stages-from, or take another run"


def shared_stages(source: str | Path, config: Config) -> tuple[FinishedStage, ...]:
    """The finished stages of the run `source` that a run of this configuration would train first, and alike.

    Raises:
        MismatchError: If anything but the ladders differs, with the first key, if the first stages differ, or if
            another version has trained them.
        DataError: If none of the shared stages is finished, or one is damaged.
    """
    run = load_run(source)
    check_same_config(run.path / CONFIG, config, LADDERS + free_keys(config), REMEDY)
    check_training_version(run.path, REMEDY)
    pairs = zip(planned_stages(run.config), planned_stages(config), strict=False)
    shared = [found for found, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]
    if not shared:
        found, expected = planned_stages(run.config)[0], planned_stages(config)[0]
        raise MismatchError(f"{run.path}: no shared stage: expected {expected} first, found {found}")
    if not run.stages:
        raise DataError(f"{run.path}: expected a finished stage such as {shared[0].name}, found none; train it first")
    return run.stages[: len(shared)]


def take_stages(folder: Path, source: str | Path, stages: Sequence[FinishedStage]) -> None:
    """Puts stages of another run into the folder of a run that has none of its own; again, what is still missing.

    Raises:
        MismatchError: If the run has begun without them, or has taken those of another run.
        DataError: If a stage is damaged.
        DiskError: If a copy cannot be written.
    """
    source, record = str(Path(source).resolve()), read_environment(folder).get(TAKEN)
    if record is None:
        if all((folder / "stages" / stage.name).exists() for stage in stages):
            return
        if begun := training_begun(folder):
            raise MismatchError(
                f"{folder}: --stages-from: expected a run that has not begun a stage, found {min(begun)}; "
                f"go on without it, or choose another --output"
            )
        # Written first: whatever is taken is said, and the same stages are taken after an interruption.
        record = {"run": source, "stages": [stage.name for stage in stages]}
        arithmetic = read_environment(Path(source)).get(ARITHMETIC, [])
        add_to_environment(folder, {TAKEN: record, ARITHMETIC: arithmetic})
    if record["run"] != source:
        raise MismatchError(f"{folder}: --stages-from: expected {record['run']} as at first, found {source}")
    for stage in stages:
        if stage.name in record["stages"] and not (folder / "stages" / stage.name).exists():
            copy_stage(stage, folder)


def describe_taken_stages(folder: Path) -> Iterator[str]:
    """A line that says which stages a run has taken and where from, if it has."""
    record = read_environment(folder).get(TAKEN)
    if record:
        yield f"{'Taken over':12s} {', '.join(record['stages'])} from {record['run']}"

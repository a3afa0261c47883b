"""The sets of states in the table of generation: test data, outputs, and generated states, timed and measured."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence

import numpy as np

from keras_evae.console import progress_bar
from keras_evae.evaluation.generation_measures import MeasuredSet, measure_set
from keras_evae.evaluation.results import Record
from keras_evae.evaluation.stage_selection import before_collapse
from keras_evae.evaluation.stage_states import GENERATION_SEED, load_stage, reconstruct
from keras_evae.minima.relaxation import relax_states
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.runs.run import Run
from keras_evae.runs.stage_folder import FinishedStage

TEST, OUTPUTS = "test data", "outputs"
# Share of the test data's diversity from which a stage counts as generating, and not as collapsed.
DIVERSE = 0.5
# Drawing and decoding take so little that they are timed more than once.
TIMINGS = 3


@dataclasses.dataclass(frozen=True)
class Row:
    """One set of states, before and after relaxation.

    `way` is `TEST`, without a stage, `OUTPUTS`, or how latent vectors were drawn. `decoding`, `generation` and
    `relaxation` are the seconds that a state takes to decode, to draw and decode, and to relax.
    """

    stage: FinishedStage | None
    way: str
    raw: MeasuredSet
    relaxed: MeasuredSet
    decoding: float | None
    generation: float | None
    relaxation: float

    @property
    def identity(self) -> Record:
        """The first columns of all tables."""
        return {"gamma": self.stage.gamma if self.stage else None, "vectors": self.way}

    @property
    def kinds(self) -> dict[str, MeasuredSet]:
        return {"raw": self.raw, "relaxed": self.relaxed}


def generating_stages(run: Run) -> list[FinishedStage]:
    """The stages with gamma > 0 before the collapse, and the last one."""
    stages = before_collapse(run)
    return [*(stage for stage in stages if stage.gamma > 0 and stage != run.stages[-1]), run.stages[-1]]


def measure_rows(run: Run, stages: Sequence[FinishedStage], priors: Sequence[str], count: int) -> Iterator[Row]:
    """The test data, then for each stage outputs and generated states."""
    held_out = run.read_split("test", count)
    if len(held_out) < count:
        held_out = np.concatenate((held_out, run.read_split("validation", count - len(held_out))))
    yield _row(run, None, TEST, held_out)
    for stage, way in progress_bar(list(itertools.product(stages, (OUTPUTS, *priors))), "generation", unit="set"):
        if way == OUTPUTS:
            yield _row(run, stage, way, reconstruct(run, stage, held_out))
        else:
            yield _generated(run, stage, way, count)


def best_generating(rows: Sequence[Row]) -> Row | None:
    """The lowest raw states among those that keep half of the test data's diversity; None if none do.

    States of posteriors count too only where nothing else does: they stand for training states one by one.
    """
    enough = DIVERSE * rows[0].raw.mean("fft_mse")[0]
    fit = [row for row in rows[1:] if row.way != OUTPUTS and row.raw.mean("fft_mse")[0] >= enough]
    return min(fit, key=lambda row: (row.way == "posterior", row.raw.mean("energy_per_site")[0]), default=None)


def _generated(run: Run, stage: FinishedStage, way: str, count: int) -> Row:
    priors = run.priors(stage, load_stage(run, stage))
    # The first call fits a density that is missing; the first batch traces the decoder.
    latent = priors.draw(count, way, GENERATION_SEED)
    priors.model.decode_many(latent[:100])
    seconds = []
    for _ in range(TIMINGS):
        start = time.perf_counter()
        latent = priors.draw(count, way, GENERATION_SEED)
        drawn = time.perf_counter()
        spins = priors.model.decode_many(latent)
        end = time.perf_counter()
        seconds.append(((end - drawn) / count, (end - start) / count))
    return _row(run, stage, way, spins, *map(statistics.median, zip(*seconds, strict=True)))


def _row(
    run: Run,
    stage: FinishedStage | None,
    way: str,
    raw: np.ndarray,
    decoding: float | None = None,
    generation: float | None = None,
) -> Row:
    start = time.perf_counter()
    relaxed = relax_states(raw, run.hamiltonian, AnnealingSchedule().torque_tolerance)
    relaxation = (time.perf_counter() - start) / len(raw)
    before, after = (measure_set(states, run.hamiltonian) for states in (raw, relaxed))
    return Row(stage, way, before, after, decoding, generation, relaxation)

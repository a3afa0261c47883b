"""CPU time of a search: what each part of it took, summed over all cores and all starts of the command.

Probes are measured, but for what was trained before an interruption. The VAE, and a run that was there before, may have
been trained in other processes: they are counted at the CPU time that a sample took in the probes, the data at that of
some configurations annealed now.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from keras_evae.annealing import anneal_many
from keras_evae.config import Config
from keras_evae.dataset import DatasetSpecification
from keras_evae.runs import Run
from keras_evae.schedules import Stage

TIMED = 16


@dataclasses.dataclass(frozen=True)
class Cost:
    """CPU time of a part of a search, in seconds, and how it is known."""

    part: str
    cpu_seconds: float
    known: str


def samples_of_stage(config: Config, stage: Stage) -> int:
    """Configurations that a stage is trained on, repetitions included; only full batches count."""
    batch = config.training.batch_size
    return stage.epochs * (config.dataset.train // batch) * batch


def annealing_cost(specification: DatasetSpecification) -> Cost:
    """CPU time of the dataset, from that of the first configurations, which are annealed again."""
    hamiltonian, shape, schedule = specification.hamiltonian, specification.shape, specification.schedule
    # The first one may compile.
    list(anneal_many(hamiltonian, shape, 1, schedule))
    start = time.process_time()
    list(anneal_many(hamiltonian, shape, TIMED, schedule))
    seconds = (time.process_time() - start) / TIMED * specification.count
    return Cost("annealed data", seconds, f"{specification.count} configurations, at the pace of {TIMED} of them")


def training_costs(runs: Sequence[Run], probes: Sequence[Stage], measured: Sequence[tuple[int, float]]) -> list[Cost]:
    """CPU time of the runs that a search started from, and of its probes.

    Args:
        runs: The runs.
        probes: Stages of the probes, of the same training as the first run.
        measured: Samples with their CPU time in seconds: all samples but those before an interruption.
    """
    samples, seconds = (sum(values) for values in zip(*measured, strict=True))
    probed = sum(samples_of_stage(runs[0].config, stage) for stage in probes)
    before = sum(samples_of_stage(run.config, finished.stage) for run in runs for finished in run.stages)
    pace = seconds / (samples or probed)
    return [
        Cost("training before the probes", before * pace, f"{before} samples, at the pace of the probes"),
        Cost("probes", probed * pace, f"{probed} samples, {samples / probed:.0%} of them measured"),
    ]

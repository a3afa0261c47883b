"""CPU time of a search: what each part of it took, summed over all cores and all starts of the command.

Probes are measured. The VAE, and a run that was there before, may have been trained in other processes: they are
counted at the CPU time that a sample took in the probes, the data at that of some configurations annealed now.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence

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


def training_cost(runs: Sequence[Run], probes: Iterable[tuple[int, float]]) -> list[Cost]:
    """CPU time of the runs that a search started from, and of its probes.

    Args:
        runs: The runs.
        probes: For each probe its samples and its CPU time in seconds.
    """
    samples, seconds = (sum(values) for values in zip(*probes, strict=True))
    before = sum(samples_of_stage(run.config, finished.stage) for run in runs for finished in run.stages)
    return [
        Cost("training before the probes", before * seconds / samples, f"{before} samples, at the pace of the probes"),
        Cost("probes", seconds, f"{samples} samples, measured"),
    ]

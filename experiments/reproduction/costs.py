"""What the paper's training takes: counted operations, measured samples per second, and what follows from both."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_evae.errors import DataError
from keras_evae.evaluation.results import Cell, Table

if TYPE_CHECKING:
    import keras

    from keras_evae.model.evae import EVAE

# The paper's training: samples of an epoch, epochs of a stage; its VAE has 7 stages, an E-VAE goes on with 15 more.
SAMPLES, EPOCHS = 30_000, 100
STAGES = {"VAE, 7 stages": 7, "E-VAE from its VAE on, 15 stages": 15, "VAE and E-VAE at two betas, 37 stages": 37}
# The gradients of activations and of weights take as many operations each as the forward pass.
TRAINING_PASSES = 3
# Single precision without tensor cores, NVIDIA H100 SXM, data sheet of the maker.
GPU, PEAK = "NVIDIA H100 SXM", 67e12
# Assumed shares of the peak: 5x5 convolutions with 3 to 48 channels wait for memory most of the time.
UTILISATIONS = (0.05, 0.2)


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What `python benchmarks/training.py --size 128 --json` measured: samples per second, pipeline included."""

    samples_per_s: float
    size: int
    batch: int


def count_operations(network: keras.Model) -> int:
    """Multiplications and additions of the convolutions and dense layers in one forward pass of one sample.

    Each weight of a kernel is multiplied and added once at every site of the layer's output. Biases, normalisations,
    activations and pooling are left out.
    """
    total = 0
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            sites = math.prod(layer.output.shape[1:-1])
            total += 2 * math.prod(kernel.shape) * sites
    return total


def operations_per_sample(model: EVAE) -> int:
    """Operations of one training sample: forward and backward, encoder and decoder."""
    return TRAINING_PASSES * (count_operations(model.encoder) + count_operations(model.decoder))


def read_throughput(file: Path) -> Throughput:
    """Reads the line that the benchmark printed.

    Raises:
        DataError: If it is none.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Throughput(float(found["fed_samples_per_s"]), int(found["size"]), int(found["batch"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{file}: expected what python benchmarks/training.py --size 128 --json prints, found: {error}"
        ) from error


def cost_table(operations: int, throughput: Throughput | None) -> Table:
    """Samples, operations and time of the paper's training, a row for each part of it."""
    header = ["part", "samples", "operations", "days on 2 cores", *(f"hours on a GPU at {u:.0%}" for u in UTILISATIONS)]
    rows: list[Sequence[Cell]] = []
    for part, stages in STAGES.items():
        samples = stages * EPOCHS * SAMPLES
        days = round(samples / throughput.samples_per_s / 86400, 1) if throughput else None
        hours = [round(samples * operations / (share * PEAK) / 3600, 1) for share in UTILISATIONS]
        rows.append([part, samples, float(samples * operations), days, *hours])
    return Table("costs", "Estimates for the paper's training", header, rows)

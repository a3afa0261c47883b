"""What is measured at the end of a stage: losses of both splits, statistics of generated states, pictures, angles."""

import math

import numpy as np

from keras_evae.analysis import field_angle, generated_statistics
from keras_evae.dataset import read_split
from keras_evae.errors import NumericalError
from keras_evae.model.evae import EVAE
from keras_evae.runs.stage_plan import GENERATION_SEED
from keras_evae.training.cached_splits import CachedSplits
from keras_evae.training.pipeline import evaluation_batches
from keras_evae.training.replicas import share_batches

PICTURES = 3


def evaluate_stage(
    splits: CachedSplits, batch_size: int, model: EVAE, count: int = 100
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Losses in inference mode on both splits, statistics of `count` generated states, pictures, and angles theta."""
    metrics = {}
    for split in ("train", "validation"):
        batches = evaluation_batches(splits, split, batch_size)
        shared = share_batches(batches, model.distribute_strategy)
        metrics[split] = model.evaluate(shared, steps=len(batches), verbose=0, return_dict=True)
    states = model.generate(count, GENERATION_SEED)
    metrics["generated"] = generated_statistics(states, model.hamiltonian)
    check_finite(metrics)
    spins = read_split(splits.path, "validation", PICTURES)
    outputs = model(spins, training=False).numpy()
    pictures = {"generated": states[:PICTURES], "input": spins, "reconstructed": outputs}
    shown = {"reconstructed": outputs, "generated": states}
    angles = {name: field_angle(values.astype(np.float64), model.hamiltonian) for name, values in shown.items()}
    return metrics, pictures, {name: model.hamiltonian.on_sites(values) for name, values in angles.items()}


def check_finite(metrics: dict[str, dict[str, float]]) -> None:
    """A stage that ends in NaN or infinity must not count as finished: nothing could go on from it."""
    found = [
        f"{group} {name} = {value}"
        for group, values in metrics.items()
        for name, value in values.items()
        if not math.isfinite(value)
    ]
    if found:
        raise NumericalError(f"{', '.join(found)} at the end of the stage; the stages before it are kept")

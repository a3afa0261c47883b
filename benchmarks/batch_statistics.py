"""Losses of finished stages with moving, batch and newly estimated statistics of batch normalisation.

    python benchmarks/batch_statistics.py --run runs/evae_b1e-3_s0 --gammas 10 100 500 --output FILE.csv

Batch normalisation follows the weights by moving averages over about a hundred steps. Right after beta or gamma has
changed, the weights move fast and the averages lag behind; evaluation uses the averages. Three ways to evaluate the
validation split:

stored       the moving averages as they were saved at the end of the stage
batch        mean and variance of each batch of 100, as in training
estimated    moving averages estimated anew on the training split, with the weights as they are

    python benchmarks/batch_statistics.py --run runs/evae_b1e-3_s0 --write runs/estimated_b1e-3_s0

writes the whole run again with estimated averages: what training would have left behind with these, as it uses the
statistics of the batch itself. All figures of it come from `python evaluate.py --run`.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_evae.dataset import read_split
from keras_evae.evaluation.convergence import read_history
from keras_evae.evaluation.ladders import load_stage
from keras_evae.model import EVAE
from keras_evae.pipeline import training_batches
from keras_evae.runs import CONFIG, ENVIRONMENT, Run, load_run
from keras_evae.stage_metrics import evaluate_stage
from keras_evae.stages import load_stage_weights, save_stage
from keras_evae.training import build_model

LOSSES = ("reconstruction_loss", "kl_loss", "hamiltonian_loss")
BATCH = 100
# Batches, and the momentum with which they replace the stored averages: 0.9^50 of those is left.
ESTIMATED, MOMENTUM = 50, 0.9


def validation_losses(model: EVAE, spins: np.ndarray, training: bool) -> list[float]:
    """The three losses, means over the batches of the split."""
    terms = tf.function(lambda batch: model._loss_terms(batch, training=training))
    found = [terms(spins[start : start + BATCH]) for start in range(0, len(spins), BATCH)]
    return [float(np.mean([float(each[loss]) for each in found])) for loss in LOSSES]


def estimate_statistics(model: EVAE, batches: list[tf.Tensor]) -> None:
    """Replaces the moving averages by those of some batches; the weights stay as they are."""
    for layer in (*model.encoder.layers, *model.decoder.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    forward = tf.function(lambda batch: model._loss_terms(batch, training=True))
    for batch in batches:
        forward(batch)


def compare_statistics(run: Run, gammas: list[float], batches: list[tf.Tensor]) -> list[list]:
    """Rows of the three losses, for each stage of the E-VAE at one of these gammas and each kind of statistics."""
    spins = read_split(run.config.dataset.path, "validation")
    rows: list[list] = []
    for stage in run.stages:
        if stage.beta != run.config.evae.beta or stage.gamma not in gammas:
            continue
        for name in ("stored", "batch", "estimated"):
            load_stage(run, stage)
            if name == "estimated":
                estimate_statistics(run.model, batches)
            rows.append([stage.beta, stage.gamma, name, *validation_losses(run.model, spins, name == "batch")])
            print(*rows[-1])
    return rows


def write_estimated(run: Run, target: Path, batches: list[tf.Tensor]) -> None:
    """The run with the averages of every stage estimated anew, and its metrics with them; stages there are kept."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, ENVIRONMENT):
        shutil.copyfile(run.path / name, target / name)
    model = build_model(run.config, run.hamiltonian, tf.distribute.get_strategy())
    for stage in tqdm(run.stages, unit="stage"):
        if (target / "stages" / stage.name).exists():
            continue
        load_stage_weights(model, stage)
        estimate_statistics(model, batches)
        metrics, _, _ = evaluate_stage(run.config, model)
        history = read_history(stage)
        del history["epoch"]
        save_stage(target, stage.stage, model, metrics, history)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--gammas", type=float, nargs="+", default=[], help="stages of the E-VAE to compare")
    parser.add_argument("--output", type=Path, help="CSV file of the comparison")
    parser.add_argument("--write", type=Path, metavar="RUN", help="folder of the run with estimated averages")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    source = training_batches(run.config.dataset.path, BATCH, range(10**6), seed=1, augment=run.hamiltonian)
    batches = list(itertools.islice(iter(source), ESTIMATED))
    rows = compare_statistics(run, arguments.gammas, batches)
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["beta", "gamma", "statistics", *LOSSES], *rows])
    if arguments.write:
        write_estimated(run, arguments.write, batches)


if __name__ == "__main__":
    main()

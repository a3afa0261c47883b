"""Losses of finished stages with moving, batch and newly estimated statistics of batch normalisation.

    python -m experiments.batch_statistics --run runs/evae_b1e-3_s0 --gammas 10 100 500 --output FILE.csv

Batch normalisation follows the weights by moving averages, in this package over about ten batches, with Keras' default
over a hundred. Right after beta or gamma has changed, the weights move fast and the averages lag behind; evaluation
uses the averages. Three ways to evaluate the validation split:

stored       the moving averages as they were saved at the end of the stage
batch        mean and variance of each batch of 100, as in training
estimated    moving averages estimated anew on the training split, with the weights as they are
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

from keras_evae.dataset import read_split
from keras_evae.evaluation.stage_states import load_stage
from keras_evae.model.evae import EVAE
from keras_evae.runs.run import load_run
from keras_evae.training.pipeline import training_batches

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--gammas", type=float, nargs="+", required=True, help="stages of the E-VAE")
    parser.add_argument("--output", type=Path, help="CSV file")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    data = run.config.dataset
    spins = read_split(data.path, "validation")
    source = training_batches(data.path, BATCH, range(10**6), seed=1, augment=run.hamiltonian)
    batches = list(itertools.islice(iter(source), ESTIMATED))
    rows: list[list[str | float]] = [["beta", "gamma", "statistics", *LOSSES]]
    beta = run.config.evae.beta if run.config.evae else None
    for stage in run.stages:
        if stage.beta != beta or stage.gamma not in arguments.gammas:
            continue
        for name in ("stored", "batch", "estimated"):
            load_stage(run, stage)
            if name == "estimated":
                estimate_statistics(run.model, batches)
            rows.append([stage.beta, stage.gamma, name, *validation_losses(run.model, spins, name == "batch")])
            print(*rows[-1])
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)


if __name__ == "__main__":
    main()

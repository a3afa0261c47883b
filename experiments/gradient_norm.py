"""How one sample with a large log-variance ends a training, and what prevents it.

    python -m experiments.gradient_norm --run runs/vae --stage 03_beta_0.001_gamma_0 --beta 1e-2

Continues from a finished stage at another beta, three times:

exponential   Adam as in the paper; L_KL has exp(log-variance) up to 20
clipped       the same, with the norm of the whole gradient bounded
tangent       network.largest_log_variance: 4, without a bound on the norm

Prints and writes, for each step: L_RC, L_KL, the norm before its bound, the largest log-variance. Needs the run's
dataset. From a log-variance of about 10 on, the gradient of the exponential is thousands of times its usual size;
Adam's second moments, which forget over 1000 steps, then hold every later step back.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import tensorflow as tf

from keras_evae.model.evae import EVAE
from keras_evae.model.losses import hamiltonian_loss, kl_loss, reconstruction_loss
from keras_evae.runs.run import Run, load_run
from keras_evae.runs.stage_folder import load_stage_weights
from keras_evae.training.pipeline import training_batches
from keras_evae.training.recipe import make_trainer

# Largest log-variance with its exponential, and bound on the gradient's norm.
VARIANTS = {"exponential": (20.0, None), "clipped": (20.0, 5.0), "tangent": (4.0, None)}
COLUMNS = ("step", "reconstruction_loss", "kl_loss", "gradient_norm", "largest_log_variance")


def trace(
    run: Run, beta: float, gamma: float, variant: tuple[float, float | None], steps: int
) -> Iterator[tuple[float, ...]]:
    """Trains from the selected stage of a run; a row of `COLUMNS` for each step."""
    largest, clip_norm = variant
    if run.selected is None:
        raise ValueError(f"{run.path}: expected a finished stage, found none")
    training = run.config.training.model_copy(update={"gradient_clip_norm": clip_norm})
    network = run.config.network.model_copy(update={"largest_log_variance": largest})
    config = run.config.model_copy(update={"training": training, "network": network})
    model = make_trainer(config, run.path).model
    load_stage_weights(model, run.selected)
    model.beta.assign(beta)
    model.gamma.assign(gamma)
    step = tf.function(lambda spins: _train_step(model, spins))
    first = run.selected.stage.last_epoch
    per_epoch = config.dataset.train // training.batch_size
    epochs = range(first, first + -(-steps // per_epoch))
    augment = run.hamiltonian if training.augmentation else None
    batches = training_batches(config.dataset.path, training.batch_size, epochs, training.seed, augment)
    for index, spins in enumerate(batches.take(steps)):
        yield index, *(float(value) for value in step(spins))


def _train_step(model: EVAE, spins: tf.Tensor) -> tuple[tf.Tensor, ...]:
    with tf.GradientTape() as tape:
        mean, log_variance = model.run_encoder(spins, training=True)
        outputs = model.run_decoder(model.sampling((mean, log_variance)), training=True)
        reconstruction = reconstruction_loss(spins, outputs, model.hamiltonian.mask)
        kl = kl_loss(mean, log_variance, model.sampling.largest_log_variance)
        loss = reconstruction + model.beta * kl + model.gamma * hamiltonian_loss(model.hamiltonian, outputs)
    variables = [variable.value for variable in model.trainable_variables]
    gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return reconstruction, kl, tf.linalg.global_norm(gradients), tf.reduce_max(log_variance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder")
    parser.add_argument("--stage", required=True, help="name of the finished stage to continue from")
    parser.add_argument("--beta", type=float, default=1e-2, help="default: %(default)s")
    parser.add_argument("--gamma", type=float, default=0.0, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="CSV file; none by default")
    arguments = parser.parse_args()
    run = load_run(arguments.run, arguments.stage)
    rows: list[tuple[str | float, ...]] = [("training", *COLUMNS)]
    for name, variant in VARIANTS.items():
        print(f"{name}\n" + " ".join(f"{column:>22}" for column in COLUMNS))
        for row in trace(run, arguments.beta, arguments.gamma, variant, arguments.steps):
            rows.append((name, *row))
            print(" ".join(f"{value:22.4g}" for value in row), flush=True)
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)


if __name__ == "__main__":
    main()

"""Which density of latent vectors to learn: flow matching beside what is as simple.

    python -m experiments.latent_densities --run runs/quickstart --stage gamma=10 --output FILE.csv

Each learns from the same posteriors of training states, and makes as many states with the same decoder:

normal          the standard normal of the paper
gaussian        normal, with mean and covariance of the codes
second VAE      a VAE of the codes with learned width of its output (Dai and Wipf, https://arxiv.org/abs/1903.05789)
flow            `keras_evae.model.latent_flow`
diffusion       the same network, followed with fresh noise at each step (Ho et al., https://arxiv.org/abs/2006.11239)
posterior       codes themselves
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import keras_evae as ev
from keras_evae.evaluation.generation_measures import measure_set, ratio
from keras_evae.machine import prepare_tensorflow
from keras_evae.runs.run import Run

HEADER = ["density", "seconds_to_learn", "energy_per_site", "error", "psi6", "defects", "diversity", "diversity_error"]
Draw = Callable[[int, np.random.Generator], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--stage", default="gamma=10")
    parser.add_argument("--number", type=int, default=200, help="states of each density")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    prepare_tensorflow()
    run = ev.load_run(arguments.run, arguments.stage)
    reference = measure_set(np.asarray(run.read_split("test")), run.hamiltonian)
    with open(arguments.output, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        for name, seconds, draw in densities(run):
            vectors = draw(arguments.number, np.random.default_rng(1)).astype(np.float32)
            found = measure_set(run.model.decode_many(vectors), run.hamiltonian)
            diversity = ratio(found.mean("fft_mse"), reference.mean("fft_mse"))
            energy, psi6, defects = (found.mean(quantity) for quantity in ("energy_per_site", "psi6", "defects"))
            numbers = [seconds, *energy, psi6[0], defects[0], *diversity]
            rows.writerow([name, *(f"{number:.6g}" for number in numbers)])
            file.flush()


def densities(run: Run) -> Iterator[tuple[str, float, Draw]]:
    """Name, time to learn, and a function that draws vectors."""
    from keras_evae.model.latent_flow import FlowSettings, LatentFlow
    from keras_evae.model.latent_priors import training_posteriors

    settings = FlowSettings.for_lattice(run.shape)
    training = list(run.read_split("train"))
    means, deviations = training_posteriors(run.model, training, settings.codes, np.random.default_rng(0))
    dimension = means.shape[1]
    yield "normal", 0.0, lambda n, random: random.standard_normal((n, dimension))

    covariance = np.cov(means.T) + np.diag(np.square(deviations).mean(axis=0))
    yield "gaussian", 0.0, lambda n, random: random.multivariate_normal(means.mean(axis=0), covariance, n)

    start = time.perf_counter()
    draw = second_vae(means, deviations, settings.steps)
    yield "second VAE", time.perf_counter() - start, draw

    start = time.perf_counter()
    flow = LatentFlow(dimension, settings)
    flow.fit(means, deviations)
    seconds = time.perf_counter() - start
    yield "flow", seconds, lambda n, random: flow.sample(n, 1)
    yield "diffusion", seconds, lambda n, random: diffuse(flow, n, random)

    def posterior(n: int, random: np.random.Generator) -> np.ndarray:
        chosen = random.integers(len(means), size=n)
        return means[chosen] + deviations[chosen] * random.standard_normal((n, dimension))

    yield "posterior", 0.0, posterior


def diffuse(flow: Any, n: int, random: np.random.Generator, steps: int = 200) -> np.ndarray:
    """Ancestral sampling: at each angle the network's mean code and noise, of which a part is drawn anew."""
    angles = np.linspace(0.0, np.pi / 2, steps + 1)
    points = random.standard_normal((n, flow.dimension))
    for angle, following in zip(angles[:-1], angles[1:], strict=True):
        velocity = np.asarray(flow.network((points.astype(np.float32), np.full((n, 1), angle, np.float32))))
        code = np.sin(angle) * points + np.cos(angle) * velocity
        noise = np.cos(angle) * points - np.sin(angle) * velocity
        left = np.cos(following)
        fresh = (left / np.cos(angle)) ** 2 * (1.0 - (np.sin(angle) / np.sin(following)) ** 2)
        kept = np.sqrt(max(left**2 - fresh, 0.0))
        points = np.sin(following) * code + kept * noise + np.sqrt(fresh) * random.standard_normal(points.shape)
    return points * flow.scale + flow.center


def second_vae(means: np.ndarray, deviations: np.ndarray, steps: int, batch: int = 512) -> Draw:
    """Learns a VAE of the codes; what it draws has the learned noise of its output."""
    import keras
    import tensorflow as tf

    dimension = means.shape[1]
    scale = np.sqrt(means.var(axis=0) + np.square(deviations).mean(axis=0)).astype(np.float32)
    center = means.mean(axis=0).astype(np.float32)
    keras.utils.set_random_seed(0)
    encoder, decoder = _residual_network(dimension, 2 * dimension), _residual_network(dimension, dimension)
    width = tf.Variable(0.0, name="log_width")
    variables = [*encoder.trainable_variables, *decoder.trainable_variables, width]
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=1e-3, warmup_steps=steps // 20)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=10.0)
    standard = [tf.constant(values / scale, tf.float32) for values in (means - center, deviations)]

    @tf.function
    def step() -> None:
        chosen = tf.random.uniform((batch,), maxval=len(means), dtype=tf.int32)
        mean, deviation = (tf.gather(values, chosen) for values in standard)
        codes = mean + deviation * tf.random.normal(mean.shape)
        with tf.GradientTape() as tape:
            middle, log_variance = tf.split(encoder(codes), 2, axis=1)
            outputs = decoder(middle + tf.exp(0.5 * log_variance) * tf.random.normal(middle.shape))
            misfit = 0.5 * tf.reduce_sum(tf.square(outputs - codes), axis=1) * tf.exp(-2.0 * width)
            divergence = 0.5 * tf.reduce_sum(tf.square(middle) + tf.exp(log_variance) - 1.0 - log_variance, axis=1)
            loss = tf.reduce_mean(misfit + divergence) + dimension * width
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(steps):
        step()

    def draw(n: int, random: np.random.Generator) -> np.ndarray:
        codes = np.asarray(decoder(random.standard_normal((n, dimension)).astype(np.float32)))
        return (codes + np.exp(width.numpy()) * random.standard_normal(codes.shape)) * scale + center

    return draw


def _residual_network(inputs: int, outputs: int, width: int = 256, blocks: int = 3) -> Any:
    """As large as that of the flow."""
    import keras

    given = keras.Input((inputs,))
    features = keras.layers.Dense(width)(given)
    for _ in range(blocks):
        hidden = keras.layers.Dense(width, activation="silu")(keras.layers.LayerNormalization()(features))
        features = features + keras.layers.Dense(width)(hidden)
    return keras.Model(given, keras.layers.Dense(outputs)(keras.layers.LayerNormalization()(features)))


if __name__ == "__main__":
    main()

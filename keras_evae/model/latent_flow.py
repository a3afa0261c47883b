"""A density of latent vectors, learned from the posteriors of training states by flow matching.

A straight path leads from a normal vector x to a standardised code c, a random vector of a random posterior. Written
with angles instead of times, and with its length divided out, it is

    y(a) = cos(a) x + sin(a) c,   0 <= a <= pi / 2

and has the same variance all along. A network learns the mean velocity of all paths that pass a point,
v(y, a) = E[cos(a) c - sin(a) x | y], by regression. Normal vectors that follow dy/da = v are distributed like codes at
the end. If the codes were normal, v would be zero: what an unfitted network, whose last layer is zero, gives.

Reference:
    - Lipman et al., Flow Matching for Generative Modeling, ICLR 2023, https://arxiv.org/abs/2210.02747.
    - Albergo et al., Stochastic Interpolants, https://arxiv.org/abs/2303.08797 (trigonometric interpolants).
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_evae.console import progress_bar
from keras_evae.files import as_npz, load_arrays

END = math.pi / 2


@dataclasses.dataclass(frozen=True)
class FlowSettings:
    """Size of the network and length of its training.

    Args:
        frequencies: Waves sin and cos that tell the network the angle.
        learning_rate: The largest; it rises over the first twentieth of the steps and falls to zero like a cosine.
        codes: Posteriors that it learns from.
        integration_steps: Steps of Heun's method from a normal vector to a code.
    """

    width: int = 256
    blocks: int = 3
    frequencies: int = 8
    steps: int = 8000
    batch_size: int = 256
    learning_rate: float = 2e-3
    codes: int = 20_000
    integration_steps: int = 5

    @classmethod
    def for_lattice(cls, shape: tuple[int, int]) -> FlowSettings:
        """More steps for larger lattices, which have more states: 8000 at 64 x 64, 16000 at 128 x 128."""
        return cls(steps=round(cls.steps * math.sqrt(shape[0] * shape[1]) / 64))


class LatentFlow:
    """The density of codes of so many dimensions: fitted by `fit`, drawn from by `sample`."""

    def __init__(self, dimension: int, settings: FlowSettings = FlowSettings(), seed: int = 0) -> None:
        self.dimension, self.settings, self.seed = dimension, settings, seed
        self.center, self.scale = np.zeros(dimension, np.float32), np.ones(dimension, np.float32)
        self.network = _build_network(dimension, settings, seed)
        self._integrate = tf.function(self._integrate_eagerly, [tf.TensorSpec((None, dimension), tf.float32)])

    def fit(self, means: np.ndarray, deviations: np.ndarray) -> list[float]:
        """Learns the density of the codes `mean + deviation * noise`.

        Args:
            means, deviations: Of the posteriors, each `(n, dimension)`.

        Returns:
            The loss of each step: mean squared error of the velocity, per dimension.
        """
        variance = means.var(axis=0) + np.square(deviations).mean(axis=0)
        self.center = means.mean(axis=0).astype(np.float32)
        self.scale = np.sqrt(variance + np.finfo(np.float32).tiny).astype(np.float32)
        standard = ((means - self.center) / self.scale, deviations / self.scale)
        step = _make_training_step(self.network, standard, self.settings, self.seed)
        progress = progress_bar(range(self.settings.steps), "density of latent vectors", unit="step")
        return [float(step(tf.constant(number))) for number in progress]

    def sample(self, n: int, seed: int | None = None) -> np.ndarray:
        """Draws `n` codes, `(n, dimension)` float32; the same seed gives the same codes."""
        noise = np.random.default_rng(seed).standard_normal((n, self.dimension), dtype=np.float32)
        return self._integrate(noise).numpy() * self.scale + self.center

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The fitted density as an uncompressed `.npz` of arrays, with a record of plain values."""
        record = {**record, "settings": dataclasses.asdict(self.settings), "seed": self.seed}
        arrays = {"record": np.frombuffer(json.dumps(record).encode(), np.uint8)}
        values = (self.center, self.scale, *self.network.get_weights())
        return as_npz({**arrays, **{f"arr_{index}": array for index, array in enumerate(values)}})

    @classmethod
    def decode(cls, content: bytes, path: Path = Path("density")) -> tuple[LatentFlow, dict[str, Any]]:
        """The density and the record of `encode`; DataError, ValueError, TypeError or KeyError for others."""
        file = load_arrays(path, io.BytesIO(content))
        record = json.loads(file["record"].tobytes())
        center, scale, *weights = (file[f"arr_{index}"] for index in range(len(file) - 1))
        if not all(np.isfinite(values).all() for values in (center, scale, *weights)):
            raise ValueError("expected finite numbers, found NaN or Inf")
        flow = cls(len(center), FlowSettings(**record.pop("settings")), record.pop("seed"))
        flow.center, flow.scale = center, scale
        flow.network.set_weights(weights)
        return flow, record

    def _integrate_eagerly(self, points: tf.Tensor) -> tf.Tensor:
        """Heun's method, from angle 0 to pi / 2 in equal steps."""
        count = self.settings.integration_steps
        step = END / count
        for number in tf.range(count):
            angle = step * tf.cast(number, tf.float32)
            slope = self._velocity(points, angle)
            points += 0.5 * step * (slope + self._velocity(points + step * slope, angle + step))
        return points

    def _velocity(self, points: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
        return self.network((points, tf.fill((tf.shape(points)[0], 1), angle)))


def _build_network(dimension: int, settings: FlowSettings, seed: int) -> keras.Model:
    """Residual network from points `(n, dimension)` and angles `(n, 1)` to velocities `(n, dimension)`."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * settings.blocks + 2))

    def dense(units: int, zero: bool = False) -> keras.layers.Dense:
        start = "zeros" if zero else keras.initializers.GlorotUniform(int(next(seeds)))
        return keras.layers.Dense(units, kernel_initializer=start)

    points, angles = keras.Input((dimension,)), keras.Input((1,))
    waves = angles * np.arange(1, settings.frequencies + 1, dtype=np.float32)
    time = keras.ops.concatenate([keras.ops.sin(waves), keras.ops.cos(waves)], axis=-1)
    features = dense(settings.width)(keras.ops.concatenate([points, time], axis=-1))
    for _ in range(settings.blocks):
        normed = keras.layers.LayerNormalization()(features)
        hidden = keras.ops.silu(dense(settings.width)(keras.ops.concatenate([normed, time], axis=-1)))
        features = features + dense(settings.width, zero=True)(hidden)
    normed = keras.ops.silu(keras.layers.LayerNormalization()(features))
    return keras.Model((points, angles), dense(dimension, zero=True)(normed))


def _make_training_step(
    network: keras.Model, posteriors: tuple[np.ndarray, np.ndarray], settings: FlowSettings, seed: int
) -> Any:
    """One step of Adam, a function of its number; the random numbers follow from the seed and this number alone."""
    warmup = settings.steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, settings.steps - warmup, warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(network.trainable_variables)
    means, deviations = (tf.constant(values, tf.float32) for values in posteriors)
    count, dimension = means.shape
    shape = (settings.batch_size, dimension)

    @tf.function
    def step(number: tf.Tensor) -> tf.Tensor:
        seeds = tf.stack([tf.fill([4], seed), 4 * number + tf.range(4)], axis=1)
        chosen = tf.random.stateless_uniform(shape[:1], seeds[0], maxval=count, dtype=tf.int32)
        noise = tf.random.stateless_normal(shape, seeds[1])
        codes = tf.gather(means, chosen) + tf.gather(deviations, chosen) * noise
        starts = tf.random.stateless_normal(shape, seeds[2])
        # One angle in each of as many equal parts: the mean over a batch fluctuates less.
        parts = tf.range(settings.batch_size, dtype=tf.float32) + tf.random.stateless_uniform(shape[:1], seeds[3])
        angles = END / settings.batch_size * parts[:, None]
        cosine, sine = tf.cos(angles), tf.sin(angles)
        with tf.GradientTape() as tape:
            velocity = network((cosine * starts + sine * codes, angles))
            loss = tf.reduce_mean(tf.square(velocity - (cosine * codes - sine * starts)))
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step

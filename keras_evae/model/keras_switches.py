"""The standard switches of a `keras.Model`: what the E-VAE does not read is refused in one line, never ignored.

docs/keras.md has the table of all switches.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_evae.errors import ArgumentError, ConfigError, in_brief
from keras_evae.machine import repeatable_sums

WEIGHTS, LOSSES = "the loss is L_RC + beta L_KL + gamma L_H; set model.beta and model.gamma", "the four losses alone"
ALIKE = "all states count alike; repeat those that shall count more"
MEASURE = f"{LOSSES} are reported; measure states of model.generate in a callback"
SCALING = "losses and gradients are float32; leave it out"
# What to use instead of each switch that is refused.
INSTEAD = {
    "loss": WEIGHTS,
    "loss_weights": WEIGHTS,
    "metrics": MEASURE,
    "weighted_metrics": MEASURE,
    "y": "the spins are their own targets; give the spins alone",
    "sample_weight": ALIKE,
    "class_weight": ALIKE,
    "LossScaleOptimizer": SCALING,
    "loss_scale_factor": SCALING,
    "losses of layers": f"regularisers and add_loss do not enter, {WEIGHTS}",
    "quantize": "the fast form reads the weights; export the model, and quantise that",
}


def refuse(**given: Any) -> None:
    """Raises `ArgumentError` for the first switch that is set, with what to use instead."""
    for name, value in given.items():
        if value is not None and (not isinstance(value, list | tuple | dict) or value):
            raise ArgumentError(name, f"left out: {INSTEAD[name]}", _Brief(value))


def check_scope(replicas: int) -> None:
    """Refuses a strategy of several devices of which the model does not know."""
    found = tf.distribute.get_strategy().num_replicas_in_sync
    if found > 1 and replicas == 1:
        raise ConfigError(
            f"tf.distribute: expected evae-train --strategy, or EVAE(..., replicas=Replicas(strategy)) of "
            f"keras_evae.training.replicas, found the scope of {found} replicas alone"
        )


def check_policy(policy: str) -> None:
    """Refuses Keras' types other than float32: `precision` chooses those of the layers, all else stays float32."""
    kinds = {"dtype": policy, "set_dtype_policy": keras.config.dtype_policy().name, "set_floatx": keras.config.floatx()}
    for name, found in kinds.items():
        if found != "float32":
            raise ArgumentError(name, "float32; use EVAE(precision=...), or training.precision of a run", found)


def spins_of_batch(data: Any, lattice_shape: tuple[int, int]) -> tf.Tensor:
    """The spins `(n, y, x, 3)` float32 of a batch from Keras; whatever else it holds is refused."""
    spins, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    refuse(y=y, sample_weight=sample_weight)
    shape = (None, *lattice_shape, 3)
    if not hasattr(spins, "shape") or not tf.TensorShape(spins.shape).is_compatible_with(shape):
        found = tuple(spins.shape) if hasattr(spins, "shape") else type(spins).__name__
        raise ArgumentError("x", f"spins of shape (n, {lattice_shape[0]}, {lattice_shape[1]}, 3), one array", found)
    spins = tf.cast(spins, tf.float32)
    # A pipeline from a generator may not know its shape.
    return spins if spins.shape[1:].is_fully_defined() else tf.ensure_shape(spins, shape)


def _of_spins(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Keras that runs compiled steps on spins alone."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def checked(self: Any, *given: Any, **named: Any) -> Any:
        arguments = signature.bind(self, *given, **named).arguments
        refuse(**{name: arguments.get(name) for name in ("y", "sample_weight", "class_weight")})
        check_scope(self.replicas)
        with repeatable_sums():
            return method(self, *given, **named)

    return checked


class SpinModel(keras.Model):
    """A `keras.Model` with a loss of its own on spins alone.

    Subclasses set `lattice_shape`, `(y, x)`, and `replicas`.
    """

    lattice_shape: tuple[int, int]
    replicas: int

    fit = _of_spins(keras.Model.fit)
    evaluate = _of_spins(keras.Model.evaluate)
    predict = _of_spins(keras.Model.predict)
    train_on_batch = _of_spins(keras.Model.train_on_batch)
    test_on_batch = _of_spins(keras.Model.test_on_batch)
    predict_on_batch = _of_spins(keras.Model.predict_on_batch)

    def compile(self, *given: Any, **named: Any) -> None:
        """As Keras' method; a loss, metrics and scaling of losses are refused.

        Raises:
            ArgumentError: With what to use instead.
        """
        arguments = inspect.signature(keras.Model.compile).bind(self, *given, **named).arguments
        refuse(**{name: arguments.get(name) for name in ("loss", "loss_weights", "metrics", "weighted_metrics")})
        optimizer = keras.optimizers.get(arguments.get("optimizer", "rmsprop"))
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            refuse(LossScaleOptimizer=optimizer.name)
        refuse(loss_scale_factor=getattr(optimizer, "loss_scale_factor", None))
        named = {name: value for name, value in arguments.items() if name not in ("self", "optimizer")}
        super().compile(optimizer, **named)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model; Keras leaves that to models with a `compile` of their own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **options: Any,
    ) -> None:
        """As Keras' method, for any number of states of the lattice; the model need not have been called."""
        spins = keras.InputSpec(shape=(None, *self.lattice_shape, 3), dtype="float32")
        super().export(filepath, format, verbose, input_signature or [spins], **options)

    def quantize(self, mode: Any = None, *given: Any, **named: Any) -> None:
        refuse(quantize=mode)

    def load_own_variables(self, store: Any) -> None:
        """Leaves beta and gamma as they are: files hold both, `load_weights` brings the networks alone."""


class _Brief:
    """A value whose `repr` is one short line."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return " ".join(in_brief(self.value).split())

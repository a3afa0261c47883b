"""The standard switches of a `keras.Model`: what the E-VAE does not read is refused in one line, never ignored.

docs/keras.md has the table of all switches.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_evae.errors import ArgumentError, ConfigError
from keras_evae.machine import repeatable_sums

WEIGHTS = "the loss is L_RC + beta L_KL + gamma L_H; set model.beta and model.gamma"
MEASURE = "the four losses alone are reported; measure states of model.generate in a callback"
ALIKE = "all states count alike; repeat those that shall count more"
# Of each argument that is refused: what to use instead.
INSTEAD = {
    "loss": WEIGHTS,
    "loss_weights": WEIGHTS,
    "metrics": MEASURE,
    "weighted_metrics": MEASURE,
    "y": "the spins are their own targets; give the spins alone",
    "sample_weight": ALIKE,
    "class_weight": ALIKE,
    "loss_scale": "losses and gradients are float32; take the optimizer without scaling",
    "penalties": f"regularizers of layers and add_loss do not enter, {WEIGHTS}",
    "mode": "the model is not quantized; export it, and quantize the export",
}


def refuse(**arguments: Any) -> None:
    """Raises `ArgumentError` for the first argument of `INSTEAD` that is given, with what to use instead."""
    for name, value in arguments.items():
        if name in INSTEAD and value is not None and (not isinstance(value, list | tuple | dict) or value):
            raise ArgumentError(name, f"left out: {INSTEAD[name]}", value)


def check_types(policy: str, precision: str) -> None:
    """Refuses Keras' types other than float32: `precision` chooses those of the layers, all else stays float32.

    Comparisons in float64 may set all to it.
    """
    kinds = {"dtype": policy, "set_dtype_policy": keras.config.dtype_policy().name, "set_floatx": keras.config.floatx()}
    for name, found in kinds.items():
        if found != "float32" and (found, precision) != ("float64", "float64"):
            raise ArgumentError(name, "float32; use EVAE(precision=...), or training.precision of a run", found)


def check_scope(replicas: int) -> None:
    """Refuses a strategy of several devices of which the model does not know."""
    found = tf.distribute.get_strategy().num_replicas_in_sync
    if found > 1 and replicas == 1:
        raise ConfigError(
            f"tf.distribute: expected evae-train --strategy, or EVAE(..., replicas=Replicas(strategy)) of "
            f"keras_evae.training.replicas, found the scope of {found} replicas alone"
        )


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Keras that refuses the arguments of `INSTEAD`, and compiles steps whose sums are repeatable."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def guarded(self: Any, *given: Any, **named: Any) -> Any:
        arguments = signature.bind(self, *given, **named).arguments
        scale = keras.optimizers.get(arguments["optimizer"]).scale_loss(1.0) if arguments.get("optimizer") else 1.0
        refuse(**arguments, loss_scale=None if scale == 1.0 else float(scale))
        check_scope(self.replicas)
        # Keras' BackupAndRestore leaves the epoch that it went on from: a later `fit` would begin there, or do nothing.
        self._initial_epoch = None
        with repeatable_sums():
            return method(self, *given, **named)

    return guarded


class SpinModel(keras.Model):
    """A `keras.Model` with a loss of its own on spins alone.

    Subclasses set `lattice_shape`, `(y, x)`, and `replicas`.
    """

    lattice_shape: tuple[int, int]
    replicas: int

    compile = _guarded(keras.Model.compile)
    fit = _guarded(keras.Model.fit)
    evaluate = _guarded(keras.Model.evaluate)
    predict = _guarded(keras.Model.predict)
    train_on_batch = _guarded(keras.Model.train_on_batch)
    test_on_batch = _guarded(keras.Model.test_on_batch)
    predict_on_batch = _guarded(keras.Model.predict_on_batch)
    quantize = _guarded(keras.Model.quantize)

    def spins_of_batch(self, data: Any) -> tf.Tensor:
        """The spins `(n, y, x, 3)` of a batch from Keras, as float32; whatever else it holds is refused."""
        spins, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        layers = [self, *(layer for part in self.layers for layer in getattr(part, "layers", ()))]
        penalties = [*self.losses, *filter(None, (layer.activity_regularizer for layer in layers))]
        refuse(y=y, sample_weight=sample_weight, penalties=penalties)
        shape = (None, *self.lattice_shape, 3)
        found = getattr(spins, "shape", ())
        if not tf.TensorShape(found).is_compatible_with(shape):
            expected = "one array of spins of shape (n, {}, {}, 3)".format(*self.lattice_shape)
            raise ArgumentError("x", expected, tuple(found) or type(spins).__name__)
        spins = tf.cast(spins, self.compute_dtype)
        # A pipeline from a generator may not know its shape.
        spins.set_shape(shape)
        return spins

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model; Keras leaves that to models with a `compile` of their own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def export(self, *given: Any, **named: Any) -> None:
        """As Keras' method, for any number of states of the lattice; the model need not have been called."""
        spins = keras.InputSpec(shape=(None, *self.lattice_shape, 3), dtype="float32")
        super().export(*given, **{"input_signature": [spins], **named})

    def load_own_variables(self, store: Any) -> None:
        """Leaves beta and gamma as they are: files hold both, `load_weights` brings the networks alone."""

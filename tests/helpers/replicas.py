"""A few training steps on one device or on several, in float64 so that only mistakes can tell them apart.

python -m tests.helpers.replicas mirrored RESULTS ONE      two logical CPU devices, and one of them
python -m tests.helpers.replicas multiworker RESULTS       one of the workers in TF_CONFIG
python -m tests.helpers.replicas mirrored train.py ...     train.py, with all its arguments
"""

import functools
import os
import runpy
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

from keras_evae.model import networks
from keras_evae.model.evae import EVAE
from keras_evae.training.replicas import Replicas, choose_strategy, is_chief, share_batches
from tests.helpers.states import random_spins

SHAPE, BATCH, STEPS = (16, 32), 8, 3
# Of the whole gradient: above that of the first step and below that of the others.
LARGEST_NORM = 10.0
# Two batches of 4 and one of a single sample, fewer than there are replicas.
EVALUATED = 9


def make_model(strategy):
    with strategy.scope():
        model = EVAE(
            SHAPE, latent_dim=8, beta=1e-2, gamma=1e-2, phases=False, precision="float64", replicas=Replicas(strategy)
        )
        optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=LARGEST_NORM)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer=optimizer)
    return model


def batches(strategy, count, size):
    spins = random_spins(count, *SHAPE)

    def parts():
        yield from (spins[start : start + size] for start in range(0, count, size))

    rows = size if count % size == 0 else None
    dataset = tf.data.Dataset.from_generator(parts, output_signature=tf.TensorSpec((rows, *SHAPE, 3), tf.float64))
    return share_batches(dataset, strategy)


def fit(model, strategy, steps):
    data = batches(strategy, BATCH * steps, BATCH)
    return model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False).history


def momenta(model):
    """Adam's first moments, after one step a tenth of the gradients."""
    return {v.path: v.numpy() for v in model.optimizer.variables if "_momentum" in v.path}


def named(prefix, values):
    return {f"{prefix} {name}": np.asarray(value) for name, value in values.items()}


def train_steps(strategy):
    """Named arrays: an evaluation, gradients of a first step, clipped ones of a second, statistics and weights."""
    # The names of layers count from the beginning again.
    keras.utils.clear_session()
    model = make_model(strategy)
    evaluated = model.evaluate(batches(strategy, EVALUATED, 4), steps=3, verbose=0, return_dict=True)
    results = named("evaluated", evaluated) | named("history", fit(model, strategy, 1))
    first = momenta(model)
    results |= named("gradient", {name: 10.0 * value for name, value in first.items()})
    results |= named("moving", {v.path: v.numpy() for v in model.variables if "moving" in v.path})
    # A gradient so large that it is clipped.
    model.gamma.assign(100.0)
    fit(model, strategy, 1)
    results |= named("clipped", {name: 10.0 * value - 9.0 * first[name] for name, value in momenta(model).items()})
    fit(model, strategy, STEPS - 2)
    weights = {v.path: v.numpy() for v in model.trainable_variables}
    return results | named("weights", weights) | {"seed": model.sampling.seed_generator.state.numpy()}


def be_patient():
    """A worker on a busy machine that stands still for a minute is not a lost one."""
    from tensorflow.python.eager import context

    configure = context.context().configure_coordination_service
    context.context().configure_coordination_service = functools.partial(configure, heartbeat_timeout_in_ms=300_000)


def main():
    _, kind, *arguments = sys.argv
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    elif kind == "multiworker":
        be_patient()
    if arguments[0].endswith("train.py"):
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
    keras.config.set_floatx("float64")
    networks.OUTPUT_TYPE = "float64"
    strategy = choose_strategy(kind, BATCH)
    results = train_steps(strategy)
    if is_chief(strategy):
        np.savez(arguments[0], **results)
    if kind == "mirrored":
        np.savez(arguments[1], **train_steps(choose_strategy(None, BATCH)))


if __name__ == "__main__":
    main()

"""What the model asks of TensorFlow's devices: which form is the fast one there, and a GPU's memory."""

import contextlib
import os

import tensorflow as tf


def sees_gpu() -> bool:
    """Whether TensorFlow sees a GPU that it may use; asking starts no device."""
    return bool(tf.config.get_visible_devices("GPU"))


def fast_form_is_fastest(precision: str, replicas: int) -> bool:
    """Whether `model.polyphase` is the way to compute: on CPUs, in float32, on one device.

    A GPU is faster with the plain layers, compiled by XLA: its convolutions need no help to be busy.
    """
    return precision == "float32" and replicas == 1 and not sees_gpu()


def grow_memory() -> None:
    """Lets TensorFlow take a GPU's memory as it needs it, instead of all at once, unless the user has chosen.

    Without a GPU, or once one has been used, nothing happens.
    """
    if "TF_FORCE_GPU_ALLOW_GROWTH" in os.environ:
        return
    for gpu in tf.config.get_visible_devices("GPU"):
        # Refused where the GPU is at work already, or shared out to virtual ones, whose memory the user has chosen.
        with contextlib.suppress(RuntimeError, ValueError):
            if tf.config.experimental.get_memory_growth(gpu) is None:
                tf.config.experimental.set_memory_growth(gpu, True)

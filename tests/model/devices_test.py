"""What a GPU would get, as far as a computer without one can tell: the form, kernels for all operations, exact sums."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.config import PhysicalDevice
from tensorflow.python.framework import kernels

from keras_evae.config_sections import TrainingConfig
from keras_evae.model import polyphase
from keras_evae.model.devices import grow_memory
from keras_evae.model.evae import EVAE
from keras_evae.model.fused_adam import FusedAdam
from keras_evae.model.networks import build_encoder
from keras_evae.training.trainer import compile_model
from tests.helpers.states import random_spins

SHAPE = (32, 48)
CPU, GPU = PhysicalDevice("/physical_device:CPU:0", "CPU"), PhysicalDevice("/physical_device:GPU:0", "GPU")


@pytest.fixture
def gpu(monkeypatch):
    """TensorFlow says that it sees a GPU, which nothing is placed on."""

    def devices(device_type=None):
        return [device for device in (CPU, GPU) if device_type in (None, device.device_type)]

    monkeypatch.setattr(tf.config, "get_visible_devices", devices)
    monkeypatch.setattr(tf.config, "list_physical_devices", devices)


@pytest.fixture
def memory_growth(gpu, monkeypatch):
    """What is set, for each GPU."""
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    chosen = {}
    monkeypatch.setattr(tf.config.experimental, "get_memory_growth", chosen.get)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", chosen.__setitem__)
    return chosen


def form(**options):
    """Whether a model is computed in the fast form, and whether its training step is compiled by XLA."""
    model = EVAE((16, 16), 4, **options)
    compile_model(model, TrainingConfig())
    return model.phases, model.jit_compile


def test_fast_form_on_a_cpu_and_plain_layers_with_xla_on_a_gpu(request):
    assert form() == (True, False) and form(precision="mixed_bfloat16") == (False, False)
    request.getfixturevalue("gpu")
    assert form() == (False, True) and form(phases=True) == (True, True)


def test_memory_grows_unless_the_user_has_chosen(memory_growth, monkeypatch):
    grow_memory()
    assert memory_growth == {GPU: True}
    memory_growth[GPU] = False
    grow_memory()
    assert memory_growth == {GPU: False}
    memory_growth.clear()
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    grow_memory()
    assert memory_growth == {}


def operations(function, batch):
    """All operations of a traced function and of the functions that it calls."""
    definition = function.get_concrete_function(tf.TensorSpec(batch)).graph.as_graph_def()
    return [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]


def accepts(kernel, operation):
    """Whether a kernel runs anywhere or on GPUs, and takes the operation's types."""
    types = {name: [value.type] if value.type else value.list.type for name, value in operation.attr.items()}
    return kernel.device_type in ("GPU", "DEFAULT") and all(
        set(types[constraint.name]) <= set(constraint.allowed_values.list.type) for constraint in kernel.constraint
    )


@pytest.mark.skipif(not tf.test.is_built_with_cuda(), reason="this TensorFlow was built without kernels for GPUs")
@pytest.mark.parametrize(("phases", "precision"), [(True, "float32"), (False, "mixed_bfloat16")])
def test_every_operation_of_a_step_has_a_kernel_for_gpus(gpu, phases, precision):
    """The registry is that of the installed TensorFlow, whose release for Linux has the kernels of both kinds."""
    model = EVAE(SHAPE, 8, gamma=1.0, phases=phases, precision=precision)
    model.compile(optimizer=FusedAdam(1e-3, global_clipnorm=1.0))
    model.optimizer.build(model.trainable_variables)
    registered = collections.defaultdict(list)
    for kernel in kernels.get_all_registered_kernels().kernel:
        registered[kernel.op].append(kernel)
    for step in (model.train_step, model.test_step):
        found = operations(tf.function(step), (4, *SHAPE, 3))
        assert {node.op for node in found} >= {"Conv2D", "MatMul"}
        missing = {node.op for node in found if not any(accepts(kernel, node) for kernel in registered[node.op])}
        assert missing == set()


def round_to_ten_bits(values):
    """As tensor cores read single precision in TF32."""
    bits = tf.bitcast(values, tf.int32)
    return tf.bitcast(tf.bitwise.bitwise_and(bits + (1 << 12), ~((1 << 13) - 1)), tf.float32)


def variances(monkeypatch):
    """Batch variance of the first convolution's channels in the fast form, over that of the plain layers.

    Of nearly uniform states, where it is far below the squared mean; products round their factors to ten bits.
    """
    plain, fast = (build_encoder(SHAPE, 4) for _ in range(2))
    fast.set_weights(plain.get_weights())
    norms = [next(layer for layer in network.layers if "norm" in layer.name) for network in (plain, fast)]
    for norm in norms:
        # The moving variance becomes that of the batch.
        norm.momentum = 0.0
    spins = np.array([0.0, 0.0, 1.0], np.float32) + 0.001 * random_spins(6, *SHAPE).astype(np.float32)
    plain(spins, training=True)
    exact = tf.matmul
    with monkeypatch.context() as patch:
        patch.setattr(tf, "matmul", lambda a, b, **_: exact(*map(round_to_ten_bits, (a, b))))
        polyphase.encode(fast, tf.constant(spins), (True, True), training=True)
    expected, found = (norm.moving_variance.numpy() for norm in norms)
    return found / expected


def test_statistics_of_a_batch_do_not_pass_through_products_in_tf32(monkeypatch, request):
    assert np.abs(variances(monkeypatch) - 1).max() > 1
    request.getfixturevalue("gpu")
    np.testing.assert_allclose(variances(monkeypatch), 1, rtol=0.1)

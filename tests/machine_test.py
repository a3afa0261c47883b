"""What the package asks of the computer, and what it sets there: oneDNN, and sums that repeat to the last bit."""

import collections
import json
import os

import keras
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from keras_evae.config_sections import TrainingConfig
from keras_evae.machine import ONEDNN, repeatable_sums
from keras_evae.model.evae import EVAE
from keras_evae.training.trainer import compile_model
from tests.helpers.commands import ROOT, run_python
from tests.helpers.states import random_spins

# As by a processor for which TensorFlow leaves oneDNN off.
TOO_LATE = f"""
import os, keras_evae as ev
os.environ[{ONEDNN!r}] = "0"
import keras
del os.environ[{ONEDNN!r}]
import keras_evae.layers
ev.EVAE, ev.train
"""


@pytest.mark.skipif("x86_64" not in os.uname().machine, reason="elsewhere oneDNN is TensorFlow's own affair")
def test_tensorflow_without_onednn_that_came_first_is_said():
    result = run_python(ROOT, "-c", TOO_LATE)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("TensorFlow was imported")]
    assert line.endswith(f"Set {ONEDNN}=1 before TensorFlow or Keras is imported")


@pytest.mark.parametrize("chosen", [None, True, False])
def test_options_of_the_user_come_back(chosen):
    options = tf.config.optimizer
    options.set_experimental_options({"arithmetic_optimization": chosen})
    before = options.get_experimental_options()
    with pytest.raises(KeyError), repeatable_sums():
        assert options.get_experimental_options() == before | {"arithmetic_optimization": False}
        raise KeyError
    assert options.get_experimental_options() == before
    options.set_experimental_options({"arithmetic_optimization": None})


def timing_dependent_sums(model, fit):
    """Names of the sums in a compiled training step of 50 lattices that add up in the order of what is ready.

    TensorFlow makes a temporary variable of a large sum, to which terms are added as they come. A smaller one begins
    with a term whose memory it may take.
    """
    spins = random_spins(50, *model.lattice_shape).astype("float32")
    context.context().enable_graph_collection()
    fit(model, tf.data.Dataset.from_tensors(spins), verbose=0, shuffle=False)
    graphs = context.context().export_run_metadata().function_graphs
    context.context().disable_graph_collection()
    found = set()
    for nodes in (graph.post_optimization_graph.node for graph in graphs):
        users = collections.Counter(name for node in nodes for name in set(node.input))
        for node in nodes:
            shared = node.op == "AddN" and len(node.input) > 2 and users[node.input[0]] > 1
            found |= {node.name} if shared or node.op == "TemporaryVariable" else set()
    return found


def test_no_sum_of_the_training_step_depends_on_timing():
    model = EVAE((64, 64), latent_dim=4, gamma=1.0)
    compile_model(model, TrainingConfig())
    assert timing_dependent_sums(model, EVAE.fit) == set()
    # As Keras would compile the step.
    assert timing_dependent_sums(model, keras.Model.fit) != set()


def fits_beside_a_load(onednn, times):
    found = json.loads(run_python(ROOT, "-m", "tests.helpers.repeated_fits", times, **{ONEDNN: onednn}).stdout)
    assert found["variables"] == 183
    return found["results"]


@pytest.mark.slow
@pytest.mark.parametrize("onednn", ["1", "0"])
def test_fits_beside_a_load_end_with_the_same_bits(onednn):
    assert fits_beside_a_load(onednn, times=20) == 1

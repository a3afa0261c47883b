"""What the recipe of train.py refuses."""

import keras
import numpy as np
import pytest

from keras_evae.config import Config
from keras_evae.errors import ConfigError, NumericalError
from keras_evae.training import _check_finite, _reset_optimizer, train


def test_stage_that_ends_in_nan_does_not_count_as_finished():
    _check_finite({"train": {"loss": 1.0}})
    with pytest.raises(NumericalError, match="validation kl_loss = inf at the end of the stage"):
        _check_finite({"train": {"loss": 1.0}, "validation": {"loss": 1.0, "kl_loss": float("inf")}})


def test_reset_optimizer_forgets_the_moments_but_not_the_learning_rate():
    optimizer = keras.optimizers.Adam(0.01)
    variable = keras.Variable([1.0, 2.0])
    optimizer.apply_gradients([(np.array([1.0, -1.0], np.float32), variable)])
    _reset_optimizer(optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.01) and int(optimizer.iterations) == 0
    before = variable.numpy()
    optimizer.apply_gradients([(np.array([5.0, -5.0], np.float32), variable)])
    # The first step of a fresh Adam is the learning rate, whatever the size of the gradient.
    np.testing.assert_allclose(before - variable.numpy(), [0.01, -0.01], rtol=1e-4)


def test_strategy_cannot_be_compiled(tmp_path):
    with pytest.raises(ConfigError, match="training.jit_compile: expected false with --strategy"):
        train(Config(training={"jit_compile": True}), tmp_path / "run", strategy="mirrored")
    assert not (tmp_path / "run").exists()

"""The fused Adam is Keras' Adam."""

import keras
import numpy as np
import pytest

from keras_evae.model.fused_adam import FusedAdam


def test_steps_and_state_are_those_of_keras():
    random = np.random.default_rng(0)
    optimizers = [kind(1e-2, beta_1=0.8, beta_2=0.99, epsilon=1e-5, global_clipnorm=1.0)
                  for kind in (keras.optimizers.Adam, FusedAdam)]  # fmt: skip
    start = [random.normal(size=(5, 7)), random.normal(size=3)]
    weights = [[keras.Variable(value, dtype="float32") for value in start] for _ in optimizers]
    for step in range(20):
        gradients = [random.normal(size=value.shape).astype(np.float32) * 10.0 ** (step % 4 - 2) for value in start]
        for optimizer, variables in zip(optimizers, weights, strict=True):
            optimizer.apply(gradients, variables)
    assert np.abs(weights[0][0].numpy() - start[0]).max() > 0.01
    for variables in (*zip(*weights, strict=True), *zip(*(o.variables for o in optimizers), strict=True)):
        expected, found = (variable.numpy() for variable in variables)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


def test_goes_on_from_the_file_of_keras_adam(tmp_path):
    """A model's file of weights and optimiser state is the same for both."""
    models = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(optimizer=kind(1e-2), loss="mse")
        models.append(model)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    models[0].fit(x, x[:, :3], epochs=2, verbose=0)
    models[0].save_weights(tmp_path / "adam.weights.h5")
    models[1].optimizer.build(models[1].trainable_variables)
    models[1].load_weights(tmp_path / "adam.weights.h5")
    for model in models:
        model.fit(x, x[:, :3], epochs=2, verbose=0)
    np.testing.assert_allclose(models[1].get_weights()[0], models[0].get_weights()[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("switch", [{"amsgrad": True}, {"gradient_accumulation_steps": 2}], ids=str)
def test_what_it_leaves_to_keras_adam(switch):
    with pytest.raises(
        ValueError, match=rf"\A`{next(iter(switch))}` must be left out; take keras.optimizers.Adam[^\n]+\Z"
    ):
        FusedAdam(1e-2, **switch)


def test_other_types_are_left_to_keras_adam():
    with pytest.raises(ValueError, match="`variables` must be float32 on one device; .* Received: variables='float64'"):
        FusedAdam(1e-2).build([keras.Variable(np.zeros(3), dtype="float64")])

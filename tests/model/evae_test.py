"""The E-VAE: its loss, its variables, its training, and its files."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.model.evae import EVAE
from keras_evae.model.losses import hamiltonian_loss, kl_loss, reconstruction_loss
from keras_evae.runs.checkpoints import read_values, training_variables
from keras_evae.training.replicas import Share
from tests.helpers.states import random_spins

SHAPE = (16, 32)
METRICS = ["loss", "reconstruction_loss", "kl_loss", "hamiltonian_loss"]


def small_model(**arguments):
    model = EVAE(SHAPE, latent_dim=8, hamiltonian=Hamiltonian(), **arguments)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    return model


@pytest.fixture(scope="module")
def spins():
    return random_spins(24, *SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def traced():
    """A model whose training is traced once for all tests, and the first values of its variables."""
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    return model, read_values(model)


@pytest.fixture
def model(traced):
    """That model as it was at first."""
    model, values = traced
    for variable, value in zip(training_variables(model), values, strict=True):
        variable.assign(value)
    return model


def test_loss_is_the_weighted_sum_of_its_terms(spins):
    model = small_model(beta=0.01, gamma=3.0)
    mean, log_variance = model.encode(spins)
    outputs = small_model(beta=0.01, gamma=3.0)(spins)
    terms = model._loss_terms(tf.constant(spins), training=False)
    assert float(terms["reconstruction_loss"]) == pytest.approx(float(reconstruction_loss(spins, outputs)), rel=1e-5)
    assert float(terms["kl_loss"]) == pytest.approx(float(kl_loss(mean, log_variance)), rel=1e-5)
    energy = hamiltonian_loss(model.hamiltonian, outputs)
    assert float(terms["hamiltonian_loss"]) == pytest.approx(float(energy), rel=1e-4)
    expected = terms["reconstruction_loss"] + 0.01 * terms["kl_loss"] + 3.0 * terms["hamiltonian_loss"]
    assert float(terms["loss"]) == pytest.approx(float(expected), rel=1e-6)


def test_changing_a_weight_after_tracing_changes_loss_and_gradient(spins):
    model = small_model(beta=1e-3, gamma=1e-3)

    @tf.function
    def traced(batch):
        model.sampling.seed_generator.state.assign([1, 0])
        with tf.GradientTape() as tape:
            loss = model._loss_terms(batch, training=False)["loss"]
        return loss, tape.gradient(loss, model.encoder.trainable_variables[0])

    before = [value.numpy() for value in traced(tf.constant(spins))]
    for weight in (model.beta, model.gamma):
        weight.assign(1.0)
        after = [value.numpy() for value in traced(tf.constant(spins))]
        assert abs(after[0] - before[0]) > 1e-2
        assert np.abs(after[1] - before[1]).max() > 1e-4
        weight.assign(1e-3)
    assert traced.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("gamma", "share", "replaced"), [(99.0, None, 0), (100.0, None, 12), (100.0, Share(slice(3, 9), 6, 24), 3)]
)
def test_from_a_gamma_on_every_second_latent_vector_is_normal(spins, monkeypatch, gamma, share, replaced):
    model = small_model(gamma=gamma, generated_from=100.0)
    rows = range(24)[share.rows] if share else range(24)
    inputs, outputs = spins[rows], random_spins(len(rows), *SHAPE, seed=1).astype(np.float32)
    posterior = np.full((len(rows), 8), 50.0, np.float32), np.full((len(rows), 8), -20.0, np.float32)
    latent = {}
    monkeypatch.setattr(model, "run_encoder", lambda spins, training: posterior)
    monkeypatch.setattr(model, "run_decoder", lambda z, training: latent.update({training: z.numpy()}) or outputs)
    terms = model._loss_terms(inputs, training=True, share=share)
    normal = np.abs(latent[True]).max(axis=-1) < 6
    assert [row for row, is_normal in zip(rows, normal, strict=True) if is_normal] == [r for r in rows if r % 2][
        :replaced
    ]
    assert np.abs(latent[True][~normal] - 50).max() < 1e-3
    # The mean over the rows of posteriors, in all replicas together; the other terms as always.
    compared = (
        float(reconstruction_loss(inputs[~normal], outputs[~normal])) * (~normal).mean() / (0.5 if replaced else 1)
    )
    assert float(terms["reconstruction_loss"]) == pytest.approx(compared, rel=1e-6)
    assert float(terms["kl_loss"]) == pytest.approx(float(kl_loss(*posterior)), rel=1e-6)
    assert float(terms["hamiltonian_loss"]) == pytest.approx(
        float(hamiltonian_loss(model.hamiltonian, outputs)), rel=1e-6
    )
    model._loss_terms(inputs, training=False)
    assert latent[False].min() > 49
    assert EVAE.from_config(model.get_config()).generated_from == 100.0


def test_fit_reports_every_term_and_learns(spins, model):
    model.beta.assign(1e-4)
    history = model.fit(spins, batch_size=8, epochs=6, validation_data=(spins[:5],), verbose=0).history
    assert set(history) == {*METRICS, *(f"val_{name}" for name in METRICS)}
    assert history["reconstruction_loss"][-1] < history["reconstruction_loss"][0]
    weight = float(model.beta)
    assert history["loss"][-1] == pytest.approx(
        history["reconstruction_loss"][-1] + weight * history["kl_loss"][-1], rel=1e-5
    )


def test_metrics_and_large_gamma(spins, model):
    """A split of 20 + 4 samples has the mean over samples, not over batches."""
    uneven = model.evaluate(spins, batch_size=20, verbose=0, return_dict=True)["kl_loss"]
    mean, log_variance = model.encode(spins)
    assert uneven == pytest.approx(float(kl_loss(mean, log_variance)), rel=1e-4)
    energy = model.hamiltonian.energy_per_site
    before = energy(model.generate(20, seed=0)).mean()
    model.gamma.assign(1e3)
    model.fit(spins, batch_size=8, epochs=20, verbose=0)
    after = energy(model.generate(20, seed=0)).mean()
    assert after < before - 0.1


def test_generated_states_and_their_gradient():
    model = small_model()
    states = model.generate(205, seed=7)
    assert states.shape == (205, *SHAPE, 3) and states.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(states, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(states, model.generate(205, seed=7))
    assert np.abs(states[:5] - model.generate(5)).max() > 0
    with pytest.raises(ValueError, match="Received: n=0"):
        model.generate(0)
    model, z = small_model(), tf.Variable(np.zeros((1, 8), np.float32))
    with tf.GradientTape() as tape:
        energy = tf.reduce_sum(model.hamiltonian.energy(model.decode(z)))
    assert np.abs(tape.gradient(energy, z)).max() > 0


def test_equal_seeds_give_equal_models_and_trainings(traced, spins, model):
    """All variables: weights, optimiser, and the state of the noise."""
    others = [small_model(seed=seed) for seed in (0, 4)]
    for other in others:
        other.optimizer.build(other.trainable_variables)
    same, different = ([np.array_equal(*pair) for pair in zip(traced[1], read_values(o), strict=True)] for o in others)
    assert all(same) and not all(different)
    # The weights too, and not the noise alone.
    assert not np.array_equal(*(model.encoder.get_weights()[0] for model in others))

    def train():
        model.fit(spins, batch_size=8, epochs=2, verbose=0, shuffle=False)
        return read_values(model)

    first = train()
    for variable, value in zip(training_variables(model), traced[1], strict=True):
        variable.assign(value)
    assert all(np.array_equal(*pair) for pair in zip(first, train(), strict=True))


def test_weights_hold_all_that_training_goes_on_from(tmp_path, spins, model):
    """Also the optimiser and the noise."""
    model.fit(spins, batch_size=8, epochs=1, verbose=0, shuffle=False)
    model.save_weights(tmp_path / "model.weights.h5")
    resumed = small_model(seed=5)
    resumed.optimizer.build(resumed.trainable_variables)
    resumed.load_weights(tmp_path / "model.weights.h5")
    # The running means of the losses start anew with each epoch.
    for values in (model, resumed):
        values.reset_metrics()
    assert all(np.array_equal(*pair) for pair in zip(read_values(model), read_values(resumed), strict=True))


def test_masked_model_learns_over_present_sites(tmp_path):
    """In the form of phases; the tests of phases show that the plain form is the same."""
    geometry = make_geometry("triangle", 14)
    hamiltonian, mask = Hamiltonian(mask=geometry.mask, boundary=geometry.boundary), geometry.mask
    spins = random_spins(24, *geometry.lattice_shape).astype(np.float32) * mask[..., None]
    model = EVAE(geometry.lattice_shape, 4, hamiltonian, beta=1e-4, gamma=1.0)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), run_eagerly=True)
    history = model.fit(spins, batch_size=8, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 0.05
    outputs = model.call(spins, training=False).numpy()
    np.testing.assert_array_equal(outputs[:, ~mask], 0.0)
    terms = model.evaluate(spins, verbose=0, return_dict=True)
    states = model.generate(3, seed=0)
    np.testing.assert_array_equal(states[:, ~mask], 0.0)
    np.testing.assert_allclose(np.linalg.norm(states[:, mask], axis=-1), 1.0, rtol=1e-5)
    by_site = np.sum((outputs - spins)[:, mask] ** 2, axis=-1).mean()
    # The latent noise differs, in which the network hardly depends on it after a few steps.
    assert terms["reconstruction_loss"] == pytest.approx(by_site, rel=0.1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.hamiltonian == hamiltonian
    np.testing.assert_array_equal(loaded.generate(3, seed=0), states)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "float32"])
def test_types_of_the_traced_computation(spins, precision):
    """Layers in bfloat16 if asked for; the heads, the sampling, the normalisation and the losses never."""
    model = small_model(phases=False, precision=precision)
    traced = tf.function(lambda batch: model._loss_terms(batch, training=True))
    graph = traced.get_concrete_function(tf.TensorSpec(spins.shape)).graph
    types = [
        (operation.type, operation.outputs[0].dtype.name) for operation in graph.get_operations() if operation.outputs
    ]
    layer_type = precision.removeprefix("mixed_")
    # Eight convolutions and four dense layers; beside them the last convolution, mean and log-variance.
    for kind, count in (("Conv2D", 8), ("MatMul", 4)):
        assert types.count((kind, layer_type)) >= count
    if precision != "float32":
        assert (types.count(("Conv2D", "float32")), types.count(("MatMul", "float32"))) == (1, 2)
    # Sampling and KL, noise, neighbours in the energy, L2 normalisation and the batch normalisations.
    for kind in ("Exp", "StatelessRandomNormalV2", "Roll", "Rsqrt"):
        assert {dtype for name, dtype in types if name == kind} == {"float32"}, kind
    assert all(output.dtype == tf.float32 for output in graph.outputs)


def test_bfloat16_agrees_with_float32(spins):
    """Losses to the accuracy of bfloat16, 2^-8, from unit vectors to the accuracy of float32."""
    models = [small_model(phases=False, precision=precision, gamma=1.0) for precision in ("float32", "mixed_bfloat16")]
    exact, rounded = (
        {k: float(v) for k, v in m._loss_terms(tf.constant(spins), training=True).items()} for m in models
    )
    assert rounded == pytest.approx(exact, rel=2**-6) and rounded != exact
    for outputs in (models[1](spins), models[1].decode(np.ones((3, 8), np.float32)), models[1].generate(3, seed=0)):
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(np.asarray(outputs, np.float64), axis=-1), 1.0, atol=1e-6)
    assert {value.dtype for value in models[1].encode(spins)} == {tf.float32}
    assert keras.config.dtype_policy().name == "float32"


IMPORT = """
import sys
try:
    import keras_evae.model
except ValueError as error:
    print(type(error).__name__, error, "tensorflow" in sys.modules or "keras" in sys.modules)
"""


@pytest.mark.parametrize(
    ("settings", "variables", "answer"),
    [
        ({}, {"KERAS_BACKEND": "torch"}, "ConfigError Keras: backend: expected tensorflow, found torch; set KERAS"),
        ({"backend": "jax"}, {}, "ConfigError Keras: backend: expected tensorflow, found jax; set KERAS"),
        (
            {"image_data_format": "channels_first"}, {},
            "ConfigError Keras: image_data_format: expected channels_last, found channels_first; mend keras.json False",
        ),
        ({}, {"TF_USE_LEGACY_KERAS": "1"}, "ConfigError TF_USE_LEGACY_KERAS: expected none without the package"),
    ],
)  # fmt: skip
def test_another_backend_of_keras_is_refused_before_it_is_loaded(tmp_path, settings, variables, answer):
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path), **variables}
    line = [sys.executable, "-c", IMPORT]
    result = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(answer) and result.stdout.count("\n") == 1
    assert result.stdout.endswith("False\n")

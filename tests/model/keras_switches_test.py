"""Every standard switch of a keras.Model works in both forms, or is refused in one line."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.model.evae import EVAE
from keras_evae.model.fused_adam import FusedAdam
from tests.helpers.states import random_spins

SHAPE = (16, 16)
# Two batches of four, whose numbers float16 holds too.
SPINS = random_spins(8, *SHAPE).astype(np.float16).astype(np.float32)
LATENT = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def silence(model):
    """Takes the noise away, which XLA draws by another formula: all log-variances are -60."""
    log_variance = model.encoder.get_layer("log_variance")
    log_variance.set_weights([0 * log_variance.kernel, 0 * log_variance.bias - 60])


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "layer by layer"])
def kept(request):
    """A model of one form without noise, and its first values."""
    model = EVAE(SHAPE, 4, beta=1e-2, gamma=0.5, phases=request.param)
    silence(model)
    return model, [variable.numpy() for variable in model.variables]


@pytest.fixture
def model(kept):
    """That model as it was at first, to be trained without compilation."""
    model, values = kept
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    model.compile(FusedAdam(1e-3), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def expected(kept):
    """Losses of eager evaluation and of an epoch of eager training."""
    model, _ = kept
    model.compile(FusedAdam(1e-3), run_eagerly=True)
    return {"evaluate": run(model, "evaluate"), "fit": run(model, "fit")}


def run(model, method, spins=SPINS, **options):
    batches = {} if isinstance(spins, tf.data.Dataset) else {"batch_size": 4}
    if method == "evaluate":
        return model.evaluate(spins, **batches, verbose=0, return_dict=True)
    history = model.fit(spins, **batches, shuffle=False, verbose=0, **options).history
    return {name: values[-1] for name, values in history.items()}


def pipeline_of(kind):
    """One that does not know the shapes of its batches."""
    batches = tf.data.Dataset.from_tensor_slices(SPINS.astype(kind)).batch(4)
    return batches.map(lambda spins: tf.numpy_function(np.copy, [spins], kind))


def close(losses):
    """In another order of the same sums: Adam's first steps follow gradients that are nothing but rounding."""
    return {name: pytest.approx(value, rel=1e-4, abs=1e-4) for name, value in losses.items()}


def test_compiled_steps_are_the_eager_ones(expected, model):
    model.compile(FusedAdam(1e-3), steps_per_execution=2, jit_compile=True)
    assert run(model, "evaluate", pipeline_of("float32")) == close(expected["evaluate"])


@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_pipelines_of_other_types(expected, model, kind):
    pipeline = pipeline_of(kind)
    whole, other = (model.encode_quickly(SPINS.astype(name)) for name in ("float32", kind))
    np.testing.assert_array_equal(other, whole)
    np.testing.assert_array_equal(model.predict(pipeline, verbose=0), model.predict(SPINS, batch_size=4, verbose=0))
    assert run(model, "fit", pipeline) == expected["fit"]


def test_last_batch_of_one_state_and_validation_split(model):
    """The mean losses are those of all states."""
    losses = run(model, "fit", SPINS, validation_split=3 / 8)
    assert losses["val_loss"] == pytest.approx(run(model, "evaluate", SPINS[5:])["loss"], rel=1e-6)
    single = [run(model, "evaluate", spins)["loss"] for spins in (SPINS[:4], SPINS[4:5])]
    assert run(model, "evaluate", SPINS[:5])["loss"] == pytest.approx(np.dot([0.8, 0.2], single), rel=1e-5)


@pytest.mark.parametrize("frozen", [0, 1], ids=["encoder", "decoder"])
def test_frozen_part_stays_as_it_is(model, frozen):
    """With its moving statistics, while the other part learns."""
    parts = model.encoder, model.decoder

    def state():
        return model.encode_quickly(SPINS)[0], model.decode_many(LATENT), *(part.get_weights() for part in parts)

    before = state()
    parts[frozen].trainable = False
    run(model, "fit", SPINS[:4])
    parts[frozen].trainable = True
    after = state()
    np.testing.assert_array_equal(before[frozen], after[frozen])
    assert all(map(np.array_equal, before[2 + frozen], after[2 + frozen]))
    assert np.abs(before[1 - frozen] - after[1 - frozen]).max() > 1e-4


def test_frozen_models_and_normalizations_stay(model):
    model.trainable = False
    before = model.get_weights()
    run(model, "fit", SPINS[:4])
    model.trainable = True
    assert all(map(np.array_equal, before, model.get_weights()))
    # As in evaluation, whatever the batch is.
    layers = [layer for part in (model.encoder, model.decoder) for layer in part.layers]
    for layer in layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    measured, trained = run(model, "evaluate", SPINS[:4]), run(model, "fit", SPINS[:4])
    for layer in layers:
        layer.trainable = True
    assert trained == close(measured)


def test_export(tmp_path):
    """Of a model that was never called."""
    model = EVAE(SHAPE, 4)
    silence(model)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for count in (5, 1):
        np.testing.assert_allclose(exported.serve(SPINS[:count]), model(SPINS[:count]), atol=1e-5)


def test_callbacks(model, tmp_path):
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=2, min_delta=1e3),
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e3, factor=0.1),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
    ]
    history = model.fit(SPINS[:4], epochs=5, verbose=0, callbacks=callbacks).history
    assert history["learning_rate"] == pytest.approx([1e-3, 1e-3, 1e-4])
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{epoch}.weights.h5" for epoch in (1, 2, 3)]
    last = model.decode_many(LATENT)
    for epoch, same in ((1, False), (3, True)):
        model.load_weights(tmp_path / f"{epoch}.weights.h5")
        assert np.array_equal(model.decode_many(LATENT), last) == same


def test_loaded_weights_leave_beta_and_gamma(tmp_path):
    """Those of a VAE do not make a VAE of an E-VAE."""
    model, vae = EVAE(SHAPE, 4, beta=1e-2, gamma=0.5), EVAE(SHAPE, 4, beta=1e-4, gamma=0.0, seed=1)
    vae.save_weights(tmp_path / "vae.weights.h5")
    model.load_weights(tmp_path / "vae.weights.h5")
    assert float(model.beta) == pytest.approx(1e-2) and float(model.gamma) == 0.5
    np.testing.assert_array_equal(model.decode_many(LATENT), vae.decode_many(LATENT))
    vae.save(tmp_path / "vae.keras")
    assert float(keras.models.load_model(tmp_path / "vae.keras").beta) == pytest.approx(1e-4)


def refused(name, words="must be left out: "):
    """An error in one line that names the switch."""
    return pytest.raises(ValueError, match=rf"\A`{name}` {words}[^\n]+\Z")


ADAM = keras.optimizers.Adam


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("loss", {"loss": "mse"}),
        ("loss_weights", {"loss_weights": [1.0]}),
        ("metrics", {"metrics": ["mae"]}),
        ("weighted_metrics", {"weighted_metrics": ["mae"]}),
        ("loss_scale", {"optimizer": keras.optimizers.LossScaleOptimizer(ADAM())}),
        ("loss_scale", {"optimizer": ADAM(loss_scale_factor=2.0)}),
    ],
)
def test_refused_at_compilation(model, name, switches):
    with refused(name):
        model.compile(**switches)
    model.compile("adam", metrics=[])


ONES = np.ones(8)


def pipeline(*arrays):
    return tf.data.Dataset.from_tensors(arrays)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("y", lambda model: model.fit(SPINS, SPINS)),
        ("y", lambda model: model.evaluate(SPINS, SPINS)),
        ("y", lambda model: model.test_on_batch(SPINS, SPINS)),
        ("y", lambda model: run(model, "fit", pipeline(SPINS, SPINS))),
        ("y", lambda model: model.evaluate(pipeline(SPINS, SPINS), verbose=0)),
        ("y", lambda model: run(model, "fit", validation_data=(SPINS, SPINS))),
        ("sample_weight", lambda model: model.fit(SPINS, sample_weight=ONES)),
        ("sample_weight", lambda model: model.train_on_batch(SPINS, sample_weight=ONES)),
        ("class_weight", lambda model: model.fit(SPINS, class_weight={0: 1.0})),
        ("class_weight", lambda model: model.train_on_batch(SPINS, class_weight={0: 1.0})),
        ("mode", lambda model: model.quantize("int8")),
    ],
)
def test_refused_beside_the_spins(model, name, call):
    with refused(name):
        call(model)


def test_refused_targets_and_strategies(model, monkeypatch):
    model.compile("adam")
    with refused("y"):
        run(model, "fit", pipeline(SPINS, SPINS))
    scope = types.SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: scope)
    for call in (lambda: EVAE(SHAPE, 4), lambda: model.fit(SPINS)):
        with pytest.raises(ValueError, match=r"\Atf.distribute: expected evae-train --strategy, [^\n]+ 2 replicas"):
            call()


@pytest.mark.parametrize("spins", [SPINS[:, :8], SPINS[..., :2], [SPINS, SPINS], {"spins": SPINS}], ids=range(4))
def test_other_spins_are_refused(model, spins):
    with refused("x", r"must be one array of spins of shape \(n, 16, 16, 3\). Received: "):
        model.fit(spins, verbose=0)


L2 = keras.regularizers.L2(1.0)


@pytest.mark.parametrize(
    "add_penalty",
    [
        lambda model: setattr(model.decoder.layers[1].kernel, "regularizer", L2),
        lambda model: setattr(model.decoder.layers[1], "activity_regularizer", L2),
        lambda model: model.add_loss(tf.ones(())),
    ],
    ids=["weights", "outputs", "add_loss"],
)
def test_penalties_of_layers_are_refused(add_penalty):
    model = EVAE(SHAPE, 4)
    add_penalty(model)
    model.compile("adam", run_eagerly=True)
    with refused("penalties"):
        run(model, "evaluate")


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
@pytest.mark.parametrize("setting", [None, "set_dtype_policy", "set_floatx"])
def test_other_types_are_refused(kind, setting):
    policy = kind if kind == "float64" or setting == "set_floatx" else f"mixed_{kind}"
    try:
        if setting:
            getattr(keras.config, setting)(policy)
        with refused(f"(dtype|{setting})", r"must be float32; use EVAE\(precision=...\), or training.precision"):
            EVAE(SHAPE, 4, dtype=None if setting else policy)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")

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
# Two batches of four, and a last one of a single state.
SPINS = random_spins(9, *SHAPE).astype(np.float32)
LATENT = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "layer by layer"])
def kept(request):
    """A model of one form, its first values, and the losses of an epoch from there."""
    model = EVAE(SHAPE, 4, beta=1e-2, gamma=0.5, phases=request.param)
    values = [variable.numpy() for variable in model.variables]
    return model, values, train(model)


@pytest.fixture
def model(kept):
    """That model as it was at first."""
    model, values, _ = kept
    model.trainable = True
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    return model


def train(model, spins=SPINS, run_eagerly=True, **switches):
    """The losses of an epoch; eagerly where nothing has to be compiled."""
    model.compile(FusedAdam(1e-3), run_eagerly=run_eagerly, **switches)
    batches = {} if isinstance(spins, tf.data.Dataset) else {"batch_size": 4}
    return model.fit(spins, **batches, shuffle=False, verbose=0).history


def same_losses(found, expected, rel=1e-4):
    assert found.keys() == expected.keys() and len(expected) == 4
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=rel, abs=1e-5), name


@pytest.mark.parametrize("switch", [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": True}], ids=str)
def test_ways_to_run_a_step(kept, model, switch):
    """The losses of an epoch are those of eager steps."""
    same_losses(train(model, **{"run_eagerly": False, **switch}), kept[2])


@pytest.mark.parametrize(("kind", "rel"), [("float64", 1e-4), ("float16", 2e-2)])
def test_pipelines_of_other_types(kept, model, kind, rel):
    batches = tf.data.Dataset.from_tensor_slices(SPINS.astype(kind)).batch(4)
    # Some do not know their shapes.
    pipeline = batches.map(lambda spins: tf.numpy_function(np.copy, [spins], kind))
    same_losses(train(model, pipeline), kept[2], rel)
    assert model.predict(pipeline, verbose=0).dtype == np.float32
    whole, other = (model.encode_quickly(SPINS.astype(name))[0] for name in ("float32", kind))
    np.testing.assert_allclose(other, whole, atol=rel)


def test_validation_split(model):
    model.compile(FusedAdam(1e-3), run_eagerly=True)
    history = model.fit(SPINS, batch_size=4, validation_split=1 / 3, verbose=0).history
    held_back = model.evaluate(SPINS[6:], verbose=0, return_dict=True)
    # The other losses depend on the noise.
    assert history["val_kl_loss"] == [pytest.approx(held_back["kl_loss"])]


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_frozen_part_stays_as_it_is(model, part):
    """With its moving statistics, while the other part learns."""

    def outputs():
        return np.asarray(model.encode_quickly(SPINS)), model.decode_many(LATENT)

    getattr(model, part).trainable = False
    before = model.encoder.get_weights(), model.decoder.get_weights(), outputs()
    train(model)
    after = model.encoder.get_weights(), model.decoder.get_weights(), outputs()
    frozen, other = (0, 1) if part == "encoder" else (1, 0)
    assert all(map(np.array_equal, before[frozen], after[frozen]))
    np.testing.assert_array_equal(before[2][frozen], after[2][frozen])
    assert np.abs(before[2][other] - after[2][other]).max() > 1e-4


def test_frozen_forms_agree():
    """Frozen normalisations have their own statistics in both forms, whatever the batch is."""
    losses = []
    for phases in (True, False):
        model = EVAE(SHAPE, 4, phases=phases)
        for layer in (*model.encoder.layers, *model.decoder.layers):
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        losses.append(train(model))
    same_losses(*losses, rel=1e-3)


def test_frozen_model_does_not_learn(model):
    model.trainable = False
    before = model.get_weights()
    train(model)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_export(model, tmp_path):
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for count in (5, 1):
        np.testing.assert_allclose(exported.serve(SPINS[:count]), model(SPINS[:count]), atol=1e-5)


def test_callbacks(model, tmp_path):
    checkpoint = tmp_path / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e3, factor=0.1),
        keras.callbacks.ModelCheckpoint(checkpoint, "loss", save_weights_only=True),
    ]
    model.compile(FusedAdam(1e-3), run_eagerly=True)
    history = model.fit(SPINS, batch_size=4, epochs=5, verbose=0, callbacks=callbacks).history
    assert history["learning_rate"] == pytest.approx([1e-3, 1e-3]) and float(model.optimizer.learning_rate) < 2e-4
    assert float(model.gamma) == 0.5
    last = EVAE(SHAPE, 4, seed=1, phases=model.phases)
    last.load_weights(checkpoint)
    # The best weights are those of the first epoch, the file's those of the second.
    assert np.abs(last.decode_many(LATENT) - model.decode_many(LATENT)).max() > 0


def test_backup_and_restore(model, tmp_path):
    def fail(epoch, logs):
        if epoch == 2:
            raise RuntimeError("stopped")

    def fit(*others):
        backup = keras.callbacks.BackupAndRestore(tmp_path)
        return model.fit(SPINS, batch_size=4, epochs=3, verbose=0, callbacks=[backup, *others])

    model.compile(FusedAdam(1e-3), run_eagerly=True)
    with pytest.raises(RuntimeError, match="stopped"):
        fit(keras.callbacks.LambdaCallback(on_epoch_begin=fail))
    assert fit().epoch == [2]


def test_loaded_weights_leave_beta_and_gamma(model, tmp_path):
    """Those of a VAE do not make a VAE of an E-VAE."""
    vae = EVAE(SHAPE, 4, beta=1e-4, gamma=0.0, seed=1)
    vae.save_weights(tmp_path / "vae.weights.h5")
    model.load_weights(tmp_path / "vae.weights.h5")
    assert float(model.beta) == pytest.approx(1e-2) and float(model.gamma) == 0.5
    np.testing.assert_allclose(model.decode_many(LATENT), vae.decode_many(LATENT), atol=1e-4)
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
        ("LossScaleOptimizer", {"optimizer": keras.optimizers.LossScaleOptimizer(ADAM())}),
        ("loss_scale_factor", {"optimizer": ADAM(loss_scale_factor=2.0)}),
    ],
)
def test_refused_at_compilation(model, name, switches):
    with refused(name):
        model.compile(**switches)
    model.compile("adam", metrics=[])


ONES = np.ones(9)
PAIRS = tf.data.Dataset.from_tensors((SPINS, SPINS))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("y", lambda model: model.fit(SPINS, SPINS)),
        ("y", lambda model: model.fit(PAIRS, verbose=0)),
        ("y", lambda model: model.evaluate(SPINS, SPINS)),
        ("y", lambda model: model.test_on_batch(SPINS, SPINS)),
        ("y", lambda model: model.fit(SPINS, validation_data=(SPINS, SPINS), verbose=0)),
        ("sample_weight", lambda model: model.fit(SPINS, sample_weight=ONES)),
        ("sample_weight", lambda model: model.train_on_batch(SPINS, sample_weight=ONES)),
        ("class_weight", lambda model: model.fit(SPINS, class_weight={0: 1.0})),
        ("class_weight", lambda model: model.train_on_batch(SPINS, class_weight={0: 1.0})),
        ("quantize", lambda model: model.quantize("int8")),
    ],
)
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_refused_beside_the_spins(model, name, call, run_eagerly):
    # A step that validation comes after would have to be compiled.
    model.compile("adam", run_eagerly=run_eagerly or name == "y")
    with refused(name):
        call(model)


@pytest.mark.parametrize("spins", [SPINS[:, :8], SPINS[..., :2], [SPINS, SPINS], {"spins": SPINS}], ids=range(4))
def test_other_spins_are_refused(model, spins):
    model.compile("adam", run_eagerly=True)
    with refused("x", r"must be spins of shape \(n, 16, 16, 3\), one array. Received: "):
        model.fit(spins, verbose=0)


def test_penalties_of_layers_are_refused(model):
    kernel = model.decoder.layers[1].kernel
    kernel.regularizer = keras.regularizers.L2(1.0)
    try:
        with refused("losses of layers"):
            train(model)
    finally:
        kernel.regularizer = None


@pytest.mark.parametrize("kind", ["mixed_float16", "float16", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("phases", [True, False])
def test_other_types_are_refused(kind, phases):
    words = r"must be float32; use EVAE\(precision=...\), or training.precision"
    with refused("dtype", words):
        EVAE(SHAPE, 4, phases=phases, dtype=kind)
    try:
        keras.config.set_dtype_policy(kind)
        with refused("(dtype|set_dtype_policy)", words):
            EVAE(SHAPE, 4, phases=phases)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_other_types_of_floatx_are_refused(kind):
    try:
        keras.config.set_floatx(kind)
        with refused("(dtype|set_floatx)", "must be float32"):
            EVAE(SHAPE, 4)
    finally:
        keras.config.set_floatx("float32")


def test_strategies_are_refused_without_replicas(model, monkeypatch):
    scope = types.SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: scope)
    for call in (lambda: EVAE(SHAPE, 4), lambda: model.fit(SPINS)):
        with pytest.raises(ValueError, match=r"\Atf.distribute: expected evae-train --strategy, [^\n]+ 2 replicas"):
            call()

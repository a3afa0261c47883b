from unittest.mock import MagicMock

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_evae.errors import NumericalError
from keras_evae.model.evae import EVAE
from keras_evae.runs.checkpoints import assign_values, read_values
from keras_evae.training.callbacks import BetaScheduler, GammaScheduler, KeepState, StopOnNonFinite
from tests.helpers.states import random_spins


def fresh_model():
    model = EVAE((16, 16), latent_dim=4)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def traced():
    """A model whose training is traced once for all tests, and the first values of its variables."""
    model = fresh_model()
    return model, read_values(model)


@pytest.fixture
def model(traced):
    """That model as it was at first."""
    model, values = traced
    assign_values(model, values)
    return model


@pytest.fixture(scope="module")
def spins():
    return random_spins(8, 16, 16).astype(np.float32)


def test_schedulers_set_the_weights_and_log_them(model, spins):
    callbacks = [BetaScheduler(lambda epoch: 10.0**-epoch), GammaScheduler(lambda epoch: 2.0 * epoch)]
    history = model.fit(spins, batch_size=4, initial_epoch=2, epochs=5, verbose=0, callbacks=callbacks).history
    assert history["beta"] == pytest.approx([1e-2, 1e-3, 1e-4])
    assert history["gamma"] == pytest.approx([4.0, 6.0, 8.0])
    assert float(model.gamma) == 8.0
    # The logged loss was made with the logged weights, not with those of the first trace.
    terms = [np.array(history[f"{name}_loss"]) for name in ("reconstruction", "kl", "hamiltonian")]
    expected = terms[0] + np.array(history["beta"]) * terms[1] + np.array(history["gamma"]) * terms[2]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


class AtStep(keras.callbacks.Callback):
    """Does something before a step."""

    def __init__(self, step, act):
        super().__init__()
        self.step, self.act = step, act

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.step:
            self.act(self.model)


def fit(model, spins, *callbacks):
    model.fit(spins, batch_size=4, epochs=1, shuffle=False, verbose=0, callbacks=[*callbacks, StopOnNonFinite()])


def test_nan_in_a_loss_stops_at_its_step(model, spins):
    poisoned = np.concatenate((spins, np.full_like(spins[:4], np.nan), spins))
    with pytest.raises(NumericalError, match="reconstruction_loss = nan.* after 3 steps of the optimiser"):
        fit(model, poisoned)


def test_infinite_loss_stops_at_its_step(model, spins):
    """The weighted sum overflows, its terms do not."""
    with pytest.raises(NumericalError, match="^loss = (nan|-?inf) after 2 steps"):
        fit(model, spins, AtStep(1, lambda model: model.gamma.assign(3e38)))
    watch = StopOnNonFinite()
    watch.set_model(model)
    with pytest.raises(NumericalError, match="^kl_loss = inf after"):
        watch.on_train_batch_end(0, {"loss": 1.0, "kl_loss": np.inf})


@tf.custom_gradient
def poison_gradient(values):
    return values, lambda upstream: upstream * np.float32(np.inf)


def test_gradient_alone_that_is_not_finite_stops_at_its_step(spins, monkeypatch):
    model = fresh_model()
    switch = tf.Variable(False)
    decode = model.run_decoder

    def poisoned(latent, training):
        return decode(tf.cond(switch, lambda: poison_gradient(latent), lambda: latent), training)

    monkeypatch.setattr(model, "run_decoder", poisoned)
    with pytest.raises(NumericalError, match=r"^the gradient of \S+/kernel.* is not finite after 2 steps"):
        fit(model, spins, AtStep(1, lambda _: switch.assign(True)))


def test_statistics_alone_that_are_not_finite_stop_at_their_step(model, spins):
    statistics = [variable for variable in model.non_trainable_variables if "moving_mean" in variable.path]
    with pytest.raises(NumericalError, match=r"^batch_normalization\w*/moving_mean is not finite after 2 steps"):
        fit(model, spins, AtStep(1, lambda _: statistics[2].assign(statistics[2] * np.inf)))


def test_validation_loss_that_is_not_finite_stops_at_the_end_of_the_epoch(model, spins):
    with pytest.raises(NumericalError, match="val_loss = nan.*in epoch 0"):
        model.fit(spins, batch_size=4, verbose=0, validation_data=(spins * np.nan,), callbacks=[StopOnNonFinite()])


def test_state_is_copied_at_each_epoch_and_written_when_due_and_when_asked(model, spins):
    written = []
    keep = KeepState(lambda epoch: epoch, written.append, 1e-9)
    model.fit(spins, batch_size=4, initial_epoch=3, epochs=5, verbose=0, callbacks=[keep])
    assert written == [4, 5]
    # What is on the disk already is not written again.
    keep.save()
    assert written == [4, 5]
    seldom = KeepState(lambda epoch: epoch, written.append, 60.0)
    model.fit(spins, batch_size=4, initial_epoch=5, epochs=7, verbose=0, callbacks=[seldom])
    assert written == [4, 5]
    seldom.save()
    assert written == [4, 5, 7]
    # A minute has sixty seconds.
    due = KeepState(lambda epoch: epoch, written.append, 1.0)
    due.written -= 61.0
    due.on_epoch_end(7)
    assert written[-1] == 8


def test_state_whose_writing_is_cut_short_can_be_written_again():
    write = MagicMock(side_effect=[KeyboardInterrupt, None])
    keep = KeepState(lambda epoch: epoch, write, 60.0)
    keep.on_epoch_end(0)
    with pytest.raises(KeyboardInterrupt):
        keep.save()
    keep.save()
    assert write.call_args_list == [((1,),), ((1,),)] and keep.state is None

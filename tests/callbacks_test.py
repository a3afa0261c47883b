import keras
import numpy as np
import pytest

from keras_evae.callbacks import BetaScheduler, GammaScheduler, StageProgress, StopOnNonFinite
from keras_evae.errors import NumericalError
from keras_evae.model import EVAE
from tests.states import random_spins


@pytest.fixture(scope="module")
def model():
    model = EVAE((16, 16), latent_dim=4)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
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


def test_nan_stops_at_its_step(model, spins):
    poisoned = np.concatenate((spins, np.full_like(spins[:4], np.nan), spins))
    with pytest.raises(NumericalError, match="= nan at step 2"):
        model.fit(poisoned, batch_size=4, epochs=1, shuffle=False, verbose=0, callbacks=[StopOnNonFinite()])


def test_progress_counts_every_step(model, spins, capsys):
    fresh = EVAE((16, 16), latent_dim=4)
    fresh.compile(optimizer=keras.optimizers.Adam(1e-3))
    with StageProgress("stage 1/1", steps=4) as progress:
        fresh.fit(spins, batch_size=4, epochs=2, verbose=0, callbacks=[progress])
    assert progress.bar.n == 4
    assert "stage 1/1" in capsys.readouterr().err

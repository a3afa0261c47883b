"""States that are drawn, relaxed, measured and filtered."""

import dataclasses

import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.errors import DataError
from keras_evae.evaluation import stable_states
from keras_evae.evaluation.stable_states import RECORD, Conditions, generate_stable, last_before_collapse
from keras_evae.minima.relaxation import TORQUE


def test_states_are_minima_and_the_record_says_what_they_are(run):
    found = generate_stable(run, 8, seed=0, prior="normal")
    assert found.spins.shape == (8, 32, 32, 3) and found.draws == 8
    states, hamiltonian = found.spins.astype(np.float64), run.hamiltonian
    np.testing.assert_allclose(found.record["energy_per_site"], hamiltonian.energy_per_site(states), atol=1e-12)
    assert hamiltonian.torque(states).max() < 1.05 * TORQUE
    np.testing.assert_allclose(found.record["charge"], topological_charge(states), atol=1e-9)
    as_drawn = generate_stable(run, 8, seed=0, prior="normal", relax=False)
    assert np.all(as_drawn.record["change"] == 0) and np.all(as_drawn.record["torque"] > found.record["torque"])
    np.testing.assert_array_equal(found.record["energy_generated"], as_drawn.record["energy_per_site"])
    np.testing.assert_array_equal(found.record["charge_generated"], as_drawn.record["charge"])
    change = np.sum((found.spins - as_drawn.spins) ** 2, axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(found.record["change"], change, rtol=1e-5)


def test_filter_keeps_exactly_what_fulfils_the_conditions_and_seeds(run):
    everything = generate_stable(run, 60, seed=1, prior="normal", relax=False).record
    charge = int(np.rint(np.median(everything["charge"])))
    bound = float(np.median(everything["energy_per_site"]))
    defects = int(np.median(everything["defects"]))
    fits = (np.rint(everything["charge"]) == charge) & (everything["energy_per_site"] < bound)
    fits &= everything["defects"] <= defects
    n = int(fits.sum())
    assert 0 < n < 60
    conditions = {"charge": charge, "energy_below": bound, "defects": defects}
    found = generate_stable(run, n, seed=1, prior="normal", relax=False, **conditions)
    np.testing.assert_array_equal(found.record, everything[fits])
    assert found.draws == np.flatnonzero(fits)[-1] + 1
    first, again, other = (
        generate_stable(run, n, seed, "normal", False).spins for n, seed in ((3, 0), (101, 0), (3, 1))
    )
    np.testing.assert_array_equal(first, again[:3])
    assert np.abs(first - other).max() > 1e-3
    # A further chunk has further states.
    assert np.abs(again[100] - again[0]).max() > 1e-3
    draws = [generate_stable(run, 2, prior="normal", relax=False).spins for _ in range(2)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-3


def test_conditions_and_states_that_are_no_minima(run, monkeypatch):
    record = np.zeros(5, RECORD)
    record["charge"], record["defects"] = [-2.2, 2, -2, -2, -2], [1, 1, 0, 2, 1]
    record["energy_per_site"] = [-2.1, -2.1, -2.1, -2.1, -1.9]
    assert Conditions(-2, 1, -2.0).fulfilled(record).tolist() == [True, False, True, False, False]
    monkeypatch.setattr(stable_states, "relax_states", lambda states, hamiltonian: states)
    with pytest.raises(DataError, match="found 0 among 100 draws"):
        generate_stable(run, 1, seed=0, prior="normal", limit=1)


@pytest.mark.parametrize(("likeness", "expected"), [((1e-5, 1e-5, 1e-9), 1), ((1e-5, 1e-5, 1e-5), 2)])
def test_stage_before_the_collapse(run, likeness, expected):
    """The last one, where no stage has collapsed. The ladder of gamma is 0, 10, 1000."""
    ladder = run.stages[1:]
    stages = [
        dataclasses.replace(stage, metrics={**stage.metrics, "generated": {"fft_mse": value}})
        for stage, value in zip(ladder, likeness, strict=True)
    ]
    chosen = last_before_collapse(dataclasses.replace(run, stages=(run.stages[0], *stages)))
    assert chosen.selected.name == ladder[expected].name

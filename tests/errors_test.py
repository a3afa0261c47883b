"""Numbers of all types are the numbers that they stand for, wherever the package takes one; so are spins."""

import numpy as np
import pytest

from keras_evae import AnnealingSchedule, Hamiltonian, anneal, anneal_many, relax
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from tests.helpers.states import random_spins

INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.array]
SHORT = AnnealingSchedule(temperatures=2, over_relaxation=1, max_greedy_sweeps=3)
SHAPE = (8, 6)


@pytest.mark.parametrize("type_", INTEGERS)
def test_integers(type_):
    """A product of two numbers of the type, or one with 2^16, must not overflow."""
    expected = anneal(Hamiltonian(), SHAPE, SHORT, seed=101, index=103)
    shape = tuple(map(type_, SHAPE))
    schedule = AnnealingSchedule(temperatures=type_(2), over_relaxation=type_(1), max_greedy_sweeps=type_(3))
    assert schedule == SHORT and repr(schedule) == repr(SHORT)
    many = anneal_many(Hamiltonian(), shape, type_(1), SHORT, type_(101), workers=type_(1), start=type_(103))
    for spins in (anneal(Hamiltonian(), shape, schedule, type_(101), type_(103)), *many):
        np.testing.assert_array_equal(spins, expected)
    relaxed = relax(Hamiltonian(), expected, max_sweeps=type_(5))
    np.testing.assert_array_equal(relaxed[0], relax(Hamiltonian(), expected, max_sweeps=5)[0])
    lattice, other = (MonteCarlo(Hamiltonian(), SHAPE, seed, 103) for seed in (101, type_(101)))
    lattice.heat_bath(1.0, 2, 3)
    other.heat_bath(1.0, type_(2), type_(3))
    np.testing.assert_array_equal(lattice.spins, other.spins)


@pytest.mark.parametrize("value", ["1", True, np.True_, None, np.nan, np.inf, 1j, np.complex64(1), np.ones(1)])
def test_no_numbers(value):
    with pytest.raises(ValueError, match="`B` must be a finite number"):
        Hamiltonian(B=value)
    with pytest.raises(ValueError, match="`J` must be a number of at most 1e.06 in magnitude"):
        Hamiltonian(J=1e39)
    for name, wrong in (("seed", value), ("index", value), ("seed", 1.0), ("seed", np.float32(1)), ("seed", -1)):
        with pytest.raises(ValueError, match=f"`{name}` must be an integer"):
            anneal(Hamiltonian(), SHAPE, SHORT, **{name: wrong})


@pytest.mark.parametrize(
    ("type_", "result", "error"),
    [(np.float16, np.float32, 1e-3), (np.float32, np.float32, 1e-6), (np.float64, np.float64, 1e-14),
     (np.longdouble, np.float64, 1e-14), (">f4", np.float32, 1e-6), (">f8", np.float64, 1e-14)],
)  # fmt: skip
def test_spins(type_, result, error):
    """What half precision holds, 65,504 at most and three digits, is the energy of a few thousand sites."""
    spins, hamiltonian = random_spins(256, 256), Hamiltonian(K=0.1, J2=0.2)
    given = spins.astype(type_)
    energy, field = hamiltonian.energy_per_site(given), hamiltonian.effective_field(given)
    assert energy.dtype == field.dtype == result and field.dtype.isnative
    assert energy == pytest.approx(hamiltonian.energy_per_site(spins), abs=error)
    np.testing.assert_allclose(field, hamiltonian.effective_field(spins), atol=10 * error)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "int32"])
def test_tensors_of_any_type(name):
    import tensorflow as tf

    up = tf.one_hot(tf.fill((16, 32), 2), 3, dtype=name)
    assert float(Hamiltonian().energy_per_site(up)) == pytest.approx(-2.05, abs=1e-6)

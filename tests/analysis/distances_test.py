import numpy as np
import pytest

from keras_evae.analysis import wasserstein


def configurations(mean, count=50, each=20, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    return [mean + spread * random.normal(size=each) for _ in range(count)]


def test_shift_is_the_distance():
    values = configurations(0.0)
    distance, error = wasserstein(values, [part + 3.0 for part in values])
    assert distance == pytest.approx(3.0) and 0.0 < error < 0.2


def test_equal_sets_have_none():
    values = configurations(0.0)
    assert wasserstein(values, values)[0] == 0.0


def test_error_is_that_of_independent_draws():
    drawn = [wasserstein(configurations(0, seed=2 * k), configurations(2, seed=2 * k + 1)) for k in range(40)]
    distances, errors = np.array(drawn).T
    assert distances.mean() == pytest.approx(2.0, abs=0.02)
    # Here W is the difference of the means, so that the bootstrap is unbiased.
    assert errors.mean() == pytest.approx(distances.std(), rel=0.35)


def test_values_of_one_configuration_are_not_independent():
    # Each configuration has one value, said 20 times: the error must not shrink by sqrt(20).
    once = [np.array([value]) for value in np.random.default_rng(0).normal(size=50)]
    far = [value + 5.0 for value in once]
    repeated = wasserstein([np.repeat(v, 20) for v in once], [np.repeat(v, 20) for v in far])
    assert repeated == pytest.approx(wasserstein(once, far))


def test_same_seed_same_error():
    first, second = configurations(0.0), configurations(1.0, seed=1)
    assert wasserstein(first, second, seed=3) == wasserstein(first, second, seed=3)
    assert wasserstein(first, second, seed=3)[1] != wasserstein(first, second, seed=4)[1]


def test_configurations_without_values():
    nothing = [np.zeros(0)] * 3
    assert np.isnan(wasserstein(nothing, [np.ones(1)])).all()
    assert np.isnan(wasserstein([], [np.ones(1)])).all()
    distance, error = wasserstein([*nothing, np.zeros(1)], [np.ones(1)])
    assert distance == 1.0 and error == 0.0

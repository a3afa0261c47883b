"""Autocorrelation times and errors of a series whose correlations are known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from keras_evae.monte_carlo.autocorrelation import autocorrelation_time, mean_and_error


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_series_that_forgets_at_a_known_rate(memory):
    """x' = memory x + noise has tau = (1 + memory) / (1 - memory) / 2; means of 200 of them scatter as their errors."""
    noise = np.random.default_rng(1).normal(size=(200, 5000))
    series = lfilter([1.0], [1.0, -memory], noise)[:, 500:]
    times = np.array([autocorrelation_time(each) for each in series])
    exact = (1 + memory) / (1 - memory) / 2
    # A window of 6 tau misses exp(-6) of it, and the largest sum up to there is a little too large.
    assert abs(times.mean() / exact - 1) < 0.1 and times.std() < 0.3 * exact
    means, errors = np.array([mean_and_error(each) for each in series]).T
    assert 0.8 < (means / errors).std() < 1.2


def test_series_without_fluctuations_and_too_short_ones():
    assert autocorrelation_time(np.full(10, 0.1)) == 0.5 and mean_and_error(np.full(10, 2.0)) == (2.0, 0.0)
    assert np.isnan(mean_and_error(np.empty(0))).all() and np.isnan(mean_and_error(np.ones(1))[1])
    # A drift is no equilibrium: its time is a share of the length.
    assert autocorrelation_time(np.arange(1000.0)) > 100

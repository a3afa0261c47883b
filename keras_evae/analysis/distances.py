"""How far the distributions of two sets of configurations lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def wasserstein(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], resamples: int = 100, seed: int = 0
) -> tuple[float, float]:
    """Wasserstein distance of two distributions, W = integral of |F_1(v) - F_2(v)| dv, and its standard error.

    F is the share of values below v, all values of all configurations taken together. W has the units of the values;
    it is the mean distance over which values must be moved to make one distribution of the other. The error is the
    standard deviation of W over bootstrap samples, in which whole configurations are drawn with replacement, for
    values of one configuration are not independent. Two finite samples of one distribution have a W above zero.

    Args:
        first, second: For each configuration its values, any number of them, none too.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap samples.

    Returns:
        W and its error; NaN if one side has no value at all.

    Example:

    >>> wasserstein([np.array([0.0, 1.0])], [np.array([0.5, 1.5])])
    (0.5, 0.0)
    """
    random = np.random.default_rng(seed)
    first, second = ([np.ravel(values) for values in side] for side in (first, second))
    samples = [
        _distance(*([side[index] for index in random.integers(0, len(side), len(side))] for side in (first, second)))
        for _ in range(resamples if first and second else 0)
    ]
    # A sample may happen to have no values, where few configurations have any.
    samples = [distance for distance in samples if not np.isnan(distance)]
    return _distance(first, second), float(np.std(samples)) if samples else np.nan


def _distance(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    if not sum(map(len, first)) or not sum(map(len, second)):
        return np.nan
    # Imported late: it takes half a second, and all of `analysis` would wait for it.
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(np.concatenate(first), np.concatenate(second)))

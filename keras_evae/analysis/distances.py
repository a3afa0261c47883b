"""How alike sets of states are: FFT-MSE of Figure 5B, Wasserstein distances of what is measured on them."""

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


def fft_mse(spins: np.ndarray, complex: bool = False) -> float:
    """Mean squared difference between the Fourier transforms of S_z, over all pairs of states.

    `FFT-MSE = < mean_k (a_k - b_k)^2 >` over all pairs of different states, with `a = |FFT2(S_z)| / N` and N
    the number of sites that carry a spin. The magnitude makes it blind to translations. It is zero when all states are
    the same, up to a translation.

    Args:
        spins: At least two states, `(n, y, x, 3)`; zero vectors where there is no spin.
        complex: Compare the transforms themselves, `|a_k - b_k|^2`, which also sees translations.

    Returns:
        A non-negative number.

    Example:

    >>> state = np.random.default_rng(0).normal(size=(32, 32, 3))
    >>> bool(fft_mse(np.stack([state, np.roll(state, 5, axis=0)])) < 1e-30)
    True
    """
    spins = np.asarray(spins)
    if spins.ndim != 4 or spins.shape[-1] != 3 or len(spins) < 2:
        raise ValueError(f"`spins` must be at least two states, (n, y, x, 3). Received: shape={spins.shape}")
    transforms = np.fft.fft2(spins[..., 2].astype(np.float64)) / np.count_nonzero(spins.any(axis=(0, -1)))
    if not complex:
        transforms = np.abs(transforms)
    # The mean over pairs of |a - b|^2 is twice the unbiased variance: no need to form the pairs.
    deviations = transforms - transforms.mean(axis=0)
    return float(2.0 * np.sum(np.abs(deviations) ** 2) / (len(spins) - 1) / transforms[0].size)

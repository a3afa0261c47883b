"""Similarity of states in reciprocal space (Figure 5B of the paper)."""

from __future__ import annotations

import numpy as np


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

"""Where the posterior of a VAE will collapse, from the principal components of its data.

Up to a factor, L_RC + beta L_KL is the negative evidence bound of a decoder with Gaussian noise of variance s^2:

    |S_in - S_out|^2 / (2 s^2) + L_KL  =  (L_RC + beta L_KL) / beta        with 2 s^2 = beta N

because L_RC is the squared distance divided by N, the number of sites that carry a spin. The optimum of a linear VAE
is probabilistic principal component analysis: components of the data with a variance above s^2 are encoded, those
below are taken for noise and ignored. So nothing is encoded, and the posterior collapses, beyond

    beta_c = 2 lambda / N

with lambda the largest eigenvalue of the covariance of the flattened spins. The encoder and decoder here are not
linear, so this is an estimate.

Reference:
    - Lucas, Tucker, Grosse, Norouzi, "Don't blame the ELBO! A linear VAE perspective on posterior collapse" (2019).
    - Tipping and Bishop, "Probabilistic principal component analysis", J. R. Stat. Soc. B 61, 611 (1999).
"""

import numpy as np
from scipy.linalg import eigh

# Configurations that are enough for an estimate.
SAMPLES = 1000


def critical_beta(spins: np.ndarray, periodic: tuple[bool, bool]) -> float:
    """Estimate of the beta beyond which the posterior collapses.

    Annealed states on a lattice that is periodic along both axes are equally likely everywhere on it, whether or not
    they are translated in training; there the few samples give the covariance averaged over translations. Otherwise
    the covariance is taken as it is, which overestimates beta_c where samples are few beside the components.
    Either way the largest of many components that are equal by symmetry lies somewhat above their common value.

    Args:
        spins: Unit vectors `(n, y, x, 3)`; `SAMPLES` of them are enough. Zero vectors where there is no spin; then
            translations are no symmetry, and the covariance is taken as it is.
        periodic: Whether the y and the x axis close on themselves.
    """
    present = spins[0].any(axis=-1)
    component = largest_fourier_component if all(periodic) and present.all() else largest_component
    return 2.0 * component(spins) / float(present.mean())


def largest_component(spins: np.ndarray) -> float:
    """Largest eigenvalue of the covariance of the flattened spins, divided by the number of sites.

    Found from the `(n, n)` matrix of scalar products between samples, which has the same eigenvalues.

    Args:
        spins: `(n, y, x, 3)`; the time grows as n^2 y x, so take at most about a thousand samples.
    """
    count, height, width, _ = spins.shape
    products = np.zeros((count, count))
    for row in range(height):
        part = spins[:, row].reshape(count, -1).astype(np.float64)
        products += part @ part.T
    means = products.mean(axis=0)
    products += means.mean() - means[:, None] - means[None, :]
    last = count - 1
    return float(eigh(products, eigvals_only=True, subset_by_index=(last, last))[0]) / count / (height * width)


def largest_fourier_component(spins: np.ndarray, batch_size: int = 100) -> float:
    """The same for the samples and all their translations, which are not formed.

    The components are then plane waves. With the transforms S_a(q) = sum_r S_a(r) exp(-i q r), the mean taken out at
    q = 0, the eigenvalues are those of the 3x3 matrices < S_a(q)* S_b(q) > / N at each q. A wave at q and the one at -q
    have the same matrix up to conjugation: together they are two real components, each with the whole eigenvalue.

    Args:
        spins: `(n, y, x, 3)`, periodic along both axes.
        batch_size: Configurations that are transformed at once.

    Returns:
        The maximum over q of the largest eigenvalue, divided by the number of sites N.
    """
    count, height, width, _ = spins.shape
    sites = height * width
    power = np.zeros((height, width // 2 + 1, 3, 3), np.complex128)
    for start in range(0, count, batch_size):
        waves = np.fft.rfft2(spins[start : start + batch_size], axes=(1, 2)) / sites
        power += np.einsum("nyxa,nyxb->yxab", waves.conj(), waves)
    mean = np.mean(spins, axis=(0, 1, 2), dtype=np.float64)
    power /= count
    power[0, 0] -= np.outer(mean, mean)
    return float(np.linalg.eigvalsh(power)[..., -1].max())

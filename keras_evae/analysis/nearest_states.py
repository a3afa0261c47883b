"""How far many states are from many others, up to the symmetries of the energy: copies of given states show."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.fft import irfft2, rfft2

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.symmetry import apply_point_operation, point_group, translation_steps

# Pairs whose correlations are in memory at a time: they fit into the processor's cache.
CHUNK = 16


def symmetric_distances(states: np.ndarray, others: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Mean over sites of |S - S'|^2 for each state and each other one, where the symmetries bring both closest.

    The symmetries are those of `keras_evae.analysis.align`: the joint point group of lattice and spins, and the
    translations along closed axes. The sum over sites of S . S' for all translations at once is a cross-correlation,
    from three Fourier transforms; its maximum gives the distance. Between the sites it is continued by parabolas:
    smooth states slide by fractions of a site at almost no cost of energy.

    Args:
        states: `(n, y, x, 3)`.
        others: `(m, y, x, 3)`.
        hamiltonian: Gives the symmetries, and the sites that carry a spin.

    Returns:
        Distances, `(n, m)` float64, from 0 to 4.

    Example:

    >>> state = np.random.default_rng(0).normal(size=(1, 16, 32, 3))
    >>> state /= np.linalg.norm(state, axis=-1, keepdims=True)
    >>> bool(symmetric_distances(state, np.roll(state, 3, axis=1), Hamiltonian())[0, 0] < 1e-5)
    True
    """
    steps = translation_steps(hamiltonian, states.shape[1:3])
    spectra = _transform(others)
    overlaps = _of_each(states, hamiltonian, lambda images: _overlaps(images, spectra, states.shape[1:3], steps))
    sums = _squares(states)[:, None] + _squares(others) - 2.0 * overlaps
    return np.maximum(sums, 0.0) / hamiltonian.count_sites(states.shape[1:3])


def nearest_distances(
    states: np.ndarray, others: np.ndarray, hamiltonian: Hamiltonian, candidates: int = 16
) -> np.ndarray:
    """Distance of each state from the nearest of many others, as `symmetric_distances` has it, `(n,)` float64.

    All others are compared by their long waves, |q_y| and |q_x| below pi / 2, at every second site; the candidates
    that come closest there by all waves at all sites. The result is never below the true distance.

    Args:
        states: `(n, y, x, 3)`.
        others: `(m, y, x, 3)`; half their memory is needed besides.
        hamiltonian: Gives the symmetries. With a mask or open edges all others are compared in full.
        candidates: Others that are compared in full.
    """
    height, width = states.shape[1:3]
    if len(others) <= candidates or translation_steps(hamiltonian, (height, width)) != (1, 1):
        blocks = (others[start : start + CHUNK] for start in range(0, len(others), CHUNK))
        return np.min([symmetric_distances(states, block, hamiltonian).min(axis=1) for block in blocks], axis=0)
    parts = range(0, len(others), CHUNK)
    coarse = np.concatenate([_long_waves(_transform(others[start : start + CHUNK])) for start in parts])

    def closest(images: np.ndarray) -> np.ndarray:
        rough = _overlaps(_long_waves(images), coarse, (height // 4 * 2, width // 4 * 2), (1, 1))
        return np.argsort(-rough, kind="stable")[:candidates]

    pairs = zip(states, _of_each(states, hamiltonian, closest), strict=True)
    return np.array([symmetric_distances(state[None], others[near], hamiltonian).min() for state, near in pairs])


def _of_each(states: np.ndarray, hamiltonian: Hamiltonian, measure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What is measured on the transforms `(operations, 3, y, x // 2 + 1)` of the images of each state."""
    operations = point_group(hamiltonian, states.shape[1:3])

    def of_one(state: np.ndarray) -> np.ndarray:
        images = np.stack([apply_point_operation(state, operation, hamiltonian.dmi) for operation in operations])
        return measure(_transform(images))

    with ThreadPoolExecutor(usable_cores()) as pool:
        return np.array(list(pool.map(of_one, states)))


def _overlaps(images: np.ndarray, others: np.ndarray, shape: tuple[int, int], steps: tuple[int, int]) -> np.ndarray:
    """Largest sum over sites of S . S' over images and translations by multiples of the steps, `(m,)`.

    Both are transforms, `(operations, 3, ...)` and `(m, 3, ...)`, on a lattice of this shape `(y, x)`.
    """
    best = np.full(len(others), -np.inf)
    for image in images.conj():
        for start in range(0, len(others), CHUNK):
            # One component after the other is several times faster than einsum.
            spectrum = sum(image[axis] * others[start : start + CHUNK, axis] for axis in range(3))
            correlation = irfft2(spectrum, shape)[:, :: steps[0], :: steps[1]]
            part = best[start : start + CHUNK]
            np.maximum(part, _peaks(correlation, (steps[0] == 1, steps[1] == 1)), out=part)
    return best


def _peaks(correlation: np.ndarray, free: tuple[bool, bool]) -> np.ndarray:
    """Maxima of correlations `(m, y, x)`, continued along the free axes by the parabola through their neighbours."""
    height, width = correlation.shape[1:]
    number = np.arange(len(correlation))
    y, x = np.divmod(correlation.reshape(len(correlation), -1).argmax(axis=1), width)
    peak = correlation[number, y, x].astype(np.float64)
    for step_y, step_x in [(1, 0)] * free[0] + [(0, 1)] * free[1]:
        before = correlation[number, y - step_y, x - step_x]
        after = correlation[number, (y + step_y) % height, (x + step_x) % width]
        curvature = 2.0 * correlation[number, y, x] - before - after
        # Uniform states have neither slope nor curvature.
        peak += (after - before) ** 2 / (8.0 * np.maximum(curvature, np.finfo(np.float32).tiny))
    return peak


def _transform(states: np.ndarray) -> np.ndarray:
    """Fourier transforms of states `(..., y, x, 3)`, components first: `(..., 3, y, x // 2 + 1)`, complex64."""
    return rfft2(np.moveaxis(np.asarray(states, np.float32), -1, -3))


def _long_waves(spectra: np.ndarray) -> np.ndarray:
    """The part of spectra with |q_y| and |q_x| up to pi / 2: those of lattices of half the sides."""
    quarter = spectra.shape[-2] // 4
    spectra = spectra[..., : spectra.shape[-1] // 2 + 1]
    return np.concatenate((spectra[..., :quarter, :], spectra[..., -quarter:, :]), axis=-2)


def _squares(states: np.ndarray) -> np.ndarray:
    """Sum over sites of |S|^2, `(n,)`."""
    return np.array([np.sum(np.square(state, dtype=np.float64)) for state in states])

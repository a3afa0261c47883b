"""Two configurations brought together by the symmetries of the energy: whether they are one state."""

import dataclasses

import numpy as np

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.symmetry import PointOperation, apply_point_operation, point_group, translation_steps

# Distances that differ by less are equal: configurations are stored in single precision.
ROUNDING = 1e-6
NEWTON_STEPS = 20


@dataclasses.dataclass(frozen=True)
class Alignment:
    """The symmetry that brings one configuration closest to another.

    Args:
        distance: Mean over the sites that carry a spin of |S - S'|^2 after it, between 0 and 4.
        shift: Translation `(y, x)` in sites, after the point operation.
        operation: Element of the joint point group of lattice and spins.
    """

    distance: float
    shift: tuple[float, float]
    operation: PointOperation


def align(spins: np.ndarray, target: np.ndarray, hamiltonian: Hamiltonian, sliding: bool = False) -> Alignment:
    """Smallest distance of a configuration from another one over all symmetries of the energy.

    The symmetries are the joint point group of lattice and spins, and all translations by whole sites along periodic
    axes, as far as they leave the mask as it is. The sum over sites of S . S' for all translations at once is a
    cross-correlation, from three Fourier transforms; since |S - S'|^2 = 2 - 2 S . S', its maximum is exactly the
    smallest distance. Of several symmetries that do equally well the first of the group is taken, so a translation
    alone wherever that is enough.

    A smooth texture that is large against the sites can also slide by fractions of one at almost no cost of energy,
    which no symmetry of the lattice undoes. With `sliding` the best translation is refined to fractions of a site:
    configurations are continued between the sites by their Fourier series.

    Args:
        spins, target: Unit vectors of one configuration each, `(y, x, 3)`.
        hamiltonian: Gives boundary and type of interaction, and with them the symmetries.
        sliding: Take fractions of a site as translations too.

    Raises:
        ValueError: For configurations that do not have the same shape `(y, x, 3)`.

    Example:

    >>> state = np.random.default_rng(0).normal(size=(16, 32, 3))
    >>> state /= np.linalg.norm(state, axis=-1, keepdims=True)
    >>> align(state, np.roll(state, (3, 30), axis=(0, 1)), Hamiltonian()).shift
    (3, -2)
    """
    spins, target = (np.asarray(state, np.float64) for state in (spins, target))
    if spins.shape != target.shape or spins.ndim != 3 or spins.shape[-1] != 3:
        raise ValueError(
            f"Expected two configurations of one shape (y, x, 3). Received: shapes={spins.shape}, {target.shape}"
        )
    shape = spins.shape[0], spins.shape[1]
    operations, steps = point_group(hamiltonian, shape), translation_steps(hamiltonian, shape)
    sites = hamiltonian.count_sites(shape)
    images = [apply_point_operation(spins, operation, hamiltonian.dmi) for operation in operations]
    candidates = [_best_translation(image, target, steps, sites, sliding) for image in images]
    smallest = min(distance for distance, _ in candidates)
    index = next(index for index, (distance, _) in enumerate(candidates) if distance <= smallest + ROUNDING)
    return Alignment(*candidates[index], operations[index])


def _best_translation(
    spins: np.ndarray, target: np.ndarray, steps: tuple[int, int], sites: int, sliding: bool
) -> tuple[float, tuple[float, float]]:
    """Smallest distance over the translations `(y, x)` by multiples of the steps, and the translation."""
    waves, target_waves = (np.fft.fft2(state, axes=(0, 1)) for state in (spins, target))
    spectrum = np.sum(target_waves * np.conj(waves), axis=-1)
    correlation = np.fft.ifft2(spectrum).real
    # Along an open axis the step is the whole side: nothing is moved.
    allowed = correlation[:: steps[0], :: steps[1]]
    best = np.unravel_index(np.argmax(allowed), allowed.shape)
    # The nearest images: from -side / 2 to below side / 2.
    shift_y, shift_x = (
        (int(number) * step + side // 2) % side - side // 2
        for number, step, side in zip(best, steps, correlation.shape, strict=True)
    )
    shift = (shift_y, shift_x)
    if sliding:
        free = steps[0] == 1, steps[1] == 1
        return _slide(spectrum, shift, float(np.sum(spins**2) + np.sum(target**2)), free, sites)
    distance = np.sum((np.roll(spins, shift, axis=(0, 1)) - target) ** 2) / sites
    return float(distance), shift


def _slide(
    spectrum: np.ndarray, start: tuple[int, int], squares: float, free: tuple[bool, bool], sites: int
) -> tuple[float, tuple[float, float]]:
    """The smallest distance within a site of `start`, moved along the `free` axes.

    `spectrum` is the Fourier transform of the cross-correlation, `squares` the sum of the squares of both.
    """
    shift = np.array(start, float)
    for _ in range(NEWTON_STEPS):
        _, gradient, hessian = _overlap(spectrum, shift)
        # Absolute curvatures: upwards in saddles too. Where the configurations are uniform there is no slope at all.
        curvatures, directions = np.linalg.eigh(hessian)
        scale = np.maximum(np.abs(curvatures), np.finfo(float).tiny)
        step = directions @ ((directions.T @ gradient) / scale) * free
        shift = np.clip(shift + step, np.array(start) - 1.0, np.array(start) + 1.0)
        if np.abs(step).max() < 1e-9:
            break
    whole, slid = (_overlap(spectrum, np.asarray(place, float))[0] for place in (start, shift))
    best, overlap = (shift, slid) if slid > whole else (np.array(start, float), whole)
    return max(float(squares - 2 * overlap) / sites, 0.0), (float(best[0]), float(best[1]))


def _overlap(spectrum: np.ndarray, shift: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Sum over sites of S . S' at a translation, its gradient `(2,)` and its Hessian `(2, 2)`."""
    waves_y, waves_x = (2j * np.pi * np.fft.fftfreq(side) for side in spectrum.shape)
    along_y, along_x = np.exp(waves_y * shift[0]), np.exp(waves_x * shift[1])
    # Moments of the waves along x, then along y.
    rows = [np.einsum("yx,x", spectrum, waves_x**power * along_x) for power in range(3)]
    moments = {(py, px): np.sum(waves_y**py * along_y * rows[px]).real / spectrum.size
               for py in range(3) for px in range(3 - py)}  # fmt: skip
    gradient = np.array([moments[1, 0], moments[0, 1]])
    hessian = np.array([[moments[2, 0], moments[1, 1]], [moments[1, 1], moments[0, 2]]])
    return moments[0, 0], gradient, hessian

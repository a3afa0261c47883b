"""What a sampler accepts and returns: shapes, temperatures, spins."""

import numpy as np

from keras_evae.errors import NumericalError
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import as_shape
from keras_evae.monte_carlo.streams import LANES

SMALLEST_PERIODIC_SIDE = 4


def finished_spins(hamiltonian: Hamiltonian, spins: np.ndarray) -> np.ndarray:
    """The spins of a sampler `(y, x, 3)` at unit length to the last bit, zero vectors outside of the mask.

    Raises:
        NumericalError: For NaN or infinity.
    """
    if not np.isfinite(spins).all():
        raise NumericalError(
            f"Expected finite spins, found NaN or Inf: {hamiltonian.describe()} exceeds single precision."
        )
    # The kernels' spins drift from unit length by about 1e-6.
    norms = np.sqrt(np.einsum("yxa,yxa->yx", spins, spins))
    if hamiltonian.mask is not None:
        norms[~hamiltonian.mask] = 1.0
    spins /= norms[..., None]
    return spins


def given_spins(hamiltonian: Hamiltonian, shape: tuple[int, int], spins: np.ndarray) -> np.ndarray:
    """Spins from outside, `(y, x, 3)` float32 at unit length, zero vectors outside of the mask.

    Raises:
        ValueError: If they have another shape, or are no unit vectors.
    """
    spins = np.asarray(spins, np.float32)
    if spins.shape != (*shape, 3):
        raise ValueError(f"Expected spins of shape {(*shape, 3)}. Received: shape={spins.shape}")
    norms = np.linalg.norm(spins, axis=-1)
    if hamiltonian.mask is not None:
        spins, norms = spins * hamiltonian.mask[..., None], np.where(hamiltonian.mask, norms, 1.0)
    if not np.all(np.abs(norms - 1.0) < 1e-2):
        raise ValueError(
            "Expected unit vectors; divide the spins by their norms. "
            f"Received: norms between {norms.min():g} and {norms.max():g}"
        )
    return spins / norms[..., None]


def check_temperatures(temperatures: float | np.ndarray) -> np.ndarray:
    """The temperatures, `(n,)` float32, or a ValueError unless all are finite and above 0."""
    temperatures = np.atleast_1d(np.asarray(temperatures, np.float32))
    if not (np.isfinite(temperatures).all() and (temperatures > 0).all()):
        raise ValueError(f"Expected finite temperatures above 0. Received: temperature={temperatures.tolist()}")
    return temperatures


def check_shape(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns as integers, or a ValueError if the colours or the mask do not fit on them."""
    shape = as_shape("shape", shape)
    hamiltonian.check_lattice(shape)
    if hamiltonian.further_terms:
        return _check_general_shape(hamiltonian, shape)
    for axis, side, periodic, even in zip("yx", shape, hamiltonian.periodic, (False, True), strict=True):
        even = even or periodic
        least = SMALLEST_PERIODIC_SIDE if periodic else 1 + even
        if side < least or (even and side % 2):
            kind = "periodic" if periodic else "open"
            raise ValueError(
                f"Expected {'an even number' if even else 'a number'} of sites along the {kind} {axis} axis, at least "
                f"{least}; change that side. Received: shape={tuple(shape)}"
            )
    if shape[1] > 2 * LANES:
        raise ValueError(f"Expected at most {2 * LANES} columns; transpose the lattice. Received: shape={tuple(shape)}")
    return shape


def _check_general_shape(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    for axis, side, periodic in zip("yx", shape, hamiltonian.periodic, strict=True):
        least = hamiltonian.reach + 1 if periodic else 1
        if side < least:
            raise ValueError(
                f"Expected at least {least} sites along the {'periodic' if periodic else 'open'} {axis} axis, where "
                f"interactions reach {hamiltonian.reach} sites far. Received: shape={tuple(shape)}"
            )
    # Looks at the terms, too.
    hamiltonian.lattice(shape)
    return shape

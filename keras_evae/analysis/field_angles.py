"""Spins against their effective fields (Figure 3 of the paper): the angles between them, and their cosines."""

import numpy as np

from keras_evae.hamiltonian import Hamiltonian


def field_angle(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Angle theta between each spin and the effective field on it, the variable of Figure 3B.

    `theta = atan2(|S x h|, S.h)`: as exact at small angles as the spins themselves. An arc cosine would not be; near 1
    a float32 cosine knows the angle to 3e-4 only.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`.
        hamiltonian: Gives the effective field.

    Returns:
        Angles `(..., y, x)` in radians, between 0 and pi; 0 everywhere in a relaxed state, and pi/2 where the field
        vanishes and no angle is defined. NaN on sites that the Hamiltonian's mask leaves out: take means of
        `hamiltonian.on_sites(angle)`.
    """
    field = hamiltonian.effective_field(spins)
    torque = hamiltonian.torque(spins, field)
    (sx, sy, sz), (hx, hy, hz) = (np.moveaxis(vectors, -1, 0) for vectors in (spins, field))
    parallel = sx * hx + sy * hy + sz * hz
    angle = np.where((torque == 0) & (parallel == 0), np.pi / 2, np.arctan2(torque, parallel)).astype(field.dtype)
    if hamiltonian.mask is not None:
        angle[..., ~hamiltonian.mask] = np.nan
    return angle


def local_correlation(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Cosine of `field_angle`, the map of Figure 3A: `(..., y, x)`, from -1 to 1; 1 everywhere in a relaxed state."""
    return np.cos(field_angle(spins, hamiltonian))

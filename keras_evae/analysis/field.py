"""Spins against their effective fields (Figure 3 of the paper): angles, their cosines, torques."""

from __future__ import annotations

import numpy as np

from keras_evae.hamiltonian import Hamiltonian


def local_correlation(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Cosine of the angle between each spin and the effective field on it, the map of Figure 3A.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`.
        hamiltonian: Gives the effective field.

    Returns:
        `cos(theta)`, `(..., y, x)`, between -1 and 1; 1 everywhere in a relaxed state, and 0 where the field
        vanishes and no angle is defined. NaN on sites that the Hamiltonian's mask leaves out: take means of
        `hamiltonian.on_sites(correlation)`.
    """
    field = hamiltonian.effective_field(spins)
    length = np.linalg.norm(field, axis=-1) * np.linalg.norm(spins, axis=-1)
    parallel = np.sum(spins * field, axis=-1)
    cosine = np.clip(np.divide(parallel, length, out=np.zeros_like(parallel), where=length > 0), -1.0, 1.0)
    return _on_sites(cosine, hamiltonian)


def field_angle(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Angle theta between each spin and the effective field on it, the variable of Figure 3B.

    `theta = atan2(|S x h|, S.h)`: as exact at small angles as the spins themselves. The arc cosine of
    `local_correlation` is not; near 1 a float32 cosine knows the angle to 3e-4 only.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`.
        hamiltonian: Gives the effective field.

    Returns:
        Angles `(..., y, x)` in radians, between 0 and pi; 0 everywhere in a relaxed state, and pi/2 where the field
        vanishes and no angle is defined, as its cosine is 0 in `local_correlation`. NaN on absent sites, as there.
    """
    field = hamiltonian.effective_field(spins)
    # Written out: several times faster than np.cross on vectors side by side.
    (sx, sy, sz), (hx, hy, hz) = np.moveaxis(spins, -1, 0), np.moveaxis(field, -1, 0)
    torque = np.sqrt((sy * hz - sz * hy) ** 2 + (sz * hx - sx * hz) ** 2 + (sx * hy - sy * hx) ** 2)
    parallel = sx * hx + sy * hy + sz * hz
    angle = np.where((torque == 0) & (parallel == 0), np.pi / 2, np.arctan2(torque, parallel)).astype(field.dtype)
    return _on_sites(angle, hamiltonian)


def _on_sites(values: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Values `(..., y, x)`, NaN outside of the mask."""
    if hamiltonian.mask is not None:
        values[..., ~hamiltonian.mask] = np.nan
    return values


def torques_and_angles(spins: np.ndarray, hamiltonian: Hamiltonian) -> tuple[np.ndarray, np.ndarray]:
    """|S x h| and the angle between each spin S and its effective field h.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`.
        hamiltonian: Gives the effective field.

    Returns:
        Torques in units of the exchange constant and angles in rad from 0 to pi, both `(..., y, x)`.
    """
    field = hamiltonian.effective_field(spins)
    torques = np.linalg.norm(np.cross(spins, field), axis=-1)
    # Exact for small angles too, which the arc cosine is not.
    return torques, np.arctan2(torques, np.sum(spins * field, axis=-1))


def largest_torque(hamiltonian: Hamiltonian, spins: np.ndarray) -> float:
    """Largest |S x h| of a configuration `(y, x, 3)`, in units of the exchange constant; 0 in a minimum."""
    return float(np.linalg.norm(np.cross(spins, hamiltonian.effective_field(spins)), axis=-1).max())


def local_angles(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """Angles between spins and effective fields, in radians, of the sites of all configurations."""
    return np.arccos(hamiltonian.on_sites(local_correlation(spins.astype(np.float64), hamiltonian)))

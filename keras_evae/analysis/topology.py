"""Topological charge of a spin configuration on the lattice."""

from __future__ import annotations

import numpy as np


def topological_charge(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> np.ndarray:
    """Number of times the spins wrap the unit sphere, Q; a skyrmion with its core down in an up field has -1.

    Each square of four sites is cut into two triangles, and Q is the sum of the signed solid angles of the
    triangles' spins over 4 pi. On a lattice that is periodic along both axes Q is an exact integer.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`.
        periodic: Whether the y and the x axis close on themselves.

    Returns:
        Charges, `(...,)`, float64.

    Reference:
        - Berg and Luescher, Nucl. Phys. B 190, 412 (1981).
    """
    s1 = np.asarray(spins, dtype=np.float64)
    s2 = np.roll(s1, -1, axis=-2)
    s3 = np.roll(s2, -1, axis=-3)
    s4 = np.roll(s1, -1, axis=-3)
    angles = _solid_angle(s1, s2, s3) + _solid_angle(s1, s3, s4)
    rows, columns = (slice(None, None if closed else -1) for closed in periodic)
    return np.sum(angles[..., rows, columns], axis=(-2, -1)) / (4 * np.pi)


def _solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    volume = np.sum(a * np.cross(b, c), axis=-1)
    cosines = np.sum(a * b, axis=-1) + np.sum(b * c, axis=-1) + np.sum(c * a, axis=-1)
    return 2.0 * np.arctan2(volume, 1.0 + cosines)

"""Topological charge of a spin configuration on the lattice."""

from __future__ import annotations

import numpy as np


def topological_charge(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> np.ndarray:
    """Number of times the spins wrap the unit sphere, Q; a skyrmion with its core down in an up field has -1.

    Each square of four sites is cut into two triangles, and Q is the sum of the signed solid angles of the
    triangles' spins over 4 pi. On a lattice that is periodic along both axes Q is an exact integer. Triangles with an
    absent corner do not count.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`; zero vectors where there is no spin.
        periodic: Whether the y and the x axis close on themselves.

    Returns:
        Charges, `(...,)`, float64.

    Reference:
        - Berg and Luescher, Nucl. Phys. B 190, 412 (1981).
    """
    rows, columns = (slice(None, None if closed else -1) for closed in periodic)
    return np.sum(_square_angles(spins)[..., rows, columns], axis=(-2, -1)) / (4 * np.pi)


def charge_density(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> np.ndarray:
    """The charge of each square of four sites, at its lower left site, `(..., y, x)`; arguments as above.

    Their sum is the topological charge; squares across an open edge have none.
    """
    density = _square_angles(spins) / (4 * np.pi)
    for axis, closed in zip((-2, -1), periodic, strict=True):
        if not closed:
            np.moveaxis(density, axis, -1)[..., -1] = 0
    return density


def _square_angles(spins: np.ndarray) -> np.ndarray:
    """Signed solid angles `(..., y, x)` of the squares of four sites, as if both axes were closed."""
    # One contiguous plane for each component: several times faster than vectors side by side.
    s1 = np.ascontiguousarray(np.moveaxis(np.asarray(spins, dtype=np.float64), -1, 0))
    s2 = np.roll(s1, -1, axis=-1)
    s3 = np.roll(s2, -1, axis=-2)
    s4 = np.roll(s1, -1, axis=-2)
    diagonal = _dot(s1, s3)
    lower, upper = _solid_angle(s1, s2, s3, diagonal), _solid_angle(s3, s4, s1, diagonal)
    present = s1.any(axis=0)
    if not present.all():
        right, above = np.roll(present, -1, axis=-1), np.roll(present, -1, axis=-2)
        ends = present & np.roll(right, -1, axis=-2)
        lower, upper = lower * (ends & right), upper * (ends & above)
    return lower + upper


def _solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray, a_dot_c: np.ndarray) -> np.ndarray:
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    return 2.0 * np.arctan2(volume, 1.0 + _dot(a, b) + _dot(b, c) + a_dot_c)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

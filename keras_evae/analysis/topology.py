"""Topological charge of spin configurations on the lattice, its density, and staggered spins."""

import numpy as np

from keras_evae.hamiltonian import Hamiltonian

# Length of the sum of two spins below which they are opposite: a relaxed state knows its directions no better.
OPPOSITE = 1e-4
# Scalar product of spins that are looked at more closely.
NEARLY_OPPOSITE = -0.99


def topological_charge(
    spins: np.ndarray, periodic: tuple[bool, bool] = (True, True), staggered: bool = False
) -> np.ndarray:
    """Number of times the spins wrap the unit sphere, Q; a skyrmion with its core down in an up field has -1.

    Each square of four sites is cut into two triangles, and Q is the sum of the signed solid angles of the
    triangles' spins over 4 pi. On a lattice that is periodic along both axes Q is an exact integer. Triangles with an
    absent corner do not count.

    Between opposite spins there is no shortest way over the sphere, and no solid angle. States in which neighbours are
    opposite have no charge: NaN. In an antiferromagnet all neighbours are; its charge is the staggered one.

    Args:
        spins: Unit vectors, `(..., y, x, 3)`; zero vectors where there is no spin.
        periodic: Whether the y and the x axis close on themselves.
        staggered: The charge of `stagger(spins)`, for antiferromagnets (J < 0).

    Returns:
        Charges, `(...,)`, float64; NaN where they are not defined.

    Reference:
        - Berg and Luescher, Nucl. Phys. B 190, 412 (1981).
    """
    return np.sum(_square_angles(spins, periodic, staggered), axis=(-2, -1)) / (4 * np.pi)


def charge_density(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> np.ndarray:
    """The charge of each square of four sites, at its lower left site, `(..., y, x)`; arguments as above.

    Their sum is the topological charge; squares across an open edge have none.
    """
    return _square_angles(spins, periodic) / (4 * np.pi)


def _square_angles(spins: np.ndarray, periodic: tuple[bool, bool], staggered: bool = False) -> np.ndarray:
    """Signed solid angles `(..., y, x)` of the squares of four sites."""
    # One contiguous plane for each component: several times faster than vectors side by side.
    planes = np.ascontiguousarray(np.moveaxis(np.asarray(spins, dtype=np.float64), -1, 0))
    if staggered:
        planes *= _signs(planes.shape[-2:], periodic)
    return np.sum(solid_angles(planes, periodic), axis=0)


def charge_of(spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """`topological_charge` `(...,)` of states `(..., y, x, 3)` of a Hamiltonian: the staggered one for J < 0."""
    return topological_charge(spins, hamiltonian.periodic, staggered=hamiltonian.J < 0)


def stagger(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> np.ndarray:
    """The spins `(..., y, x, 3)`, those of every other site turned round as on a chess board, float64.

    NaN where a periodic axis has an odd number of sites: then the lattice has no two sublattices.
    """
    return np.asarray(spins, np.float64) * _signs(spins.shape[-3:-1], periodic)[..., None]


def _signs(shape: tuple[int, ...], periodic: tuple[bool, bool]) -> np.ndarray:
    if any(closed and side % 2 for side, closed in zip(shape, periodic, strict=True)):
        return np.full(shape, np.nan)
    return 1.0 - 2.0 * (np.add.outer(*map(np.arange, shape)) % 2)


def solid_angles(planes: np.ndarray, periodic: tuple[bool, bool]) -> np.ndarray:
    """Signed solid angles of the triangles, `(2, ..., y, x)`: of (s1, s2, s3) and of (s3, s4, s1) of each square.

    s1 is the site itself, s2 its right neighbour, s3 the one across the square and s4 the one above. Triangles with an
    absent corner, or beyond an open edge, have 0; those with opposite corners NaN.

    Args:
        planes: Unit vectors, components first, `(3, ..., y, x)`.
        periodic: Whether the y and the x axis close on themselves.
    """
    s1, s2, s3, s4 = _squares(planes)
    diagonal = _dot(s1, s3)
    angles = np.stack((_solid_angle(s1, s2, s3, diagonal), _solid_angle(s3, s4, s1, diagonal)))
    return np.where(whole_triangles((planes != 0).any(axis=0), periodic), angles, 0.0)


def whole_triangles(present: np.ndarray, periodic: tuple[bool, bool]) -> np.ndarray:
    """Whether the triangles of `solid_angles` have all corners, `(2, ..., y, x)`, for present sites `(..., y, x)`."""
    c1, c2, c3, c4 = _squares(present)
    whole = np.stack((c1 & c2 & c3, c3 & c4 & c1))
    for axis, closed in zip((-2, -1), periodic, strict=True):
        if not closed:
            np.moveaxis(whole, axis, 0)[-1] = False
    return whole


def _solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray, a_dot_c: np.ndarray) -> np.ndarray:
    a_dot_b, b_dot_c = _dot(a, b), _dot(b, c)
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    angles = 2.0 * np.arctan2(volume, 1.0 + a_dot_b + b_dot_c + a_dot_c)
    for first, second, dot in ((a, b, a_dot_b), (b, c, b_dot_c), (a, c, a_dot_c)):
        # Dots of spins in single precision are too coarse to decide.
        near = np.flatnonzero(dot < NEARLY_OPPOSITE)
        sums = first.reshape(3, -1)[:, near] + second.reshape(3, -1)[:, near]
        angles.ravel()[near[_dot(sums, sums) < OPPOSITE**2]] = np.nan
    return np.asarray(angles)


def _squares(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Values `(..., y, x)` at the four corners of the square above and to the right of each site."""
    right = np.roll(values, -1, axis=-1)
    return values, right, np.roll(right, -1, axis=-2), np.roll(values, -1, axis=-2)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])

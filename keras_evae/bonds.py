"""Bonds between nearest neighbours: exchange and Dzyaloshinskii-Moriya interaction, on arrays and tensors.

The convention is that of `keras_evae.hamiltonian`: the bonds of a site lead right and up, d_ij = z x r_ij or r_ij.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_evae.lattice import AXES

# Unit vectors of the bonds along the y and the x axis.
BOND_DIRECTIONS = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def coupling_matrix(J: float, D: float, dmi: str, axis: int) -> np.ndarray:
    """Matrix C `(3, 3)` of the bond from a site to its next neighbour along an axis (0: y, 1: x): E = -S_i . (C S_j).

    J on the diagonal and the Dzyaloshinskii-Moriya vector off it.
    """
    direction = np.array(BOND_DIRECTIONS[axis])
    d = np.cross((0.0, 0.0, 1.0), direction) if dmi == "neel" else direction
    # d.(S_i x S_j) = S_i.(S_j x d), and S_j x d is linear in S_j.
    return J * np.eye(3) + D * np.cross(np.eye(3), d).T


def bond_field(
    spins: Any, xp: Any, couplings: Sequence[np.ndarray], periodic: tuple[bool, bool], backward: bool
) -> Any:
    """Field on each site from its next (and previous, if `backward`) neighbours along both axes.

    Args:
        spins: `(..., y, x, 3)`.
        xp: NumPy for an array, TensorFlow for a tensor.
        couplings: Coupling matrix along y and along x.
        periodic: Whether the y and the x axis close on themselves.
        backward: Both bonds of each axis, for the effective field; or the next one alone, each bond once, for the
            energy.

    Returns:
        Fields of the shape of the spins.
    """
    field = 0.0
    for axis, (coupling, closed) in enumerate(zip(couplings, periodic, strict=True)):
        for shift in (-1, 1) if backward else (-1,):
            neighbour = xp.roll(spins, shift, AXES[axis])
            if not closed:
                neighbour = neighbour * _inner_bonds(spins.shape[AXES[axis]], shift, axis, spins.dtype)
            # S_i C S_j seen from j is S_j C^T S_i: the transpose couples to the previous neighbour.
            field = field + xp.matmul(neighbour, constant(coupling.T if shift == -1 else coupling, spins.dtype))
    return field


def constant(values: Any, dtype: Any) -> np.ndarray:
    """An array in the precision of an array or tensor with that `dtype`."""
    return np.asarray(values, dtype=getattr(dtype, "as_numpy_dtype", dtype))


def _inner_bonds(side: int, shift: int, axis: int, dtype: Any) -> np.ndarray:
    """Weights that remove the one bond which a roll by `shift` wraps around an open edge."""
    weights = constant(np.ones(side), dtype)
    weights[-1 if shift == -1 else 0] = 0.0
    return weights.reshape((side, 1, 1) if axis == 0 else (1, side, 1))

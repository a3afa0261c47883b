"""Local correlation between spins and their effective fields (Figure 3 of the paper)."""

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
        vanishes and no angle is defined. NaN on sites that the Hamiltonian's mask leaves out: take means with
        `np.nanmean`, or of `correlation[..., hamiltonian.mask]`.
    """
    field = hamiltonian.effective_field(spins)
    length = np.linalg.norm(field, axis=-1) * np.linalg.norm(spins, axis=-1)
    parallel = np.sum(spins * field, axis=-1)
    cosine = np.clip(np.divide(parallel, length, out=np.zeros_like(parallel), where=length > 0), -1.0, 1.0)
    if hamiltonian.mask is not None:
        cosine[..., ~hamiltonian.mask] = np.nan
    return cosine

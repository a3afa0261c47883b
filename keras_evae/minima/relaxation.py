"""Relaxation of many states at T = 0; minimisation and E/N of one state in double precision."""

import numpy as np
from scipy.optimize import minimize

from keras_evae.annealing import relax
from keras_evae.hamiltonian import Hamiltonian

# At most this many searches of at most this many iterations.
SEARCHES, ITERATIONS = 3, 10_000
# Largest |S x h| after a relaxation; single precision reaches about 3e-6.
TORQUE = 1e-5


def minimise_energy(hamiltonian: Hamiltonian, spins: np.ndarray, torque_tolerance: float = 1e-6) -> np.ndarray:
    """Brings a nearly relaxed configuration `(y, x, 3)` into its minimum of the energy, in float64.

    The sweeps of `keras_evae.annealing.relax` in float32 end at torques of about 3e-6. From there L-BFGS (SciPy)
    minimises E(v / |v|) over vectors v of any length, with the gradient -(h - (h.S) S) / |v|, until no |S x h| is above
    the tolerance; rounding of the energy ends it at some 2e-7 in any case. From states far from a minimum it may cross
    barriers: relax those with sweeps first.
    """
    spins = np.asarray(spins, np.float64)
    # Lengths grow in the search and shrink the gradient: after one search, another from unit vectors.
    for _ in range(SEARCHES):
        vectors = _search(hamiltonian, spins, torque_tolerance)
        spins = vectors / _lengths(vectors)
        if hamiltonian.torque(spins).max() <= torque_tolerance:
            break
    return spins


def _search(hamiltonian: Hamiltonian, spins: np.ndarray, torque_tolerance: float) -> np.ndarray:
    """One search; returns vectors of any length."""
    start = hamiltonian.energy(spins)

    def energy_and_gradient(values: np.ndarray) -> tuple[float, np.ndarray]:
        vectors = values.reshape(spins.shape)
        lengths = _lengths(vectors)
        directions = vectors / lengths
        field = hamiltonian.effective_field(directions)
        along = np.sum(field * directions, axis=-1, keepdims=True)
        # Only the change of the energy: its digits matter at the end of the search.
        return float(hamiltonian.energy(directions) - start), ((along * directions - field) / lengths).ravel()

    # SciPy looks at the largest component of the gradient, whose length is that of the torque.
    options = {"gtol": torque_tolerance / np.sqrt(3), "ftol": 0.0, "maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS}
    result = minimize(energy_and_gradient, spins.ravel(), jac=True, method="L-BFGS-B", options=options)
    return result.x.reshape(spins.shape)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Lengths `(y, x, 1)`; 1 where there is no spin, whose vector then stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 0, lengths, 1.0)


def relax_states(states: np.ndarray, hamiltonian: Hamiltonian, torque: float = TORQUE) -> np.ndarray:
    """States `(n, y, x, 3)`, each relaxed at T = 0 into its nearest minimum, to torques below `torque`; float32."""
    return relax(hamiltonian, states, torque)[0]


def precise_energy(spins: np.ndarray, hamiltonian: Hamiltonian) -> float:
    """E/N of one configuration `(y, x, 3)`, summed in double precision."""
    return float(hamiltonian.energy_per_site(spins.astype(np.float64)))

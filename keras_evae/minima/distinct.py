"""Which relaxed states are one, up to the symmetries of the energy."""

import numpy as np

from keras_evae.analysis import align
from keras_evae.hamiltonian import Hamiltonian

# Mean of |S - S'|^2 up to which two states are one: an angle of 0.1 between spins. What the noise of a decoder leaves
# after relaxation is below 1e-4; states with other numbers, places or directions of skyrmions differ by more than 0.1.
SAME_STATE = 0.01


def distinct_states(
    states: np.ndarray, energies: np.ndarray, hamiltonian: Hamiltonian, same_energy: float = 1e-5
) -> list[list[int]]:
    """Groups states that are one up to translations, fractions of a site included, and the point group.

    Two relaxed states of `(n, y, x, 3)` are one if their energies `(n,)` agree up to `same_energy`, of which single
    precision resolves about 2e-7, and the mean over sites of |S - S'|^2 is at most 0.01 where they fit best. Each state
    joins the group of the first lowest state that it equals. Returns the indices of the states of each group, its
    lowest first; the lowest group first.
    """
    groups: list[list[int]] = []
    for index in map(int, np.argsort(energies, kind="stable")):
        for group in groups:
            close = energies[index] - energies[group[0]] <= same_energy
            if close and align(states[index], states[group[0]], hamiltonian, sliding=True).distance <= SAME_STATE:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups

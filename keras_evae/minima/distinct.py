"""Which relaxed states are one, up to the symmetries of the energy."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_evae.analysis import align
from keras_evae.hamiltonian import Hamiltonian

# Mean of |S - S'|^2 up to which two states are one: an angle of 0.1 between spins. What the noise of a decoder leaves
# after relaxation is below 1e-4; states with other numbers, places or directions of skyrmions differ by more than 0.1.
SAME_STATE = 0.01
# Difference of E/N after relaxation up to which two states have one energy; single precision resolves about 2e-7.
SAME_ENERGY = 1e-5


@dataclasses.dataclass(frozen=True)
class DistinctState:
    """A state that others equal up to the symmetries of the energy.

    Args:
        index: Of the lowest of them.
        members: Indices of all of them.
    """

    index: int
    members: tuple[int, ...]


def distinct_states(states: np.ndarray, energies: np.ndarray, hamiltonian: Hamiltonian) -> list[DistinctState]:
    """Groups states that are one up to translations, fractions of a site included, and the point group.

    Two states are one if their energies per site agree within 1e-5, and the mean over sites of |S - S'|^2 is at most
    0.01 where they fit best. Each state joins the group of the first lowest state that it equals.

    Args:
        states: Relaxed states, `(n, y, x, 3)`.
        energies: Their E/N, `(n,)`.
        hamiltonian: Gives the symmetries.

    Returns:
        The groups, the lowest first.
    """
    groups: list[list[int]] = []
    for index in map(int, np.argsort(energies, kind="stable")):
        for group in groups:
            close = energies[index] - energies[group[0]] <= SAME_ENERGY
            if close and align(states[index], states[group[0]], hamiltonian, sliding=True).distance <= SAME_STATE:
                group.append(index)
                break
        else:
            groups.append([index])
    return [DistinctState(group[0], tuple(group)) for group in groups]

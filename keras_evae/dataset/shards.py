"""Shards: a few consecutive configurations, the unit of work of a generation and of what a kill can lose.

A shard is a pure function of the specification and its number. As a file it is an uncompressed `.npz` of the arrays
`spins` (n, y, x, 3) in the dataset's storage type, `energy` (n,) and `charge` (n,), both float64.
"""

from collections.abc import Iterable

import numpy as np

from keras_evae.analysis import charge_of
from keras_evae.annealing import KERNEL_VERSION, anneal
from keras_evae.dataset.specification import DatasetSpecification
from keras_evae.errors import MismatchError

LONGEST_SHARD = 64
# Spin updates of a shard: seconds of work and some 20 MB. The relaxation of a configuration needs some 1,000 sweeps.
SHARD_UPDATES = 2e9
RELAXATION_SWEEPS = 1000
# Updates of the fast sampler in the time of one of the general sampler, roughly: a user's own terms take longer yet.
GENERAL_UPDATE = 40


def shard_length(specification: DatasetSpecification, longest: int = LONGEST_SHARD) -> int:
    """Configurations in each shard but the last: the longest, less where lattices are large or cooled slowly."""
    height, width = specification.shape
    updates = height * width * (specification.schedule.thermal_sweeps + RELAXATION_SWEEPS)
    if specification.hamiltonian.further_terms:
        updates *= GENERAL_UPDATE
    return max(1, min(longest, int(SHARD_UPDATES / updates)))


def shard_indices(specification: DatasetSpecification, length: int) -> list[range]:
    """The configurations of each shard."""
    count = specification.count
    return [range(start, min(start + length, count)) for start in range(0, count, length)]


def anneal_shard(specification: DatasetSpecification, indices: range, kernel_version: int) -> dict[str, np.ndarray]:
    """Anneals consecutive configurations, for an `annealing.KERNEL_VERSION` that asks, perhaps on another machine.

    Returns:
        `spins` (n, y, x, 3) in the storage type; `energy` and `charge`, (n,) float64, of the spins before rounding.

    Raises:
        MismatchError: If the kernels here would give other bits.
    """
    if kernel_version != KERNEL_VERSION:
        raise MismatchError(
            f"kernel version: expected {kernel_version} as on the machine that asks, found {KERNEL_VERSION} on a "
            f"worker; install the same version of keras_evae everywhere"
        )
    hamiltonian, shape, schedule = specification.hamiltonian, specification.shape, specification.schedule
    states = (anneal(hamiltonian, shape, schedule, specification.seed, index) for index in indices)
    return measured(specification, states, len(indices))


def measured(specification: DatasetSpecification, states: Iterable[np.ndarray], count: int) -> dict[str, np.ndarray]:
    """The arrays of `anneal_shard` of so many states `(y, x, 3)` float32."""
    spins, hamiltonian = np.empty((count, *specification.shape, 3), specification.storage), specification.hamiltonian
    energy, charge = np.empty((2, count))
    for row, state in enumerate(states):
        spins[row] = state
        energy[row] = hamiltonian.energy(state.astype(np.float64))
        charge[row] = charge_of(state, hamiltonian)
    return {"spins": spins, "energy": energy, "charge": charge}

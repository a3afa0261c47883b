r"""Simulated annealing of spin configurations from above the Curie temperature to zero temperature.

A configuration is cooled with heat-bath and over-relaxation sweeps along a geometric schedule and then
relaxed at T = 0 until no spin feels a torque. It comes out as a local minimum of the energy in which skyrmion
domains have formed locally. The sweeps are in `monte_carlo.checkerboard`; Hamiltonians with J2 or terms
of a user's own have those of `monte_carlo.general`.

Reproducibility: the bits of a configuration follow from its seed and index, the Hamiltonian, the schedule, the
shape and `KERNEL_VERSION`, never from the number of workers or their order. The compiler contracts a * b + c
into fused operations where the processor has them, so other types of processor may differ in the last bits,
from which an annealed state diverges; the distribution is the same.
"""

import collections
import functools
import itertools
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_evae.errors import as_integer
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import usable_cores
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.checks import check_shape
from keras_evae.monte_carlo.general import GeneralMonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule, as_schedule
from keras_evae.monte_carlo.streams import check_stream
from keras_evae.spin_arrays import as_spins

# Raised whenever a change of the kernels, or of the general sampler, changes the bits of a configuration.
KERNEL_VERSION = 2


def anneal(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int] = (128, 128),
    schedule: AnnealingSchedule | str = AnnealingSchedule(),
    seed: int = 0,
    index: int = 0,
) -> np.ndarray:
    """One annealed configuration, `index` of the stream `seed`.

    Args:
        hamiltonian: The Hamiltonian.
        shape: Rows and columns `(y, x)`, see `MonteCarlo` and `GeneralMonteCarlo`.
        schedule: The cooling, or the name of a preset: `default`, `quench`, `slow`.
        seed: Integer from 0 to 2^64 - 1.
        index: Integer from 0 to 2^46 - 1.

    Returns:
        Unit vectors, `(y, x, 3)` float32.

    Raises:
        ValueError: For a shape, schedule, seed or index that cannot be used.

    Example:

    >>> anneal(Hamiltonian(), (16, 32), index=7).shape
    (16, 32, 3)
    """
    schedule = as_schedule(schedule)
    lattice = choose_sampler(hamiltonian)(hamiltonian, shape, seed, index)
    lattice.heat_bath(schedule.temperature_steps(), schedule.sweeps, schedule.over_relaxation)
    lattice.relax(schedule.torque_tolerance, schedule.max_greedy_sweeps)
    return lattice.spins


def anneal_many(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int] = (128, 128),
    count: int = 1,
    schedule: AnnealingSchedule | str = AnnealingSchedule(),
    seed: int = 0,
    workers: int | None = None,
    start: int = 0,
) -> Generator[np.ndarray, None, None]:
    """Configurations `start` to `start + count - 1`, each as `anneal` gives it, in this order.

    Args:
        hamiltonian, shape, schedule, seed: As for `anneal`.
        count: Number of configurations.
        workers: Number of threads; one for each usable core if None. They are two configurations each ahead at most.
        start: Index of the first configuration.

    Returns:
        Generator of arrays `(y, x, 3)` of float32; closing it stops its threads.
    """
    schedule = as_schedule(schedule)
    shape, count = check_shape(hamiltonian, shape), as_integer("count", count, 0)
    seed, start = check_stream(seed, start)
    workers = usable_cores() if workers is None else as_integer("workers", workers, 1)
    return _anneal_in_order(hamiltonian, shape, schedule, seed, workers, range(start, start + count))


def relax(
    hamiltonian: Hamiltonian, spins: np.ndarray, torque_tolerance: float = 1e-4, max_sweeps: int = 20_000
) -> tuple[np.ndarray, Any]:
    """Relax given spins at zero temperature into the nearest minimum of the energy, many configurations on all cores.

    Args:
        hamiltonian: The Hamiltonian.
        spins: Unit vectors, `(..., y, x, 3)`.
        torque_tolerance: Done when the largest |S x h| is below this.
        max_sweeps: Done after this number of sweeps in any case.

    Returns:
        The relaxed spins, `(..., y, x, 3)` float32, and the largest torque of each configuration, `(...,)` or a number.
    """
    shape = as_spins(spins).shape
    if len(shape) > 3:
        one = functools.partial(relax, hamiltonian, torque_tolerance=torque_tolerance, max_sweeps=max_sweeps)
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="relax") as pool:
            found = list(pool.map(one, np.reshape(spins, (-1, *shape[-3:]))))
        states, torques = ([pair[part] for pair in found] for part in (0, 1))
        return np.reshape(np.array(states, np.float32), shape), np.reshape(torques, shape[:-3])
    lattice = choose_sampler(hamiltonian)(hamiltonian, np.shape(spins)[:2])
    lattice.spins = spins
    torque, _ = lattice.relax(torque_tolerance, max_sweeps)
    return lattice.spins, torque


def choose_sampler(hamiltonian: Hamiltonian) -> type[MonteCarlo]:
    """The fast one, wherever it can be used."""
    return GeneralMonteCarlo if hamiltonian.further_terms else MonteCarlo


def _anneal_in_order(hamiltonian, shape, schedule, seed, workers, indices) -> Generator[np.ndarray, None, None]:
    indices = iter(indices)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="anneal")
    submit = functools.partial(pool.submit, anneal, hamiltonian, shape, schedule, seed)
    try:
        ahead = collections.deque(map(submit, itertools.islice(indices, 2 * workers)))
        while ahead:
            spins = ahead.popleft().result()
            ahead.extend(map(submit, itertools.islice(indices, 1)))
            yield spins
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

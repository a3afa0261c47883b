"""Exchange of temperatures between copies of a lattice (parallel tempering).

Reference: Hukushima and Nemoto 1996, J. Phys. Soc. Jpn. 65, 1604.
"""

import numpy as np


def exchange(
    replicas: np.ndarray, energies: np.ndarray, temperatures: np.ndarray, round_number: int, seed: int, stream: int
) -> np.ndarray:
    """Which copy has which temperature after a round of exchanges.

    In even rounds the pairs are the first and second temperature, third and fourth, and so on; in odd rounds those
    between. A pair exchanges with the probability min(1, exp((1/T1 - 1/T2) (E1 - E2))).

    Args:
        replicas: Number of the copy at each temperature, `(temperatures,)`.
        energies: Its energy, at each temperature.
        temperatures: The temperatures.
        round_number, seed, stream: They alone fix the random numbers.
    """
    random = np.random.default_rng([seed, stream, round_number]).random(len(temperatures))
    exchanged = replicas.copy()
    for low in range(round_number % 2, len(temperatures) - 1, 2):
        inverse = 1.0 / temperatures[low : low + 2]
        if np.log1p(-random[low]) < (inverse[0] - inverse[1]) * (energies[low] - energies[low + 1]):
            exchanged[low], exchanged[low + 1] = replicas[low + 1], replicas[low]
    return exchanged


def pair_acceptance(history: np.ndarray) -> np.ndarray:
    """Share of accepted exchanges of each pair of neighbouring temperatures, `(temperatures - 1,)`.

    `history` has the copies at each temperature, before the first round and after each, `(rounds + 1, temperatures)`.
    """
    changed = history[1:, :-1] != history[:-1, :-1]
    return np.array([changed[pair % 2 :: 2, pair].mean() if changed[pair % 2 :: 2].size else np.nan
                     for pair in range(changed.shape[1])])  # fmt: skip


def count_round_trips(history: np.ndarray) -> int:
    """How often copies have gone from the lowest temperature to the highest and back; `history` as above."""
    trips = 0
    for copy in range(history.shape[1]):
        ends = np.flatnonzero((history[:, 0] == copy) | (history[:, -1] == copy))
        at_the_top = history[ends, -1] == copy
        # Each change of end is half a trip.
        trips += int(np.count_nonzero(at_the_top[1:] != at_the_top[:-1])) // 2
    return trips


def even_temperatures(temperatures: np.ndarray, energy_variances: np.ndarray) -> np.ndarray:
    """Temperatures between the same first and last one at which all pairs exchange about equally often.

    The acceptance of two near temperatures falls with sqrt(variance of E) |1/T1 - 1/T2|: equal steps of its integral.

    Args:
        temperatures, energy_variances: Temperatures in rising order and the variance of the energy there, `(n,)`.
    """
    deviations, inverse = np.sqrt(energy_variances), 1.0 / temperatures
    steps = (deviations[1:] + deviations[:-1]) / 2 * -np.diff(inverse)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    placed = 1.0 / np.interp(np.linspace(0.0, places[-1], len(places)), places, inverse)
    placed[[0, -1]] = temperatures[[0, -1]]
    return placed

"""What the table of generation measures on sets of states, with standard errors."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from keras_evae.analysis import defect_share, describe_state, ring_average, structure_factor
from keras_evae.analysis.nearest_states import nearest_distances, symmetric_distances
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.distinct import SAME_STATE

# A mean and its standard error; NaN where there is nothing to measure.
Estimate = tuple[float, float]
# States of each set that are compared with the training states, and pair by pair.
NEAREST, PAIRED = 16, 30
RESAMPLES = 100


@dataclasses.dataclass(frozen=True)
class MeasuredSet:
    """States of one origin, `(n, y, x, 3)`.

    `values` are numbers `(n,)` of each state by the names of the quantities; NaN in a state that has none. `fft_mse` is
    the state's part in the FFT-MSE, which is their mean. `rings` `(n, rings)` are the shares of S(q) on rings of equal
    |q|, q = 0 first.
    """

    spins: np.ndarray
    values: Mapping[str, np.ndarray]
    rings: np.ndarray

    def mean(self, quantity: str) -> Estimate:
        return estimate(self.values[quantity])


def measure_set(spins: np.ndarray, hamiltonian: Hamiltonian) -> MeasuredSet:
    """Measures at least two states `(n, y, x, 3)` one by one: energies, skyrmions, S(q), unlikeness."""
    records = [_measure_state(state, hamiltonian) for state in spins]
    values = {name: np.array([record[name] for record in records]) for name in records[0]}
    transforms = np.abs(np.fft.fft2(spins[..., 2].astype(np.float64))) / hamiltonian.count_sites(spins.shape[1:3])
    deviations = np.mean((transforms - transforms.mean(axis=0)) ** 2, axis=(1, 2))
    values["fft_mse"] = 2.0 * len(spins) / (len(spins) - 1) * deviations
    rings = []
    for factor in map(structure_factor, spins):
        weights = np.concatenate((factor[:1, 0], ring_average(factor)[1] * np.arange(1, min(factor.shape) // 2 + 1)))
        rings.append(weights / weights.sum())
    return MeasuredSet(spins, values, np.stack(rings))


def estimate(values: np.ndarray) -> Estimate:
    """Mean of the values that exist, and its standard error."""
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def ratio(first: Estimate, second: Estimate) -> Estimate:
    """First over second, with the error of both."""
    if not second[0]:
        return math.nan, math.nan
    value = first[0] / second[0]
    return value, math.hypot(first[1], value * second[1]) / abs(second[0])


def structure_distance(rings: np.ndarray, reference: np.ndarray) -> Estimate:
    """Share of the weight of the mean S(q) that lies on other rings than that of the reference, from 0 to 1.

    Both are `MeasuredSet.rings`. The error is that of bootstrap samples. Two finite samples of one distribution have a
    distance above zero.
    """
    random = np.random.default_rng(0)

    def distance(*both: np.ndarray) -> float:
        first, second = (part.mean(axis=0) for part in both)
        return 0.5 * float(np.abs(first - second).sum())

    samples = [
        distance(*(part[random.integers(len(part), size=len(part))] for part in (rings, reference)))
        for _ in range(RESAMPLES)
    ]
    return distance(rings, reference), float(np.std(samples))


def same_lattice(states: np.ndarray, hamiltonian: Hamiltonian) -> Estimate:
    """Share of the pairs of the first states that are one lattice up to translation and point operation."""
    count = min(len(states), PAIRED)
    same = symmetric_distances(states[:count], states[:count], hamiltonian) <= SAME_STATE
    mean, error = estimate((same.sum(axis=1) - 1) / (count - 1))
    # Each pair counts for both of its states.
    return mean, 2.0 * error


def nearest_training(states: np.ndarray, training: np.ndarray, hamiltonian: Hamiltonian) -> Estimate:
    """Mean distance of the first states to the nearest training state up to symmetry, see `nearest_distances`."""
    return estimate(nearest_distances(states[:NEAREST], training, hamiltonian))


def same_charge(before: MeasuredSet, after: MeasuredSet) -> Estimate:
    """Share of the states whose charge relaxation leaves as it is."""
    return estimate(np.abs(before.values["charge"] - after.values["charge"]) < 0.5)


def _measure_state(state: np.ndarray, hamiltonian: Hamiltonian) -> dict[str, float]:
    found = describe_state(state, hamiltonian)
    return {
        "energy_per_site": found.energy_per_site,
        "charge": found.charge,
        "radius_sites": estimate(found.skyrmions.radii)[0],
        "psi6": estimate(found.psi6)[0],
        "defects": defect_share(found.neighbours) if len(found.skyrmions) else math.nan,
    }

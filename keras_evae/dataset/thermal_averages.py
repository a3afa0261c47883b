r"""Thermal averages with their errors: energy, heat capacity, magnetisation, susceptibility, charge, skyrmions.

For N sites at the temperature T, M the sum of the spins and Q the topological charge:

    energy                  <E> / N
    heat_capacity           (<E^2> - <E>^2) / (N T^2)
    magnetization           <M> / N, three components;      magnetization_modulus      <|M|> / N
    susceptibility          (<M_a^2> - <M_a>^2) / (N T);    susceptibility_modulus     the same of |M|
    binder_cumulant         1 - <|M|^4> / (3 <|M|^2>^2)
    charge                  <Q>;                            charge_susceptibility      (<Q^2> - <Q>^2) / N
    spin_temperature        <sum |S x h|^2> / <sum 2 S.h - 2 K (1 - S_z^2)>, which is T in equilibrium
    skyrmions, psi6         number of skyrmions and their mean |psi6|, counted where |Q| is 1/2 or more; psi6 is NaN
                            where there are none

Each has an error, one standard deviation, from the integrated autocorrelation time of its own fluctuations.
"""

import logging
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_evae.dataset.thermal_chains import Arrays, make_chains
from keras_evae.dataset.thermal_specification import ThermalSpecification
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.autocorrelation import autocorrelation_time, mean_and_error
from keras_evae.monte_carlo.tempering import count_round_trips, pair_acceptance

logger = logging.getLogger(__name__)

# Autocorrelation times that a series must have at least.
FEWEST_TIMES = 10


class ThermalResult(types.SimpleNamespace):
    """Averages over temperatures: attributes by the names above, each `(temperatures, ...)` and with `<name>_error`.

    Also `temperatures`; `autocorrelation_time` of the energy, of the modulus and of the charge in heat-bath sweeps, the
    longest; with exchange `acceptance` (pairs,) and `round_trips`; `spins` (temperatures, states, y, x, 3), empty
    unless asked for; `series` and `charge_series`, which the averages are of.
    """

    # Arrays have no truth value: a result equals itself alone.
    __eq__, __hash__ = object.__eq__, object.__hash__  # type: ignore[assignment]

    def __repr__(self) -> str:
        low, high = np.min(self.temperatures), np.max(self.temperatures)
        return f"<ThermalResult at {np.size(self.temperatures)} temperatures from {low:.4g} to {high:.4g}>"


def sample(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int],
    temperatures: Sequence[float] | np.ndarray,
    sweeps: int = 30_000,
    thermalization: int = 3000,
    seed: int = 0,
    exchange: bool = False,
    workers: int | None = None,
    interval: int = 10,
    charge_interval: int = 300,
    over_relaxation: int = 5,
    even_acceptance: bool = False,
    keep: int = 0,
) -> ThermalResult:
    """Thermal averages of a lattice at some temperatures, in memory.

    Args:
        hamiltonian: The Hamiltonian, any that `keras_evae.annealing.anneal` takes.
        shape: Rows and columns `(y, x)`.
        temperatures: In units of J, rising.
        sweeps: Heat-bath sweeps at each temperature, a multiple of `charge_interval`.
        thermalization: Heat-bath sweeps before them: half of these cool from T = 1.
        seed: Integer from 0 to 2^64 - 1.
        exchange: Copies of the lattice exchange their temperatures every `interval` sweeps.
        workers: Threads; all cores by default. The bits do not depend on it.
        interval: Energy and magnetisation are measured every so many heat-bath sweeps.
        charge_interval: The charge is measured every so many, a multiple of `interval`; skyrmions every 100th time,
            and at the end.
        over_relaxation: Over-relaxation sweeps after each heat-bath sweep.
        even_acceptance: With exchange the temperatures between first and last are placed anew, by a pilot run.
        keep: States of each temperature to be kept, evenly spaced; at most `sweeps / charge_interval`.

    Raises:
        ValueError: For arguments that cannot be used.

    Example:

    >>> result = sample(Hamiltonian(), (8, 8), [0.5, 1.0], sweeps=600, thermalization=100)
    >>> result.energy.shape, result.magnetization_error.shape
    ((2,), (2, 3))
    """
    values = tuple(float(value) for value in np.asarray(temperatures, np.float64).ravel())
    specification = ThermalSpecification(
        (hamiltonian,), shape, values, sweeps, thermalization, seed, exchange, even_acceptance, interval,
        charge_interval, over_relaxation, keep,
    )  # fmt: skip
    parts: dict[int, Arrays] = {}
    missing = range(specification.chains * specification.segments)
    arrays = average(specification, make_chains(specification, missing, parts.__getitem__, parts.__setitem__, workers))
    return ThermalResult(**{name: values[0] for name, values in arrays.items()})


def average(specification: ThermalSpecification, joined: Arrays) -> Arrays:
    """Averages of the joined segments, each `(hamiltonians, temperatures, ...)`, and the series."""
    temperatures = joined["temperatures"]
    points = [
        _average_point(specification, specification.hamiltonians[place[0]], float(temperatures[place]),
                       *(joined[name][place] for name in ("series", "charge", "counts")))
        for place in np.ndindex(temperatures.shape)
    ]  # fmt: skip
    arrays = {"temperatures": temperatures}
    for name in points[0]:
        values = np.array([point[name] for point in points])
        arrays[name] = values.reshape(*temperatures.shape, *values.shape[1:])
    _warn_if_short(specification, arrays["autocorrelation_time"])
    histories = [history.T for history in joined["history"]] if specification.exchange else []
    arrays["acceptance"] = np.array([pair_acceptance(history) for history in histories]).reshape(len(temperatures), -1)
    arrays["round_trips"] = np.array([count_round_trips(history) for history in histories] or [0] * len(temperatures))
    return arrays | {"series": joined["series"], "charge_series": joined["charge"], "spins": joined["kept"]}


def _average_point(
    specification: ThermalSpecification, hamiltonian: Hamiltonian, temperature: float, series: np.ndarray,
    charge: np.ndarray, counts: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Averages at one temperature from the series of the moments `(rounds, 6)`, the charge and the counts."""
    sites = hamiltonian.count_sites(specification.shape)
    energy, spin, modulus = series[:, 0], series[:, 1:4], np.linalg.norm(series[:, 1:4], axis=1) / sites
    squares, fourth = np.mean(modulus**2), np.mean(modulus**4)
    binder = (2.0 * fourth / squares * (modulus**2 - squares) - (modulus**4 - fourth)) / (3.0 * squares**2)
    # Without any energy there is no temperature to see.
    curvature = np.mean(series[:, 5]) or np.nan
    ratio = np.mean(series[:, 4]) / curvature
    heat = (series[:, 4] - ratio * series[:, 5]) / curvature
    estimates = {
        "energy": mean_and_error(energy / sites),
        "heat_capacity": _variance(energy, sites * temperature**2),
        "magnetization": [mean_and_error(component / sites) for component in spin.T],
        "magnetization_modulus": mean_and_error(modulus),
        "susceptibility": [_variance(component, sites * temperature) for component in spin.T],
        "susceptibility_modulus": _variance(modulus, temperature / sites),
        "binder_cumulant": (1.0 - fourth / (3.0 * squares**2), mean_and_error(binder)[1]),
        "charge": mean_and_error(charge),
        "charge_susceptibility": _variance(charge, sites),
        "spin_temperature": (ratio, mean_and_error(heat)[1]),
        "skyrmions": mean_and_error(counts[:, 0]),
        "psi6": mean_and_error(counts[np.isfinite(counts[:, 1]), 1]),
    }
    values: dict[str, Any] = {}
    for name, estimate in estimates.items():
        values[name], values[f"{name}_error"] = np.array(estimate).T
    times = [autocorrelation_time(each) * specification.interval for each in (energy, modulus)]
    blocks = autocorrelation_time(charge)
    # A charge that is forgotten from one measurement to the next says no more than that.
    times += [blocks * specification.charge_interval] if blocks > 1 else []
    return values | {"autocorrelation_time": max(times)}


def _variance(series: np.ndarray, unit: float) -> tuple[float, float]:
    """Variance of a series over a unit, without the bias of the mean of correlated numbers, and its error."""
    value, error = mean_and_error((series - np.mean(series)) ** 2 / unit)
    lost = min(0.5, 2.0 * autocorrelation_time(series) / len(series))
    return value / (1.0 - lost), error / (1.0 - lost)


def _warn_if_short(specification: ThermalSpecification, times: np.ndarray) -> None:
    needed = int(np.ceil(FEWEST_TIMES * times.max()))
    if needed > specification.sweeps:
        at = specification.temperatures[int(np.argmax(times.max(axis=0)))]
        words = "sweeps: expected %d at least, ten autocorrelation times at T = %.4g, found %d; errors are too small"
        logger.warning(words, needed, at, specification.sweeps)

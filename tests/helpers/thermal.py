"""Thermal averages with their errors, and an independent Metropolis program to compare them with."""

import itertools

import numba
import numpy as np

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from tests.helpers.energy_terms import RIGHT, Compass, ThirdNeighbours

# K of both signs and all kinds of edges; D and B large, so that a wrong sign shows.
HAMILTONIANS = [
    Hamiltonian(D=0.8, B=0.3),
    Hamiltonian(D=0.8, B=0.3, dmi="bloch", boundary="open"),
    Hamiltonian(D=0.8, B=0.3, K=0.6, boundary=("open", "periodic")),
    Hamiltonian(D=0.8, B=0.3, K=-0.6, dmi="bloch"),
    Hamiltonian(D=0.8, B=-0.3, K=-0.6, boundary=("periodic", "open")),
]
# A cluster of seven sites, with a hole that is filled across the periodic edge, on more than one row and column.
CLUSTER = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], bool)


def masked(shape, size, **arguments):
    geometry = make_geometry(shape, size)
    return Hamiltonian(mask=geometry.mask, boundary=geometry.boundary, **arguments)


SAMPLES = [
    masked("disc", 20),
    masked("triangle", 24, K=0.4, dmi="bloch"),
    masked("hexagon", 22, K=-0.4),
    masked("wire", (10, 32), D=0.6),
    masked("square", 13, J=-1.0, B=0.5),
]


# For the general sampler: J2 of both signs, with K, edges, odd sides and absent sites; terms of both reaches.
DISC = make_geometry("disc", 12)
GENERAL = [
    (Hamiltonian(J2=0.3), (8, 12)),
    (Hamiltonian(J2=-0.4, D=0.6, K=0.4, dmi="bloch", boundary="open"), (7, 9)),
    (Hamiltonian(J2=0.3, K=-0.4, boundary=("open", "periodic"), terms=RIGHT), (8, 11)),
    (
        Hamiltonian(J2=-0.4, mask=DISC.mask, boundary=DISC.boundary, terms=[Compass(0.4), ThirdNeighbours(0.3)]),
        (16, 16),
    ),
]


def thermal_states(
    hamiltonian, shape, temperature, samples, sweeps=1, over_relaxation=0, burn_in=200, seed=1, sampler=MonteCarlo
):
    """States `(samples, y, x, 3)` with `sweeps` heat-bath sweeps between them, after `burn_in` of them."""
    lattice = sampler(hamiltonian, shape, seed)
    lattice.heat_bath(temperature, burn_in, over_relaxation)
    states = np.empty((samples, *shape, 3))
    for state in states:
        lattice.heat_bath(temperature, sweeps, over_relaxation)
        state[...] = lattice.spins
    return states


def mean_and_error(series, blocks=40):
    """Mean and its standard error; blocks longer than the autocorrelation time take the correlation into account."""
    means = np.array([block.mean(axis=0) for block in np.array_split(np.asarray(series), blocks)])
    return means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(blocks)


def assert_same_means(series):
    """Each pair of series within four standard errors, all of which are below 0.01."""
    results = [mean_and_error(values) for values in series]
    for (mean, error), (other_mean, other_error) in itertools.combinations(results, 2):
        assert np.all(np.abs(mean - other_mean) < 4.0 * np.hypot(error, other_error)), results
    assert np.all([error < 0.01 for _, error in results])


def assert_configurational_temperature(hamiltonian, states, temperature, precision, deviations=4.0):
    """Mean of |S x h|^2 - 2 T S.h, summed over the sites, is zero; for K = 0: the energy is linear in each spin."""
    field = hamiltonian.effective_field(states)
    squares = (np.cross(states, field) ** 2).sum(axis=(1, 2, 3))
    curvature = 2.0 * (states * field).sum(axis=(1, 2, 3))
    mean, error = mean_and_error((squares - temperature * curvature) / curvature.mean())
    assert abs(mean) < deviations * error, temperature
    assert error < precision * temperature


def present_sites(hamiltonian, shape):
    return np.ones(shape, bool) if hamiltonian.mask is None else hamiltonian.mask


def observables(hamiltonian, states):
    """E, S_z and S_z^2 of each state, per site that carries a spin."""
    z = states[:, present_sites(hamiltonian, states.shape[1:3]), 2]
    return np.stack([hamiltonian.energy_per_site(states), z.mean(axis=1), (z**2).mean(axis=1)], axis=1)


def energy_of(lattice):
    return lattice.hamiltonian.energy_per_site(lattice.spins.astype(np.float64))


def assert_sweeps_keep_what_they_should(lattice, fall):
    """Sweeps at T = 0 never raise the energy, over-relaxation conserves it without K, absent sites stay zero."""
    energies = [energy_of(lattice)]
    for _ in range(40):
        lattice.relax(1e-30, max_sweeps=1)
        energies.append(energy_of(lattice))
    assert np.diff(energies).max() < 1e-6 and energies[-1] < energies[0] - fall
    lattice.heat_bath(0.5, 10, 2)
    before, energy = lattice.spins, energy_of(lattice)
    lattice.over_relaxation(sweeps=20)
    assert np.abs(lattice.spins - before).max() > 0.5
    np.testing.assert_array_equal(lattice.spins[~present_sites(lattice.hamiltonian, before.shape[:2])], 0.0)
    if not lattice.hamiltonian.K:
        assert abs(energy_of(lattice) - energy) < 2e-6


def torque(hamiltonian, spins):
    spins = spins.astype(np.float64)
    return np.linalg.norm(np.cross(spins, hamiltonian.effective_field(spins)), axis=-1)


def assert_histograms_differ_by_the_temperatures(hamiltonian, shape, temperatures, precision, **sampling):
    """log(p2 / p1) is linear in the energy with the slope 1/T1 - 1/T2: the weight of a state is exp(-E/T)."""
    energies = [
        hamiltonian.energy(thermal_states(hamiltonian, shape, temperature, seed=number, **sampling))
        for number, temperature in enumerate(temperatures)
    ]
    blocks = [logistic_slope(*pair) for pair in zip(*(np.array_split(e, 20) for e in energies), strict=True)]
    mean, error = np.mean(blocks), np.std(blocks, ddof=1) / np.sqrt(20)
    assert abs(mean - (1.0 / temperatures[0] - 1.0 / temperatures[1])) < 4.0 * error
    assert error < precision


def logistic_slope(first, second):
    """Maximum-likelihood slope of log(p2 / p1) against the energy."""
    x = np.concatenate([first, second])
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    belongs = np.repeat([0.0, 1.0], [len(first), len(second)])
    weights = np.zeros(2)
    for _ in range(20):
        probability = 1.0 / (1.0 + np.exp(-design @ weights))
        curvature = design.T @ (design * (probability * (1.0 - probability))[:, None])
        weights = weights + np.linalg.solve(curvature, design.T @ (belongs - probability))
    return weights[1]


def metropolis_observables(hamiltonian, shape, temperature, samples, sweeps=4, seed=3):
    """`observables` of the Metropolis program, which starts with all spins up."""
    h, present = hamiltonian, present_sites(hamiltonian, shape)
    start = np.zeros((*shape, 3))
    start[..., 2] = present
    couplings = tuple(float(value) for value in (h.J, h.D, h.B, h.K, h.J2))
    series = metropolis(start, couplings, h.dmi == "neel", h.periodic, temperature, samples, sweeps, seed)
    # Without the first, and from a mean over all sites to one over present sites.
    return series[200:] * present.size / present.sum()


@numba.njit(cache=True)
def metropolis(spins, couplings, neel, periodic, temperature, samples, sweeps, seed):
    """Textbook Metropolis in double precision: site by site, uniform proposals; energy, S_z and S_z^2 per site.

    Sites that start as zero vectors stay so.
    """
    np.random.seed(seed)
    rows, columns, _ = spins.shape
    B, K = couplings[2], couplings[3]
    series = np.zeros((samples, 3))
    new = np.empty(3)
    for sample in range(samples):
        for _ in range(sweeps * rows * columns):
            y, x = np.random.randint(rows), np.random.randint(columns)
            if not spins[y, x].any():
                continue
            for axis in range(3):
                new[axis] = np.random.normal()
            new /= np.sqrt(dot(new, new))
            change = site_energy(spins, y, x, new, couplings, neel, periodic)
            change -= site_energy(spins, y, x, spins[y, x], couplings, neel, periodic)
            if np.random.random() < np.exp(-change / temperature):
                spins[y, x] = new
        for y in range(rows):
            for x in range(columns):
                z = spins[y, x, 2]
                # Bonds belong to two sites.
                own = -B * z - K * z**2
                series[sample, 0] += (site_energy(spins, y, x, spins[y, x], couplings, neel, periodic) + own) / 2
                series[sample, 1] += z
                series[sample, 2] += z**2
    return series / (rows * columns)


@numba.njit(cache=True)
def site_energy(spins, y, x, s, couplings, neel, periodic):
    """Energy of one spin, written out from the formula."""
    J, D, B, K, J2 = couplings
    rows, columns, _ = spins.shape
    energy = -B * s[2] - K * s[2] ** 2
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        if (periodic[0] or 0 <= y + dy < rows) and (periodic[1] or 0 <= x + dx < columns):
            t = spins[(y + dy) % rows, (x + dx) % columns]
            # d = r, or d = z x r, for the bond that points from s to t.
            d = (-dy, dx) if neel else (dx, dy)
            energy -= J * dot(s, t)
            energy -= D * (d[0] * (s[1] * t[2] - s[2] * t[1]) + d[1] * (s[2] * t[0] - s[0] * t[2]))
    for dy, dx in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        if (periodic[0] or 0 <= y + dy < rows) and (periodic[1] or 0 <= x + dx < columns):
            energy -= J2 * dot(s, spins[(y + dy) % rows, (x + dx) % columns])
    return energy


@numba.njit(cache=True)
def dot(s, t):
    return s[0] * t[0] + s[1] * t[1] + s[2] * t[2]

"""Monte Carlo against exact results, an independent Metropolis program and the Hamiltonian in double precision."""

import platform
import re

import numba
import numpy as np
import pytest
import scipy.stats

from keras_evae.annealing import anneal, anneal_many, relax
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo import checkerboard, kernels
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from tests.helpers.thermal import (
    HAMILTONIANS,
    assert_configurational_temperature,
    assert_same_means,
    logistic_slope,
    mean_and_error,
    metropolis_observables,
    observables,
    relaxation_energies,
    thermal_states,
)

QUICK = AnnealingSchedule(start_temperature=1.0, end_temperature=0.05, temperatures=20)


@pytest.fixture(params=[1, pytest.param(6, marks=pytest.mark.slow)], ids=["", "longer"])
def effort(request):
    """Factor on the number of samples: six times as many are marked slow."""
    return request.param


def torque(hamiltonian, spins):
    spins = spins.astype(np.float64)
    return np.linalg.norm(np.cross(spins, hamiltonian.effective_field(spins)), axis=-1)


def evaluate(function, *arguments):
    """A scalar kernel function on arrays."""
    return numba.njit(lambda *columns: [function(*row) for row in zip(*columns)])(*arguments)  # noqa: B905


@pytest.mark.parametrize("strength", [0.005, 0.5, 5.0, 300.0])
def test_one_spin_in_a_field(strength):
    lattice = MonteCarlo(Hamiltonian(J=0.0, D=0.0, B=strength), (100, 200))
    lattice.heat_bath(1.0)
    spins = lattice.spins.astype(np.float64).reshape(-1, 3)
    langevin = 1.0 / np.tanh(strength) - 1.0 / strength
    mean, error = mean_and_error(spins[:, 2])
    assert abs(mean - langevin) < 4.0 * error

    def cumulative(z):
        return (np.exp(strength * (z - 1.0)) - np.exp(-2.0 * strength)) / -np.expm1(-2.0 * strength)

    assert scipy.stats.kstest(spins[:, 2], cumulative).pvalue > 1e-4
    angle = np.arctan2(spins[:, 1], spins[:, 0])
    assert scipy.stats.kstest(angle, scipy.stats.uniform(-np.pi, 2.0 * np.pi).cdf).pvalue > 1e-4
    assert abs(scipy.stats.spearmanr(angle, spins[:, 2]).statistic) < 4.0 / np.sqrt(len(spins))


def test_field_of_any_direction_is_followed():
    # Near T = 0 the spins of the colour that moved last lie along their fields, wherever those point.
    hamiltonian = Hamiltonian()
    lattice = MonteCarlo(hamiltonian, (64, 64))
    lattice.heat_bath(1e-4)
    spins = lattice.spins.astype(np.float64)
    white = np.add.outer(np.arange(64), np.arange(64)) % 2 == 1
    field = hamiltonian.effective_field(spins)
    cosine = np.einsum("yxa,yxa->yx", spins, field) / np.linalg.norm(field, axis=-1)
    assert cosine[white].min() > 0.99


@pytest.mark.parametrize("temperature", [0.3, 1.5])
def test_open_chain(temperature, effort):
    hamiltonian = Hamiltonian(D=0.0, B=0.0, boundary="open")
    sites = 254
    states = thermal_states(hamiltonian, (1, sites), temperature, samples=2000 * effort, sweeps=2, over_relaxation=2)
    mean, error = mean_and_error(hamiltonian.energy(states) / (sites - 1))
    assert abs(mean + 1.0 / np.tanh(1.0 / temperature) - temperature) < 4.0 * error
    assert error < 0.002


def test_high_temperature_slope(effort):
    hamiltonian, temperature = Hamiltonian(), 20.0
    states = thermal_states(hamiltonian, (96, 128), temperature, samples=250 * effort, burn_in=10)
    mean, error = mean_and_error(hamiltonian.energy_per_site(states) * temperature)
    # The next order of the expansion in 1 / T is below 0.5 %.
    assert abs(mean + 0.7075) < 4.0 * error + 0.004
    assert error < 0.02


@pytest.mark.parametrize("temperature", [0.05, 0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dmi, boundary", [("neel", "periodic"), ("bloch", ("open", "periodic"))])
def test_configurational_temperature(temperature, dmi, boundary, effort):
    hamiltonian = Hamiltonian(dmi=dmi, boundary=boundary)
    states = thermal_states(hamiltonian, (20, 36), temperature, samples=300 * effort, over_relaxation=1)
    assert_configurational_temperature(hamiltonian, states, temperature, precision=0.02)


@pytest.mark.slow
def test_configurational_temperature_along_the_default_schedule():
    hamiltonian = Hamiltonian()
    for temperature in AnnealingSchedule().temperature_steps():
        states = thermal_states(hamiltonian, (20, 36), temperature, samples=300, over_relaxation=1)
        # One of the 150 temperatures may lie a little beyond four standard errors.
        assert_configurational_temperature(hamiltonian, states, temperature, precision=0.02, deviations=4.5)


def test_energy_histograms_of_two_temperatures(effort):
    # log(p2 / p1) is linear in the energy with the slope 1/T1 - 1/T2: the weight of a state is exp(-E/T).
    hamiltonian, shape, temperatures = Hamiltonian(), (8, 6), (0.6, 0.66)
    energies = [
        hamiltonian.energy(
            thermal_states(hamiltonian, shape, t, samples=4000 * effort, sweeps=3, over_relaxation=3, seed=k)
        )
        for k, t in enumerate(temperatures)
    ]
    blocks = [logistic_slope(*pair) for pair in zip(*(np.array_split(e, 20) for e in energies), strict=True)]
    mean, error = np.mean(blocks), np.std(blocks, ddof=1) / np.sqrt(20)
    assert abs(mean - (1.0 / temperatures[0] - 1.0 / temperatures[1])) < 4.0 * error
    assert error < 0.01


@pytest.mark.parametrize("hamiltonian", HAMILTONIANS, ids=lambda h: f"{h.dmi} K={h.K} {h.boundary}")
def test_heat_bath_agrees_with_metropolis_and_over_relaxation(hamiltonian, effort):
    shape, temperature = (4, 6) if hamiltonian.periodic == (True, False) else (4, 4), 0.7
    assert_same_means(
        [metropolis_observables(hamiltonian, shape, temperature, samples=10_000 * effort)]
        + [
            observables(hamiltonian, thermal_states(hamiltonian, shape, temperature, 5000 * effort, 3, over_relaxation))
            for over_relaxation in (0, 2)
        ]
    )


@pytest.mark.parametrize("hamiltonian", [h for h in HAMILTONIANS if not h.K] + [Hamiltonian(boundary=("open",) * 2)])
def test_over_relaxation_conserves_the_energy(hamiltonian):
    lattice = MonteCarlo(hamiltonian, (12, 20), seed=4)
    lattice.heat_bath(0.5, 10)
    before = lattice.spins.astype(np.float64)
    lattice.over_relaxation(sweeps=20)
    after = lattice.spins.astype(np.float64)
    assert abs(hamiltonian.energy_per_site(after) - hamiltonian.energy_per_site(before)) < 1e-6
    assert np.abs(after - before).max() > 0.5


@pytest.mark.parametrize("hamiltonian", [*HAMILTONIANS, Hamiltonian(J=-1.0, K=1.5), Hamiltonian(J=0.2, K=-3.0)])
def test_relaxation_never_raises_the_energy(hamiltonian):
    lattice = MonteCarlo(hamiltonian, (8, 12), seed=5)
    energies = relaxation_energies(lattice, sweeps=60)
    assert np.diff(energies).max() < 1e-6
    assert energies[-1] < energies[0] - 0.5


@pytest.mark.parametrize("hamiltonian", [Hamiltonian(), *HAMILTONIANS])
def test_annealed_state_feels_no_torque(hamiltonian):
    spins = anneal(hamiltonian, (24, 32), QUICK, seed=6)
    assert spins.dtype == np.float32 and spins.shape == (24, 32, 3)
    assert np.abs(np.linalg.norm(spins, axis=-1) - 1.0).max() < 3e-7
    assert torque(hamiltonian, spins).max() < 1e-4


def test_default_schedule_gives_skyrmion_states():
    hamiltonian = Hamiltonian()
    energies = [hamiltonian.energy_per_site(s.astype(np.float64)) for s in anneal_many(hamiltonian, (64, 64), 8)]
    # Uniform -2.05, perfect triangular lattice -2.0573.
    assert -2.0575 < np.mean(energies) < -2.053
    assert np.std(energies) > 1e-4


def test_relax_returns_the_torque_of_its_spins():
    hamiltonian = Hamiltonian(dmi="bloch", boundary="open")
    spins = MonteCarlo(hamiltonian, (10, 14)).spins
    relaxed, largest = relax(hamiltonian, spins, torque_tolerance=1e-3)
    assert largest < 1e-3
    assert abs(torque(hamiltonian, relaxed).max() - largest) < 3e-6
    unchanged, largest = relax(hamiltonian, spins, max_sweeps=0)
    np.testing.assert_allclose(unchanged, spins, atol=3e-7)
    assert largest == pytest.approx(torque(hamiltonian, spins).max(), rel=1e-5)


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
def test_spins_survive_the_layout(dmi):
    spins = np.random.default_rng(0).normal(size=(6, 10, 3))
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
    lattice = MonteCarlo(Hamiltonian(dmi=dmi), (6, 10))
    lattice.spins = spins
    np.testing.assert_allclose(lattice.spins, spins, atol=2e-7)


def test_bits_do_not_depend_on_workers_or_order():
    arguments = Hamiltonian(), (16, 20), 7, QUICK, 8
    one = list(anneal_many(*arguments, workers=1, start=3))
    two = list(anneal_many(*arguments, workers=2, start=3))
    assert len(one) == 7
    for index, (first, second) in enumerate(zip(one, two, strict=True), start=3):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, anneal(Hamiltonian(), (16, 20), QUICK, seed=8, index=index))


def test_seeds_and_indices_differ():
    states = [anneal(Hamiltonian(), (8, 8), QUICK, seed, index) for seed in range(3) for index in range(3)]
    assert len({state.tobytes() for state in states}) == 9


def test_iterator_can_be_left_early():
    iterator = anneal_many(Hamiltonian(), (8, 8), 10**9, QUICK, workers=2)
    assert next(iterator).shape == (8, 8, 3)
    iterator.close()
    assert list(anneal_many(Hamiltonian(), (8, 8), 0)) == []


def test_generator_is_xoshiro128_plus():
    state = checkerboard.random_state(seed=9, index=2, lanes=1)
    words = [int(word) for word in state[:, 0]]
    expected = []
    for _ in range(50):
        expected.append((words[0] + words[3]) % 2**32)
        shifted = (words[1] << 9) % 2**32
        words[2] ^= words[0]
        words[3] ^= words[1]
        words[1] ^= words[2]
        words[0] ^= words[3]
        words[2] ^= shifted
        words[3] = ((words[3] << 11) | (words[3] >> 21)) % 2**32
    random = tuple(state)
    assert numba.njit(lambda random: [kernels.next_bits(random, 0) for _ in range(50)])(random) == expected


def test_streams_are_distinct():
    words = np.concatenate([checkerboard.random_state(1, index, 16) for index in range(2000)], axis=1)
    pairs = words[0].astype(np.uint64) << np.uint64(32) | words[2]
    assert len(np.unique(pairs)) == 2000 * 16
    # A wider lattice adds lanes and keeps the others.
    np.testing.assert_array_equal(checkerboard.random_state(1, 5, 32)[:, :16], checkerboard.random_state(1, 5, 16))


def test_elementary_functions():
    x = np.linspace(1e-7, 1.0, 100_001, dtype=np.float32)
    exact = np.log(x.astype(np.float64))
    assert np.all(np.abs(evaluate(kernels.logarithm, x) - exact) < 2e-7 + 2e-7 * np.abs(exact))
    x = np.linspace(-80.0, 0.0, 100_001, dtype=np.float32)
    assert np.abs(evaluate(kernels.exponential, x) - np.exp(x.astype(np.float64))).max() < 1e-6
    assert evaluate(kernels.exponential, np.float32([-1e30]))[0] < 1e-37
    bits = np.random.default_rng(0).integers(2**32, size=100_000, dtype=np.uint32)
    cosine, sine = np.array(evaluate(kernels.azimuth, bits), dtype=np.float64).T
    angle = np.pi / 2.0 * (((bits & 0x3FFFFFFF) >> 7) / 2.0**23 - 0.5 + 2.0**-24)
    swap, negative = (bits >> 30) & 1 == 1, bits >> 31 == 1
    sign = np.where(negative, -1.0, 1.0)
    assert np.abs(cosine - sign * np.where(swap, np.sin(angle), np.cos(angle))).max() < 1e-6
    assert np.abs(sine - sign * np.where(swap, np.cos(angle), np.sin(angle))).max() < 1e-6
    uniform = evaluate(kernels.unit_interval, np.uint32([0, 2**32 - 1]))
    assert uniform == [2.0**-24, 1.0 - 2.0**-24]


def test_heat_bath_spin_inverts_the_distribution():
    random = np.random.default_rng(0)
    strength = np.concatenate([10.0 ** random.uniform(-12.0, 4.0, 50_000), random.uniform(0.008, 0.012, 50_000)])
    direction = random.normal(size=(3, len(strength)))
    direction[2, ::7] = -1e3
    h = (strength * direction / np.linalg.norm(direction, axis=0)).astype(np.float32)
    bits = random.integers(2**32, size=(2, len(strength)), dtype=np.uint32)
    spins = np.array(evaluate(kernels.heat_bath_spin, *h, *bits), dtype=np.float64).T
    a, u = np.linalg.norm(h.astype(np.float64), axis=0), ((bits[0] >> 9) + 0.5) / 2.0**23
    # With expm1 and log1p no digits are lost at small a.
    exact = 1.0 + np.log1p((1.0 - u) * np.expm1(-2.0 * a)) / a
    cosine = (spins * h).sum(axis=0) / a
    assert np.abs(cosine - exact).max() < 3e-5
    assert np.abs(np.linalg.norm(spins, axis=0) - 1.0).max() < 2e-6


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 instructions")
@pytest.mark.parametrize("mask", [None, np.arange(4 * 64).reshape(4, 64) % 3 > 0], ids=["", "masked"])
def test_kernels_are_vectorised(mask):
    lattice = MonteCarlo(Hamiltonian(mask=mask), (4, 64))
    present = None if mask is None else lattice._present[0]
    # Compiled anew: Numba shows no instructions of cached code.
    options = {"pipeline_class": kernels._NoAliasCompiler, "fastmath": kernels._FLAGS["fastmath"]}
    kernel = numba.njit(error_model="numpy", **options)(kernels._heat_bath.py_func)
    kernel(
        lattice._black, lattice._white, 0, lattice._random, lattice._couplings, None, present, lattice._sites,
        (True, True),
    )  # fmt: skip
    instructions = kernel.inspect_asm(kernel.signatures[0])
    packed = re.findall(r"v(?:mul|add|sub|f\w+)ps|(?:mul|add|sub)ps", instructions)
    roots = re.findall(r"v?sqrtps", instructions)
    assert len(roots) >= 2 and len(packed) > 50


def test_no_interaction_at_all():
    hamiltonian = Hamiltonian(J=0.0, D=0.0, B=0.0)
    lattice = MonteCarlo(hamiltonian, (32, 32))
    lattice.heat_bath(0.1, 3, 2)
    spins = lattice.spins
    assert np.abs(spins.mean(axis=(0, 1))).max() < 4.0 / np.sqrt(3.0 * 32 * 32)
    assert lattice.relax() == (0.0, 0)
    assert np.isfinite(anneal(hamiltonian, (4, 4), QUICK)).all()


def test_overflow_is_reported():
    from keras_evae.errors import NumericalError

    with pytest.raises(NumericalError, match="single precision"):
        anneal(Hamiltonian(J=1e30), (4, 4), QUICK)


@pytest.mark.parametrize(
    "boundary, shape, message",
    [
        ("periodic", (4, 5), "even number of sites along the periodic x axis, at least 4"),
        ("periodic", (5, 4), "even number of sites along the periodic y axis"),
        ("periodic", (2, 4), "at least 4"),
        ("periodic", (4, 2), "at least 4"),
        ("open", (4, 5), "even number of sites along the open x axis, at least 2"),
        ("open", (0, 4), "a number of sites along the open y axis, at least 1"),
        ("open", (4, 4, 3), r"lattice shape \(y, x\)"),
        ("open", (2, 2**18), "transpose"),
    ],
)
def test_shapes_that_do_not_fit(boundary, shape, message):
    with pytest.raises(ValueError, match=message):
        anneal(Hamiltonian(boundary=boundary), shape)
    with pytest.raises(ValueError, match="Received: shape="):
        anneal_many(Hamiltonian(boundary=boundary), shape, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start_temperature": 0.0},
        {"end_temperature": float("nan")},
        {"start_temperature": 0.1, "end_temperature": 0.2},
        {"temperatures": 0},
        {"sweeps": 1.5},
        {"over_relaxation": -1},
        {"torque_tolerance": 0.0},
        {"max_greedy_sweeps": True},
    ],
)
def test_schedules_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match=rf"`{list(arguments)[-1]}` must .* Received: "):
        AnnealingSchedule(**arguments)


def test_other_errors():
    lattice = MonteCarlo(Hamiltonian(), (4, 4))
    with pytest.raises(ValueError, match="temperatures above 0"):
        lattice.heat_bath(0.0)
    with pytest.raises(ValueError, match="spins of shape"):
        lattice.spins = np.zeros((4, 6, 3))
    with pytest.raises(ValueError, match="unit vectors"):
        lattice.spins = np.full((4, 4, 3), np.nan)
    with pytest.raises(ValueError, match="seed below 2\\^64"):
        anneal(Hamiltonian(), (4, 4), seed=2**64)
    with pytest.raises(ValueError, match="`workers`"):
        anneal_many(Hamiltonian(), (4, 4), workers=0)


def test_schedule_counts_its_sweeps():
    schedule = AnnealingSchedule(2.0, 0.02, temperatures=3, sweeps=4, over_relaxation=5)
    np.testing.assert_allclose(schedule.temperature_steps(), [2.0, 0.2, 0.02])
    assert schedule.thermal_sweeps == 3 * 4 * 6

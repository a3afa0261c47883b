"""Thermal averages against closed forms and quadratures, within four standard errors; exchange; errors; repetition."""

import numpy as np
import pytest
from scipy import special
from scipy.signal import lfilter

from keras_evae.analysis import charge_of
from keras_evae.dataset.thermal_averages import _variance, sample
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.tempering import count_round_trips, even_temperatures
from tests.helpers.thermal import logistic_slope, mean_and_error

FREE = {"J": 0.0, "D": 0.0, "B": 0.0}
# Pairs of neighbours along x, far from each other: 64 of them.
PAIRS = np.zeros((32, 32), bool)
PAIRS[::4, ::4] = PAIRS[::4, 1::4] = True
# The ends of the steps of all numerical derivatives.
STEPS = 1e-4 * np.arange(-2, 3)


def thermal(log_weight, temperature, sites):
    """E/N and heat capacity from log Z(1/T), by differences."""
    values = np.array([log_weight(1.0 / temperature + step) for step in STEPS])
    first, second = np.gradient(values, 1e-4)[2], np.diff(values, 2)[1] / 1e-8
    return {"energy": -first / sites, "heat_capacity": second / temperature**2 / sites}


def one_spin(B, K):
    """log Z of a spin in a field along z with anisotropy K, by quadrature over S_z."""
    z, weights = np.polynomial.legendre.leggauss(200)
    return lambda beta: np.log(np.sum(weights * np.exp(beta * (B * z + K * z**2))))


def two_spins(J, D, B):
    """log Z of a pair along x: quadrature over the first spin, whose field on the second one is integrated exactly."""
    z, weights = np.polynomial.legendre.leggauss(100)
    angle = np.arange(100) * 2 * np.pi / 100
    radius = np.sqrt(1 - z**2)[:, None]
    x, y, z = radius * np.cos(angle), radius * np.sin(angle), z[:, None]
    # D d.(S x S') with d = z x r = y: D (S_z S'_x - S_x S'_z).
    field = np.sqrt((J * x + D * z) ** 2 + (J * y) ** 2 + (J * z - D * x + B) ** 2)
    return lambda beta: np.log(np.sum(weights[:, None] * np.exp(beta * B * z) * np.sinh(beta * field) / (beta * field)))


def ring(J, count):
    """log Z of a ring of Heisenberg spins: sum over l of (2 l + 1) i_l(J / T)^count."""
    order = np.arange(30)
    return lambda beta: np.log(np.sum((2 * order + 1) * special.spherical_in(order, beta * J) ** count))


def chain(J, T):
    K = J / T
    return {"energy": -J * (1 / np.tanh(K) - 1 / K) * 63 / 64, "heat_capacity": (1 - K**2 / np.sinh(K) ** 2) * 63 / 64}


CASES = {
    "one spin in a field": (Hamiltonian(**FREE | {"B": 0.8}), (16, 16), 0.5, thermal(one_spin(0.8, 0), 0.5, 1)),
    "easy axis": (Hamiltonian(**FREE, K=2.0), (16, 16), 1.0, thermal(one_spin(0, 2), 1.0, 1)),
    "easy plane": (Hamiltonian(**FREE, K=-2.0), (16, 16), 1.0, thermal(one_spin(0, -2), 1.0, 1)),
    "two spins": (Hamiltonian(D=0.8, B=0.6, mask=PAIRS), (32, 32), 0.4, thermal(two_spins(1, 0.8, 0.6), 0.4, 2)),
    "2 x 2": (Hamiltonian(D=0, B=0, boundary="open"), (2, 2), 0.5, thermal(ring(1, 4), 0.5, 4)),
    "chain": (Hamiltonian(D=0, B=0, boundary="open"), (1, 64), 0.5, chain(1.0, 0.5)),
    # Second order in 1/T: kappa_3 comes from a bond and the field on both of its ends.
    "hot": (Hamiltonian(D=0.5, B=1.0), (32, 32), 20.0,
            {"energy": -(2 * (1 / 3 + 0.5**2 * 2 / 9) + 1 / 3) / 20 - 12 / 9 / 2 / 20**2}),
}  # fmt: skip


def assert_within(result, name, expected, index=0):
    value, error = (getattr(result, each)[index] for each in (name, f"{name}_error"))
    assert abs(value - expected) < 4 * error, (name, value, error, expected)
    return error


@pytest.mark.parametrize("case", CASES)
def test_closed_forms_and_quadratures(case):
    hamiltonian, shape, temperature, expected = CASES[case]
    result = sample(hamiltonian, shape, [temperature], 12_000, 300, seed=3, interval=2, over_relaxation=1)
    assert assert_within(result, "energy", expected["energy"]) < 0.006
    if "heat_capacity" in expected:
        assert assert_within(result, "heat_capacity", expected["heat_capacity"]) < 0.03
    assert_within(result, "spin_temperature", temperature)


def test_magnetisation_of_free_spins():
    """Langevin: mean L, variance 1 - 2 L / a - L^2 along the field and L / a across; four free spins."""
    a = 0.8 / 0.5
    langevin = 1 / np.tanh(a) - 1 / a
    result = sample(Hamiltonian(**FREE | {"B": 0.8}), (16, 16), [0.5], 12_000, seed=5, interval=2)
    for axis, (mean, variance) in enumerate([(0, langevin / a)] * 2 + [(langevin, 1 - 2 * langevin / a - langevin**2)]):
        for name, expected in (("magnetization", mean), ("susceptibility", variance / 0.5)):
            value, error = getattr(result, name)[0, axis], getattr(result, f"{name}_error")[0, axis]
            assert abs(value - expected) < 4 * error < 0.05
    # In a field |M| is as good as M_z.
    assert result.susceptibility_modulus[0] == pytest.approx(result.susceptibility[0, 2], rel=0.05)
    # |M|^2 of n free spins: mean n, and <|M|^4> = 5/3 n^2 - 2/3 n.
    free = sample(Hamiltonian(**FREE, boundary="open"), (2, 2), [1.0], 12_000, seed=6, interval=2)
    error = assert_within(free, "binder_cumulant", 1 - (5 / 3 * 16 - 2 / 3 * 4) / (3 * 16))
    squares = np.sum(free.series[0, :, 1:4] ** 2, axis=-1)
    blocks = [1 - np.mean(block**2) / (3 * np.mean(block) ** 2) for block in np.array_split(squares, 40)]
    assert 0.7 < error / (np.std(blocks) / np.sqrt(40)) < 1.4


def test_variances_of_short_series_have_no_bias(caplog):
    """Correlated numbers vary less about their own mean; a series that is too short for its errors is said."""
    noise = np.random.default_rng(1).normal(size=(1000, 150))
    series = lfilter([1.0], [1.0, -0.8], noise)[:, 50:]
    values, errors = np.array([_variance(each, 2.0) for each in series]).T
    assert values.mean() == pytest.approx(1 / (1 - 0.8**2) / 2, rel=0.05)
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)
    arguments = {"temperatures": [0.05], "sweeps": 20, "thermalization": 0, "interval": 1, "charge_interval": 20}
    sample(Hamiltonian(), (32, 32), **arguments, over_relaxation=0)
    assert "ten autocorrelation times at T = 0.05, found 20; errors are too small" in caplog.text
    caplog.clear()
    sample(Hamiltonian(**FREE), (32, 32), **arguments)
    assert not caplog.text


SYSTEM = {"hamiltonian": Hamiltonian(D=0.5, B=0.2), "shape": (8, 8), "sweeps": 12_000, "thermalization": 1000,
          "interval": 4, "charge_interval": 300, "over_relaxation": 2}  # fmt: skip
TEMPERATURES = np.array([0.45, 0.5, 0.55, 0.6])


@pytest.fixture(scope="module")
def apart():
    return sample(**SYSTEM, temperatures=TEMPERATURES, seed=1)


@pytest.fixture(scope="module")
def together():
    return sample(**SYSTEM, temperatures=TEMPERATURES, seed=2, exchange=True)


def test_heat_capacity_is_the_slope_of_the_energy(apart):
    """Over three steps, by Simpson's rule of four points."""
    weights = np.array([1, 3, 3, 1]) * 0.05 * 3 / 8
    rise, error = apart.energy[-1] - apart.energy[0], np.hypot(*apart.energy_error[[0, -1]])
    error = np.hypot(error, np.linalg.norm(weights * apart.heat_capacity_error))
    assert abs(weights @ apart.heat_capacity - rise) < 4 * error < 0.05


def test_exchange_changes_no_average(apart, together):
    for name in ("energy", "heat_capacity", "magnetization", "susceptibility_modulus", "charge", "spin_temperature"):
        values, errors = ([getattr(each, name + end) for each in (apart, together)] for end in ("", "_error"))
        assert np.all(np.abs(values[0] - values[1]) < 4 * np.hypot(*errors)), name
    assert together.round_trips > 10
    # Two copies that go once to the other end and back.
    assert count_round_trips(np.array([[0, 1], [1, 0], [0, 1]])) == 2
    for each in (apart, together):
        np.testing.assert_allclose(each.charge_susceptibility, each.charge_series.var(axis=-1) / 64, rtol=0.2)


@pytest.mark.parametrize("name", ["apart", "together"])
def test_histograms_of_neighbouring_temperatures(name, request):
    """log(p2 / p1) has the slope 1/T1 - 1/T2 in the energy."""
    series = request.getfixturevalue(name).series[..., 0]
    for low in range(3):
        pairs = zip(*(np.array_split(series[place], 20) for place in (low, low + 1)), strict=True)
        slopes = [logistic_slope(*pair) for pair in pairs]
        mean, error = mean_and_error(slopes, 20)
        assert abs(mean - (1 / TEMPERATURES[low] - 1 / TEMPERATURES[low + 1])) < 4 * error < 0.2


def test_acceptance_follows_from_independent_energies(apart, together):
    for pair in range(3):
        first, second = apart.series[pair : pair + 2, :, 0]
        inverse = 1 / TEMPERATURES[pair] - 1 / TEMPERATURES[pair + 1]
        accepted = np.minimum(1, np.exp(inverse * (first[:1000, None] - second[None, ::3])))
        tried = len(first) // 2
        error = np.hypot(0.5 / np.sqrt(tried), accepted.mean(axis=1).std() * np.sqrt(8 / 1000))
        assert abs(together.acceptance[pair] - accepted.mean()) < 4 * error < 0.15


def test_even_acceptance():
    temperatures = [0.4, 0.41, 0.43, 0.46, 0.6]
    result = sample(**SYSTEM | {"sweeps": 6000}, temperatures=temperatures, exchange=True, even_acceptance=True)
    assert result.temperatures[[0, -1]].tolist() == [0.4, 0.6] and np.all(np.diff(result.temperatures) > 0)
    assert np.ptp(result.acceptance) < 0.25 < result.acceptance.min()
    # A constant heat capacity: sigma = T, and equal steps of log T.
    linear = np.linspace(1.0, 2.0, 101)
    np.testing.assert_allclose(even_temperatures(linear, linear**2), np.geomspace(1.0, 2.0, 101), rtol=1e-3)


@pytest.mark.parametrize("exchange", [False, True])
@pytest.mark.parametrize("hamiltonian", [Hamiltonian(dmi="bloch", K=0.2), Hamiltonian(J2=0.2), Hamiltonian(J=-1)])
def test_same_bits_for_any_workers(hamiltonian, exchange):
    arguments = {"shape": (8, 16), "temperatures": [0.4, 0.5, 0.7], "sweeps": 120, "thermalization": 20, "keep": 2,
                 "charge_interval": 20, "exchange": exchange}  # fmt: skip
    one = sample(hamiltonian, **arguments, workers=1)
    other = sample(hamiltonian, **arguments, workers=3)
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.spins.shape == (3, 2, 8, 16, 3) and one.charge_series.shape == (3, 6)
    charges = charge_of(one.spins, hamiltonian)
    np.testing.assert_allclose(one.charge_series[:, 2::3], charges, atol=1e-3)
    energies = hamiltonian.energy(one.spins[:, -1].astype(np.float64))
    np.testing.assert_allclose(one.series[:, -1, 0] if not exchange else np.sort(energies), np.sort(energies)
                               if exchange else energies, rtol=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"temperatures": [0.0, 1.0]}, "`temperatures` must be a finite number above 0"),
        ({"temperatures": [1.0, 0.5], "exchange": True}, "`temperatures` must be rising"),
        ({"temperatures": [1.0], "exchange": True}, "`temperatures` must be two at least"),
        ({"charge_interval": 15}, "`charge_interval` must be a multiple of 10"),
        ({"sweeps": 100}, "`sweeps` must be a multiple of 300"),
        ({"keep": 3}, "`keep` must be at most"),
        ({"even_acceptance": True}, "`even_acceptance` must be False without exchange"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        sample(Hamiltonian(), (8, 8), **{"temperatures": [0.5, 1.0], "sweeps": 600} | arguments)


def test_masks_and_bloch_directions():
    geometry = make_geometry("disc", 12)
    hamiltonian = Hamiltonian(mask=geometry.mask, boundary=geometry.boundary, dmi="bloch", B=0.3, K=-0.5)
    result = sample(hamiltonian, geometry.mask.shape, [0.3, 0.6], 300, 50, keep=1)
    spins = result.spins[:, -1].astype(np.float64)
    np.testing.assert_allclose(result.series[:, -1, 1:4], spins.sum(axis=(1, 2)), atol=1e-4)
    np.testing.assert_allclose(result.series[:, -1, 4], (hamiltonian.torque(spins) ** 2).sum(axis=(1, 2)), rtol=1e-5)

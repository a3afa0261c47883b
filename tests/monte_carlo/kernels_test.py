"""The random generator and the scalar functions of the kernels, and that the compiler vectorises them."""

import platform
import re

import numba
import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo import checkerboard, kernels
from keras_evae.monte_carlo.checkerboard import MonteCarlo


def evaluate(function, *arguments):
    """A scalar kernel function on arrays."""
    return numba.njit(lambda *columns: [function(*row) for row in zip(*columns)])(*arguments)  # noqa: B905


def test_generator_is_xoshiro128_plus_with_distinct_streams():
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


@pytest.mark.parametrize("periodic", [(True, True), (True, False), (False, True), (False, False)])
def test_winding_number_is_the_topological_charge(periodic):
    """Of uniform spins, hot and magnetised, with absent sites too; spins that are nearly opposite are left to it."""
    random, decided = np.random.default_rng(2), 0
    for shape in ((1, 1), (1, 8), (8, 1), (7, 12), (32, 20)):
        for state in range(20):
            spins = random.normal((0, 0, state % 3), size=(*shape, 3)).astype(np.float32)
            spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
            spins[random.random(shape) < 0.2 * (state % 2)] = 0.0
            components = np.moveaxis(spins, -1, 0).copy()
            found = kernels.winding_number(components, periodic)
            decided += np.isfinite(found)
            assert np.isnan(found) or abs(found - topological_charge(spins, periodic)) < 1e-10
    assert decided > 80
    components[:, 3, 4:6] = np.transpose([(0, 0, 1), (1e-5, 0, -1)])
    assert np.isnan(kernels.winding_number(components, periodic))


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

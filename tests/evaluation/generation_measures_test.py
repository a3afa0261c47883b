"""Measures of the table of generation, on good, bad and degenerate states."""

import dataclasses
import math

import numpy as np
import pytest

from keras_evae.analysis import fft_mse
from keras_evae.evaluation.generation_measures import (
    estimate,
    measure_set,
    nearest_training,
    ratio,
    same_charge,
    same_lattice,
    structure_distance,
)
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from keras_evae.symmetry import random_symmetry
from tests.helpers.states import random_spins, uniform

H, SHAPE = Hamiltonian(), (64, 96)


@pytest.fixture(scope="module")
def good():
    """Two lattices, moved about: four states of each."""
    random = np.random.default_rng(0)
    lattices = [triangular_skyrmions(Hamiltonian(D=D), SHAPE)[1] for D in (0.3, 0.38)]
    return np.stack([random_symmetry(lattices[k // 4], H, random) for k in range(8)]).astype(np.float32)


def test_good_states(good):
    found = measure_set(good, H)
    assert found.mean("psi6")[0] > 0.9 and found.mean("defects")[0] < 0.05
    assert found.mean("fft_mse")[0] == pytest.approx(fft_mse(good), rel=1e-5)
    # 12 of 28 pairs are of one lattice.
    assert same_lattice(good, H)[0] == pytest.approx(12 / 28)
    assert nearest_training(good, good[[0, 4]], H)[0] < 1e-4
    assert structure_distance(found.rings, found.rings)[0] == 0.0 and same_charge(found, found) == (1.0, 0.0)
    assert structure_distance(*np.eye(2)[[[0, 0], [1, 1]]])[0] == 1.0
    one_more = dataclasses.replace(found, values={**found.values, "charge": found.values["charge"] + 1})
    assert same_charge(found, one_more) == (0.0, 0.0)


def test_bad_states_by_every_measure(good):
    found = measure_set(np.repeat(good[:1], 5, axis=0), H)
    assert found.mean("fft_mse")[0] < 1e-20 and same_lattice(found.spins, H) == (1.0, 0.0)
    assert found.mean("energy_per_site")[1] == pytest.approx(0.0, abs=1e-12)
    found = measure_set(np.repeat(uniform(SHAPE)[None], 3, axis=0), H)
    assert all(math.isnan(found.mean(name)[0]) for name in ("psi6", "radius_sites", "defects"))
    assert found.mean("charge") == (0.0, 0.0) and found.mean("fft_mse")[0] == 0.0
    assert math.isnan(ratio((1.0, 0.1), found.mean("fft_mse"))[0])
    # One per cent of either.
    assert ratio((2.0, 0.02), (8.0, 0.08)) == (0.25, pytest.approx(0.0025 * math.sqrt(2)))
    found, reference = measure_set(random_spins(6, *SHAPE), H), measure_set(good, H)
    assert found.mean("energy_per_site")[0] > -0.1 and found.mean("psi6")[0] < 0.6 and found.mean("defects")[0] > 0.5
    assert structure_distance(found.rings, reference.rings)[0] > 0.5 and same_lattice(found.spins, H)[0] == 0.0
    assert nearest_training(found.spins, good, H)[0] > 1.5 and same_charge(found, measure_set(good[:6], H))[0] < 0.5


def test_standard_errors_cover_the_mean():
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(400, 25))
    estimates = [estimate(np.append(row, np.nan)) for row in draws]
    scores = [(mean - 3.0) / error for mean, error in estimates]
    assert 0.9 < np.std(scores) < 1.2

"""Copies of a state are found, other states are kept apart."""

import numpy as np
import pytest

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.distinct import distinct_states
from keras_evae.minima.relaxation import relax_states
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from keras_evae.symmetry import apply_point_operation, point_group
from tests.helpers.states import random_spins, uniform


@pytest.fixture(scope="module")
def lattice():
    h = Hamiltonian()
    return relax_states(triangular_skyrmions(h, (32, 48))[1][None], h)[0]


def group(states, hamiltonian):
    energies = hamiltonian.energy_per_site(np.asarray(states, np.float64))
    return distinct_states(np.asarray(states), energies, hamiltonian)


def test_shifted_and_turned_copies_are_one_state(lattice):
    h = Hamiltonian()
    turned = [apply_point_operation(lattice, operation, h.dmi) for operation in point_group(h, lattice.shape[:2])]
    copies = [np.roll(state, (5 * k, -7 * k), axis=(0, 1)) for k, state in enumerate(turned)]
    assert len(copies) > 1
    (members,) = group(copies, h)
    assert sorted(members) == list(range(len(copies)))


def test_other_states_are_kept_apart(lattice):
    up = uniform(lattice.shape[:2]).astype(np.float32)
    found = group([up, lattice, np.roll(lattice, 3, axis=0), up], Hamiltonian())
    assert [sorted(members) for members in found] == [[1, 2], [0, 3]]
    assert distinct_states(np.stack((lattice, lattice)), np.array([-2.0, -2.0 - 2e-5]), Hamiltonian()) == [[1], [0]]
    # Without Dzyaloshinskii-Moriya interaction and field, all uniform states have one energy.
    h = Hamiltonian(D=0.0, B=0.0)
    states = [uniform((16, 16), direction) for direction in ((0, 0, 1.0), (0, 0.6, 0.8))]
    assert len(group(states, h)) == 2


def test_translations_along_open_edges_are_other_states(lattice):
    h = Hamiltonian(boundary=("open", "periodic"))
    energies = np.full(2, -2.0)
    for axis, count in ((0, 2), (1, 1)):
        states = np.stack((lattice, np.roll(lattice, 5, axis=axis)))
        assert len(distinct_states(states, energies, h)) == count
    h, state = sample("wire", (12, 32))
    assert count_states(state, np.roll(state, 5, axis=1), h) == 1
    assert count_states(state, np.roll(state, 1, axis=0), h) == 2


def sample(shape, size):
    """A Hamiltonian on a sample of a shape, and a random state of it."""
    geometry = make_geometry(shape, size)
    h = Hamiltonian(mask=geometry.mask, boundary=geometry.boundary)
    return h, random_spins(*geometry.lattice_shape) * geometry.mask[..., None]


def count_states(first, second, hamiltonian):
    return len(distinct_states(np.stack((first, second)), np.full(2, -2.0), hamiltonian))


@pytest.mark.parametrize("shape, symmetries", [("triangle", 2), ("hexagon", 4), ("square", 8)])
def test_copies_by_the_mirrors_and_turns_of_a_shape_alone(shape, symmetries):
    h, state = sample(shape, 14)
    whole = Hamiltonian(boundary=("open", "open"))
    images = [apply_point_operation(state, operation) for operation in point_group(whole, state.shape[:2])]
    assert [count_states(state, image, h) for image in images].count(1) == symmetries
    mirrored = apply_point_operation(state, (False, False, True))
    assert count_states(state, mirrored, h) == 1 and count_states(state, np.roll(mirrored, 1, axis=1), h) == 2

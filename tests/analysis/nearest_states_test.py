"""Distances up to symmetry: copies are seen through every symmetry, and through no operation that is none."""

import numpy as np
import pytest

from keras_evae.analysis import align
from keras_evae.analysis.nearest_states import nearest_distances, symmetric_distances
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.skyrmion_lattices import triangular_skyrmions
from keras_evae.symmetry import random_symmetry
from tests.helpers.states import random_spins, uniform


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
@pytest.mark.parametrize("shape", [(16, 32), (32, 32)])
def test_copies_are_found_among_many(shape, dmi):
    hamiltonian, random = Hamiltonian(dmi=dmi), np.random.default_rng(1)
    others = random_spins(40, *shape)
    copies = np.stack([random_symmetry(state, hamiltonian, random) for state in others[[3, 17, 39]]])
    np.testing.assert_allclose(nearest_distances(copies, others, hamiltonian), 0.0, atol=1e-5)
    assert nearest_distances(random_spins(2, *shape, seed=9), others, hamiltonian).min() > 1.5


def test_agrees_with_the_alignment_of_two_states():
    hamiltonian, shape = Hamiltonian(), (64, 96)
    _, lattice = triangular_skyrmions(hamiltonian, shape)
    # Skyrmions that are moved by a third of a site, by their Fourier series.
    waves = np.exp(-2j * np.pi * np.fft.fftfreq(shape[1]) * (5 + 1 / 3))[None, :, None]
    slid = np.fft.ifft2(np.fft.fft2(lattice, axes=(0, 1)) * waves, axes=(0, 1)).real
    states = np.stack([slid, lattice[::-1], np.roll(lattice, 7, axis=0)])
    found = symmetric_distances(states, lattice[None], hamiltonian)[:, 0]
    expected = [align(state, lattice, hamiltonian, sliding=True).distance for state in states]
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert found[0] < 2e-4 < 1e-3 < align(slid, lattice, hamiltonian).distance and found[2] < 1e-5


def test_open_edges_and_uniform_states():
    hamiltonian, state = Hamiltonian(boundary="open"), random_spins(1, 16, 16)
    turned = random_symmetry(state[0], hamiltonian, np.random.default_rng(2))[None]
    assert symmetric_distances(turned, state, hamiltonian)[0, 0] < 1e-5
    assert symmetric_distances(np.roll(state, 1, axis=1), state, hamiltonian)[0, 0] > 1.5
    up = uniform((16, 32))[None]
    np.testing.assert_allclose(symmetric_distances(np.concatenate((up, -up)), up, Hamiltonian()), [[0.0], [4.0]])

"""Neighbours and colours of lattices with edges and absent sites."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.lattice import Lattice

EDGES = list(itertools.product((False, True), repeat=2))


def random_lattice(number, periodic):
    random = np.random.default_rng(number)
    shape = tuple(int(side) for side in random.integers(3, 9, size=2))
    mask = random.random(shape) < 0.7 if number % 2 else None
    return Lattice(shape, periodic, mask), random


def neighbour_by_site(lattice, y, x, dy, dx):
    """Row and column of a neighbour, or None if there is none."""
    place = []
    for start, step, side, periodic in zip((y, x), (dy, dx), lattice.shape, lattice.periodic, strict=True):
        reached = start + step
        if not periodic and not 0 <= reached < side:
            return None
        place.append(reached % side)
    here = lattice.mask is None or (lattice.mask[y, x] and lattice.mask[tuple(place)])
    return tuple(place) if here else None


@pytest.mark.parametrize("periodic", EDGES)
@pytest.mark.parametrize("number", range(4))
def test_neighbours_site_by_site(number, periodic):
    lattice, random = random_lattice(number, periodic)
    spins = random.normal(size=(2, *lattice.shape, 3))
    for dy, dx in ((0, 1), (0, -1), (1, 0), (1, -1), (-2, 1), (0, 3), (0, 0)):
        values = lattice.neighbour(spins, dy, dx)
        numbers = lattice.neighbour_sites(dy, dx).reshape(lattice.shape)
        for y, x in itertools.product(*map(range, lattice.shape)):
            other = neighbour_by_site(lattice, y, x, dy, dx)
            expected = np.zeros((2, 3)) if other is None else spins[:, *other]
            np.testing.assert_array_equal(values[:, y, x], expected)
            missing = lattice.shape[0] * lattice.shape[1]
            assert numbers[y, x] == (missing if other is None else other[0] * lattice.shape[1] + other[1])
        np.testing.assert_array_equal(lattice.neighbour(tf.constant(spins), dy, dx), values)


@pytest.mark.parametrize("periodic", EDGES)
@pytest.mark.parametrize("number", range(4))
def test_sums_of_present_sites(number, periodic):
    lattice, random = random_lattice(number, periodic)
    first, second = random.normal(size=(2, 2, *lattice.shape, 3))
    present = np.ones(lattice.shape, bool) if lattice.mask is None else lattice.mask
    products = np.einsum("nyxa,nyxa->nyx", first, second)
    np.testing.assert_allclose(lattice.dot(first, second), products[..., None])
    np.testing.assert_allclose(lattice.total(first * second), products[:, present].sum(axis=1))
    np.testing.assert_allclose(lattice.total(lattice.dot(first, second)), products[:, present].sum(axis=1))
    tensors = tf.constant(first), tf.constant(second)
    np.testing.assert_allclose(lattice.total(lattice.dot(*tensors)), products[:, present].sum(axis=1))
    assert lattice.dot(*(tf.cast(tensor, tf.float32) for tensor in tensors)).dtype == tf.float32


@pytest.mark.parametrize("reach", [0, 1, 2, 3])
@pytest.mark.parametrize("periodic", EDGES)
@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (9, 11), (3, 13)])
def test_sites_of_a_colour_do_not_interact(shape, periodic, reach):
    for mask in (None, np.random.default_rng(0).random(shape) < 0.6):
        lattice = Lattice(shape, periodic, mask)
        colours = lattice.colours(reach)
        together = np.sort(np.concatenate(colours))
        np.testing.assert_array_equal(together, np.flatnonzero(np.ones(shape, bool) if mask is None else mask))
        steps = [s for s in itertools.product(range(-reach, reach + 1), repeat=2) if s != (0, 0)]
        for sites in colours:
            for step in steps:
                # On a side not longer than the reach a site meets itself, which the sampler refuses.
                others = lattice.neighbour_sites(*step)[sites]
                assert not np.isin(others[others != sites], sites).any()
    assert len(Lattice((8, 12), (True, True)).colours(1)) == 4
    assert len(Lattice((9, 12), (True, True)).colours(2)) == 9

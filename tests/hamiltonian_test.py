"""Energies and fields against closed forms, symmetries and a double loop over bonds."""

import copy
import dataclasses
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.states import random_spins, uniform

SHAPES = [(6, 8), (8, 6), (4, 10)]
BOUNDARIES = ["periodic", "open", ("open", "periodic"), ("periodic", "open")]
GEOMETRIES = list(itertools.product(["neel", "bloch"], BOUNDARIES))


def cycloid(shape, periods, axis, chirality):
    """S = (sin qx, 0, cos qx) along x (axis 1), S = (0, sin qy, cos qy) along y (axis 0)."""
    angle = 2 * np.pi * periods * np.arange(shape[axis]) / shape[axis]
    spins = np.zeros((*shape, 3))
    profile = (slice(None), None) if axis == 0 else (None, slice(None))
    spins[..., 1 - axis] = chirality * np.sin(angle)[profile]
    spins[..., 2] = np.cos(angle)[profile]
    return spins


def energy_by_bonds(h, spins):
    """Plain double loop over sites and their right and up bonds."""
    height, width, _ = spins.shape
    present = np.ones((height, width), bool) if h.mask is None else h.mask
    total = 0.0
    for y, x in itertools.product(range(height), range(width)):
        if not present[y, x]:
            continue
        site = spins[y, x]
        total -= h.B * site[2] + h.K * site[2] ** 2
        for axis, (dy, dx) in enumerate([(1, 0), (0, 1)]):
            inside = y + dy < height and x + dx < width
            if not inside and not h.periodic[axis]:
                continue
            if not present[(y + dy) % height, (x + dx) % width]:
                continue
            other = spins[(y + dy) % height, (x + dx) % width]
            bond = np.array([dx, dy, 0.0])
            vector = np.cross([0.0, 0.0, 1.0], bond) if h.dmi == "neel" else bond
            total -= h.J * site @ other + h.D * vector @ np.cross(site, other)
        for dx in (1, -1):
            inside = (y + 1 < height or h.periodic[0]) and (0 <= x + dx < width or h.periodic[1])
            if inside and present[(y + 1) % height, (x + dx) % width]:
                total -= h.J2 * site @ spins[(y + 1) % height, (x + dx) % width]
    return total


Q = 2 * np.pi * 6 / 128
UP, ALONG = (0, 0, 1), (1, 0, 0)


@pytest.mark.parametrize(
    ("parameters", "spins", "energy_per_site"),
    [
        *[({"J": 1.3}, uniform(shape, UP), -2 * 1.3 - 0.05) for shape in SHAPES],
        ({"J": 1.3}, uniform((6, 8), ALONG), -2 * 1.3),
        # Integers as spins do not cut the parameters.
        ({}, uniform((6, 8), UP).astype(int), -2.05),
        # Open edges: 5 x 4 + 6 x 3 bonds, and the diagonals 2 x 4 x 6.
        ({"B": 0.2, "K": 0.1, "boundary": "open"}, uniform((6, 4), UP), -38 / 24 - 0.3),
        ({"J": 0.0, "D": 0.0, "J2": 1.0, "boundary": "open"}, uniform((5, 7), ALONG), -2 * 4 * 6 / 35),
        # Two diagonal bonds for each site. A cycloid along an axis turns by q across a diagonal too.
        ({"J2": 0.25}, uniform((6, 8), UP), -2.05 - 2 * 0.25),
        *[({"B": 0.0}, cycloid(shape, 6, axis, sign), -(1 + np.cos(Q)) - sign * 0.3 * np.sin(Q))
          for axis, shape in enumerate(((128, 16), (16, 128))) for sign in (1, -1)],
        ({"B": 0.0}, cycloid((16, 128), 6, 1, 1), -2.0440257389),
        ({"B": 0.0, "J2": 0.25}, cycloid((16, 128), 6, 1, 1), -1 - 1.5 * np.cos(Q) - 0.3 * np.sin(Q)),
    ],
)  # fmt: skip
def test_closed_forms(parameters, spins, energy_per_site):
    assert Hamiltonian(**parameters).energy_per_site(spins) == pytest.approx(energy_per_site, abs=1e-10)


def test_reference_energies_bound_and_round_trip():
    assert Hamiltonian(B=0.2, K=0.1, boundary="open").reference_energy_per_site((6, 4)) == pytest.approx(-38 / 24)
    assert Hamiltonian(J2=0.25).reference_energy_per_site((6, 8)) == -2.0
    h = Hamiltonian()
    assert h.reference_energy_per_site((128, 64)) == -2.0
    bound = -2 * np.hypot(h.J, h.D) - abs(h.B)
    assert bound == pytest.approx(-2.13806, abs=1e-5)
    assert np.all(h.energy_per_site(random_spins(50, 6, 8)) > bound)
    h = Hamiltonian(D=0.4, boundary=("open", "periodic"), dmi="bloch")
    assert Hamiltonian(**h.to_config()) == h
    assert Hamiltonian(boundary=("open", "open")) == Hamiltonian(boundary="open")


def test_symmetries_of_the_energy():
    spins = random_spins(6, 8)
    turned = np.stack((-spins[..., 1], spins[..., 0], spins[..., 2]), axis=-1)
    assert Hamiltonian(dmi="neel").energy(turned) == pytest.approx(Hamiltonian(dmi="bloch").energy(spins), abs=1e-12)
    spins = random_spins(8, 8)
    # Turning the lattice counter-clockwise: the site at (x, y) goes to (-y, x).
    lattice = np.rot90(spins, k=-1, axes=(0, 1))
    turned = np.stack((-lattice[..., 1], lattice[..., 0], lattice[..., 2]), axis=-1)
    for dmi in ("neel", "bloch"):
        h = Hamiltonian(dmi=dmi)
        assert h.energy(turned) == pytest.approx(h.energy(spins), abs=1e-12)
        assert abs(h.energy(lattice) - h.energy(spins)) > 1e-2
    spins = random_spins(6, 8)
    whole, masked = Hamiltonian(K=0.1), Hamiltonian(K=0.1, mask=np.ones((6, 8), bool))
    assert masked.energy_per_site(spins) == whole.energy_per_site(spins)
    assert masked.reference_energy_per_site((6, 8)) == whole.reference_energy_per_site((6, 8)) == -2.0


def random_case(number):
    """A Hamiltonian with random couplings on a whole lattice, a shape or a random mask, and spins everywhere."""
    random = np.random.default_rng(number)
    parameters = dict(zip("JDBK", random.normal(size=4).tolist(), strict=True))
    if number % 3:
        parameters["J2"] = float(random.normal())
    dmi = ("neel", "bloch")[number % 2]
    if number < 2 * len(SHAPES) * len(GEOMETRIES):
        # Whole lattices of all kinds, each with and without J2.
        dmi, boundary = GEOMETRIES[number % len(GEOMETRIES)]
        shape = SHAPES[number // len(GEOMETRIES) % len(SHAPES)]
        parameters["J2"] = 0.35 * (number // (len(SHAPES) * len(GEOMETRIES)))
        return Hamiltonian(**parameters, dmi=dmi, boundary=boundary), random_spins(*shape, seed=number)
    if number % 5 == 0:
        name = ("square", "disc", "triangle", "hexagon", "wire")[number // 5 % 5]
        geometry = make_geometry(name, (int(random.integers(3, 16)), 16) if name == "wire" else number % 7 + 4)
        mask, boundary = geometry.mask, geometry.boundary
    else:
        mask = random.random((random.integers(3, 10), random.integers(3, 10))) < random.uniform(0.2, 1.0)
        mask[0, -1] = True
        boundary = BOUNDARIES[random.integers(len(BOUNDARIES))]
    h = Hamiltonian(**parameters, dmi=dmi, boundary=boundary, mask=mask)
    return h, random_spins(*mask.shape, seed=number)


@pytest.mark.parametrize("number", range(100))
def test_energy_and_field_of_random_cases(number):
    h, spins = random_case(number)
    shape, present = spins.shape[:2], np.ones(spins.shape[:2], bool) if h.mask is None else h.mask
    assert h.energy(spins) == pytest.approx(energy_by_bonds(h, spins), rel=1e-12, abs=1e-12)
    assert h.energy_per_site(spins) == pytest.approx(h.energy(spins) / present.sum(), rel=1e-14)
    up = dataclasses.replace(h, D=0.0, B=0.0, K=0.0, J2=0.0)
    assert up.reference_energy_per_site(shape) == pytest.approx(up.energy_per_site(uniform(shape, (0, 0, 1))))
    # Spins outside do not matter, and feel nothing.
    field = h.effective_field(spins)
    np.testing.assert_array_equal(h.effective_field(spins * present[..., None]), field)
    np.testing.assert_array_equal(field[~present], 0.0)
    torque = np.linalg.norm(np.cross(spins, field), axis=-1)
    np.testing.assert_allclose(h.torque(spins), torque, rtol=1e-12, atol=1e-12)
    direction, step = random_spins(*shape, seed=number + 1000), 1e-5
    slope = (h.energy(spins + step * direction) - h.energy(spins - step * direction)) / (2 * step)
    assert -np.sum(field * direction) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("number", range(0, 100, 5))
def test_tensors_agree_with_arrays(number):
    h, spins = random_case(number)
    batch = np.stack([spins, -spins[..., ::-1]])
    tensor, weights = tf.constant(batch), np.array([0.5, -2.0])
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        energy = h.energy(tensor)
        weighted = tf.reduce_sum(weights * energy)
    np.testing.assert_allclose(energy, h.energy(batch), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(h.energy_per_site(tensor), h.energy_per_site(batch), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(h.effective_field(tensor), h.effective_field(batch), rtol=1e-12, atol=1e-13)
    expected = -np.reshape(weights, (2, 1, 1, 1)) * h.effective_field(batch)
    np.testing.assert_allclose(tape.gradient(weighted, tensor), expected, rtol=1e-12, atol=1e-13)
    single = batch.astype(np.float32)
    assert h.energy(single).dtype == h.effective_field(single).dtype == np.float32
    assert h.energy(tf.constant(single)).dtype == tf.float32


@pytest.mark.parametrize(("length", "fits"), [(1.0, True), (0.0, True), (1.0009, True), (1.0011, False), (0.5, False)])
def test_lengths_of_spins(length, fits):
    """One wrong vector among many states is named; tensors are not looked at, nor what lies outside of a mask."""
    spins = random_spins(70, 48, 64)
    spins[61, 5, 7] *= length
    h, mask = Hamiltonian(), np.ones((48, 64), bool)
    mask[5, 7] = False
    np.testing.assert_allclose(h.energy(tf.constant(spins[61])), Hamiltonian(mask=mask).energy(spins)[61], atol=5.0)
    if fits:
        assert h.energy(spins.astype(np.float16)).shape == (70,)
        assert h.energy(spins)[61] == h.energy(spins[61]) and h.energy(spins[:0]).shape == (0,)
    else:
        with pytest.raises(ValueError, match=rf"length {length:g} at \(y, x\) = \(5, 7\) of state 61"):
            h.energy(spins)


def test_masks_are_compared_hashed_copied_and_rebuilt():
    mask = make_geometry("disc", 12).mask
    h, same = Hamiltonian(mask=mask), Hamiltonian(mask=mask.tolist())
    other = Hamiltonian(mask=~mask)
    assert h == same and hash(h) == hash(same) and repr(h) == repr(same)
    assert h != other and h != Hamiltonian() and len({h, same, other, Hamiltonian()}) == 3
    rebuilt = Hamiltonian(**json.loads(json.dumps(h.to_config())))
    for copied in (rebuilt, copy.deepcopy(h), dataclasses.replace(h, B=0.05)):
        assert copied == h and np.array_equal(copied.mask, mask)
    # Neither a change of the caller's array nor one of the Hamiltonian's gets in.
    mask[:] = True
    assert h == same
    with pytest.raises(ValueError, match="read-only"):
        h.mask[0, 0] = True


def test_mask_fixes_the_shape_of_the_lattice():
    with pytest.raises(ValueError, match=r"\(\.\.\., y, x, 3\).*Received"):
        Hamiltonian().energy(np.zeros((4, 4)))
    h = Hamiltonian(mask=np.ones((4, 6), bool))
    for call in (h.energy, h.energy_per_site, h.effective_field):
        with pytest.raises(ValueError, match=r"mask's shape \(4, 6\). Received: \(6, 4\)"):
            call(random_spins(2, 6, 4))
    with pytest.raises(ValueError, match="mask's shape"):
        h.energy(tf.zeros((6, 4, 3)))
    with pytest.raises(ValueError, match="mask's shape"):
        h.reference_energy_per_site((6, 4))

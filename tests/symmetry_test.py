"""The augmentation conserves the energy, and is the symmetry group it says."""

import itertools

import numpy as np
import pytest

from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.symmetry import apply_point_operation, point_group, random_symmetry, translation_steps
from tests.helpers.energy_terms import Compass, FieldGradient, FourSpins, ThirdNeighbours
from tests.helpers.states import random_spins


@pytest.mark.parametrize(
    ("dmi", "boundary"), list(itertools.product(["neel", "bloch"], ["periodic", "open", ("open", "periodic")]))
)
@pytest.mark.parametrize("shape", [(8, 8), (6, 8)])
def test_point_group_conserves_the_energy(shape, dmi, boundary):
    h = Hamiltonian(D=0.4, B=0.1, K=0.1, dmi=dmi, boundary=boundary)
    spins = random_spins(*shape)
    operations = point_group(h, shape)
    assert len(operations) == (8 if shape == (8, 8) and isinstance(boundary, str) else 4)
    for operation in operations:
        turned = apply_point_operation(spins, operation, dmi)
        assert h.energy(turned) == pytest.approx(h.energy(spins), abs=1e-11)


def test_operations_are_distinct_and_those_of_the_dmi():
    spins = random_spins(8, 8)
    images = [apply_point_operation(spins, operation) for operation in point_group(Hamiltonian(), (8, 8))]
    for one, other in itertools.combinations(images, 2):
        assert np.abs(one - other).max() > 0.1
    h = Hamiltonian(dmi="neel")
    assert abs(h.energy(apply_point_operation(spins, (False, True, False), "bloch")) - h.energy(spins)) > 1e-2


@pytest.mark.parametrize("boundary", ["periodic", ("open", "periodic")])
def test_random_symmetry_conserves_the_energy_in_single_precision(boundary):
    h, random = Hamiltonian(boundary=boundary), np.random.default_rng(1)
    spins = random_spins(16, 16).astype(np.float32)
    energy = h.energy_per_site(spins.astype(np.float64))
    moved = [random_symmetry(spins, h, random) for _ in range(20)]
    assert all(image.dtype == np.float32 for image in moved)
    np.testing.assert_allclose(h.energy_per_site(np.stack(moved).astype(np.float64)), energy, rtol=1e-13)
    assert len({image.tobytes() for image in moved}) > 15


def masked(shape, size, dmi="neel", lattice=None, boundary=None):
    geometry = make_geometry(shape, size, lattice, boundary)
    return Hamiltonian(D=0.4, B=0.1, K=0.1, dmi=dmi, boundary=geometry.boundary, mask=geometry.mask)


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
@pytest.mark.parametrize(
    ("shape", "size", "lattice", "boundary", "elements", "steps"),
    [
        ("square", 12, None, None, 8, (16, 16)),
        ("square", 12, (16, 32), None, 4, (16, 32)),
        # An odd side has no middle in an even lattice; the transposition is left.
        ("square", 13, None, None, 2, (16, 16)),
        ("rectangle", (6, 12), None, None, 4, (16, 16)),
        ("disc", 14, None, None, 8, (16, 16)),
        ("hexagon", 14, None, None, 4, (16, 16)),
        ("triangle", 14, None, None, 2, (16, 16)),
        ("wire", (6, 16), None, None, 4, (16, 1)),
        ("wire", (16, 6), None, ("periodic", "open"), 4, (1, 16)),
    ],
)
def test_symmetries_of_each_shape(shape, size, lattice, boundary, elements, steps, dmi):
    h, random = masked(shape, size, dmi, lattice, boundary), np.random.default_rng(2)
    spins = random_spins(*h.mask.shape) * h.mask[..., None]
    operations = point_group(h, h.mask.shape)
    assert len(operations) == elements and translation_steps(h, h.mask.shape) == steps
    images = [apply_point_operation(spins, operation, dmi) for operation in operations]
    images += [random_symmetry(spins, h, random) for _ in range(20)]
    for image in images:
        np.testing.assert_array_equal(image.any(axis=-1), h.mask)
        assert h.energy(image) == pytest.approx(h.energy(spins), abs=1e-11)
    assert len({image.tobytes() for image in images[elements:]}) > min(elements, 10) / 2


def test_translations_keep_a_lattice_of_holes():
    mask = np.ones((12, 24), bool)
    mask[::6, ::8] = mask[1::6, ::8] = False
    h, random = Hamiltonian(mask=mask), np.random.default_rng(3)
    for terms, steps in (([], (6, 8)), ([Compass(0.1)], (6, 8)), ([FieldGradient(0.1)], (6, 24))):
        assert translation_steps(Hamiltonian(mask=mask, terms=terms), mask.shape) == steps
    spins = random_spins(*mask.shape) * mask[..., None]
    images = [random_symmetry(spins, h, random) for _ in range(60)]
    assert {image.any(axis=-1).tobytes() for image in images} == {mask.tobytes()}
    np.testing.assert_allclose(h.energy(np.stack(images)), h.energy(spins), rtol=1e-12)
    # Six translations; the mask has no mirror about the middle of the lattice but a combination of both.
    assert len({image.tobytes() for image in images}) == 6 * len(point_group(h, mask.shape))


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
@pytest.mark.parametrize(
    ("terms", "shape", "elements", "steps"),
    [
        ([], (8, 8), 8, (1, 1)),
        ([Compass(0.4)], (8, 8), 8, (1, 1)),
        ([ThirdNeighbours(0.4)], (8, 12), 4, (1, 1)),
        # Its bonds lie along x: no quarter turn.
        ([FourSpins(0.4)], (8, 8), 4, (1, 1)),
        # A field along x is turned by what turns x. With y it does not change.
        ([FieldGradient(0.4)], (8, 8), None, (1, 8)),
        ([FieldGradient(1e-7), Compass(10.0)], (8, 8), None, (1, 8)),
    ],
)
def test_symmetries_of_terms(terms, shape, elements, steps, dmi):
    h, random = Hamiltonian(D=0.4, K=0.1, J2=0.3, dmi=dmi, terms=terms), np.random.default_rng(4)
    operations = point_group(h, shape)
    assert translation_steps(h, shape) == steps
    spins = random_spins(*shape)
    images = [apply_point_operation(spins, operation, dmi) for operation in operations]
    images += [random_symmetry(spins, h, random) for _ in range(20)]
    np.testing.assert_allclose(h.energy(np.stack(images)), h.energy(spins), rtol=1e-12)
    # In Neel's case a mirror at the x axis leaves S_x, in Bloch's case it turns it round.
    expected = {(False, False, False)} | ({(False, True, False)} if dmi == "neel" else set())
    assert set(operations) == expected if elements is None else len(operations) == elements

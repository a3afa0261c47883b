"""Symmetries that leave the energy of a configuration unchanged: translations and the joint point group.

With a Dzyaloshinskii-Moriya interaction the lattice and the spins must be turned together. For Neel type
interaction the in-plane spin components transform like the lattice vectors; Bloch type is the same after a
quarter turn of the spins about z, so there a mirror gets the other sign.

What further terms of the energy have is found out: an operation counts as a symmetry if it leaves their energy of a
random state as it is. Energies are polynomials of the spins, and two of them that differ do so on almost every state.
"""

import functools
import itertools

import numpy as np

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.spin_arrays import random_spins

# Share of its parts by which rounding may change an energy.
ROUNDING = 1e-11
# (transpose, flip y, flip x): the eight elements of C4v.
PointOperation = tuple[bool, bool, bool]
# What they do to a picture with y upwards.
NAMES: dict[PointOperation, str] = {
    (False, False, False): "not turned",
    (False, False, True): "mirrored left to right",
    (False, True, False): "mirrored top to bottom",
    (False, True, True): "turned by 180 degrees",
    (True, False, False): "mirrored at the rising diagonal",
    (True, False, True): "turned by 90 degrees to the left",
    (True, True, False): "turned by 90 degrees to the right",
    (True, True, True): "mirrored at the falling diagonal",
}


@functools.lru_cache
def point_group(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[PointOperation, ...]:
    """Elements of the joint lattice and spin point group: C4v on a square lattice with equal edges, C2v otherwise.

    Of these only the ones, about the centre of the lattice, that leave the Hamiltonian's mask and terms as they are.
    """
    square = shape[0] == shape[1] and hamiltonian.periodic[0] == hamiltonian.periodic[1]
    operations = tuple(itertools.product((False, True) if square else (False,), (False, True), (False, True)))
    mask = hamiltonian.mask
    if mask is not None:
        operations = tuple(o for o in operations if np.array_equal(_move_sites(mask, o), mask))
    if hamiltonian.further_terms:
        spins = random_spins(np.random.default_rng(0), shape, mask)
        images = {o: apply_point_operation(spins, o, hamiltonian.dmi) for o in operations}
        operations = tuple(o for o in operations if _same_terms(hamiltonian, spins, images[o]))
    return operations


@functools.lru_cache
def translation_steps(hamiltonian: Hamiltonian, shape: tuple[int, int]) -> tuple[int, int]:
    """Smallest translation along the y and the x axis that is a symmetry; all are multiples of it.

    It is 1 along a periodic axis, the whole side along an open one; with a mask it is the period of the mask, with
    terms that of their energy too.
    """
    height, width = (
        next(step for step in range(1, side + 1) if _is_period(hamiltonian, shape, step, axis)) if closed else side
        for axis, (side, closed) in enumerate(zip(shape, hamiltonian.periodic, strict=True))
    )
    return height, width


def apply_point_operation(spins: np.ndarray, operation: PointOperation, dmi: str = "neel") -> np.ndarray:
    """Applies one element of the point group to lattice and spins: a transposition, then flips of the y and the x axis.

    The result is a new array `(..., y, x, 3)`, with y and x swapped if the operation transposes.
    """
    components = (
        _move_sites(spins[..., source], operation) * sign for source, sign in moved_components(operation, dmi)
    )
    return np.stack(tuple(components), axis=-1)


def moved_components(operation: PointOperation, dmi: str) -> tuple[tuple[int, float], ...]:
    """Which component of a spin, times which sign, a point operation makes its x, y and z."""
    transpose, flip_y, flip_x = operation
    sign = 1.0 if dmi == "neel" else -1.0
    (x, by_x), (y, by_y) = ((1, sign), (0, sign)) if transpose else ((0, 1.0), (1, 1.0))
    if flip_y:
        by_x, by_y = sign * by_x, -sign * by_y
    if flip_x:
        by_x, by_y = -sign * by_x, sign * by_y
    return (x, by_x), (y, by_y), (2, 1.0)


def random_symmetry(spins: np.ndarray, hamiltonian: Hamiltonian, random: np.random.Generator) -> np.ndarray:
    """One configuration `(y, x, 3)` under a random point operation and a random translation along periodic axes."""
    ((operation, shifts),) = draw_symmetries(hamiltonian, (spins.shape[0], spins.shape[1]), 1, random)
    # Only a square is transposed: the shape stays.
    return np.roll(apply_point_operation(spins, operation, hamiltonian.dmi), shifts, axis=(0, 1))


def draw_symmetries(
    hamiltonian: Hamiltonian, shape: tuple[int, int], count: int, random: np.random.Generator
) -> list[tuple[PointOperation, tuple[int, int]]]:
    """Random point operations, each with a translation `(y, x)` along periodic axes; all are equally likely."""
    operations, steps = point_group(hamiltonian, shape), translation_steps(hamiltonian, shape)
    drawn = random.integers(0, np.tile((len(operations), *shape), (count, 1)))
    # The steps divide the sides: each of their multiples is as likely.
    return [(operations[k], (y // steps[0] * steps[0], x // steps[1] * steps[1])) for k, y, x in drawn.tolist()]


def _is_period(hamiltonian: Hamiltonian, shape: tuple[int, int], step: int, axis: int) -> bool:
    mask = hamiltonian.mask
    # The smallest period divides the side.
    if shape[axis] % step or (mask is not None and not np.array_equal(np.roll(mask, step, axis), mask)):
        return False
    if not hamiltonian.further_terms:
        return True
    spins = random_spins(np.random.default_rng(0), shape, mask)
    return _same_terms(hamiltonian, spins, np.roll(spins, step, axis))


def _same_terms(hamiltonian: Hamiltonian, spins: np.ndarray, image: np.ndarray) -> bool:
    """Whether each term has the same energy for both."""
    lattice = hamiltonian.lattice((spins.shape[0], spins.shape[1]))
    for term in hamiltonian.further_terms:
        energies = [float(term.energy(state, lattice)) for state in (spins, image)]
        # Rounding is of the size of the parts of the energy, which the sum may have lost.
        parts = float(np.sum(np.abs(spins * term.field(spins, lattice))))
        if abs(energies[0] - energies[1]) > ROUNDING * parts:
            return False
    return True


def _move_sites(values: np.ndarray, operation: PointOperation) -> np.ndarray:
    """A point operation on numbers `(..., y, x)`."""
    transpose, flip_y, flip_x = operation
    if transpose:
        values = np.swapaxes(values, -1, -2)
    return values[..., :: -1 if flip_y else 1, :: -1 if flip_x else 1]

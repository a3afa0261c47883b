r"""Energy terms beyond nearest neighbours, field and anisotropy: second neighbours, and a user's own.

A term adds E' to the energy of `keras_evae.hamiltonian` and h'_i = -dE'/dS_i to the effective field. It is linear in
each single spin: then the heat bath draws from the exact distribution of a spin in its field, at any temperature.
docs/energies.md shows how to write one.
"""

import abc
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from keras_evae.errors import ConfigError, in_brief
from keras_evae.lattice import Lattice
from keras_evae.spin_arrays import random_spins

# Step of the finite differences, the directions and colours tried, and the deviations that rounding may cause.
STEP, DIRECTIONS, COLOURS, SLOPE_TOLERANCE, FIELD_TOLERANCE = 1e-4, 3, 64, 1e-5, 1e-9


class EnergyTerm(abc.ABC):
    """Base of a user's own energy term: `energy`, `field` and `reach`.

    Both methods get spins `(..., y, x, 3)`, arrays or tensors, zero vectors where the mask has no site, and a `Lattice`
    with its `neighbour(spins, dy, dx)`, `dot`, `total` and `shape`. Written with these and with + - *, a term
    serves NumPy, TensorFlow and the annealer alike. The field on a site must not depend on the spin of that site.

    The `repr` of a term says what it is, with all its parameters: by it Hamiltonians are compared, and datasets and
    runs keep it. A frozen dataclass has such a `repr`.

    The first use on a lattice checks the term there on a random state; see `check_term`.

    Attributes:
        reach: Largest |dy| and |dx| of two sites that interact; 0 for a field.
    """

    reach: ClassVar[int]

    @abc.abstractmethod
    def energy(self, spins: Any, lattice: Lattice) -> Any:
        """Energy E' `(...,)` of each configuration, in units of the exchange constant."""

    @abc.abstractmethod
    def field(self, spins: Any, lattice: Lattice) -> Any:
        """Field h' = -dE'/dS `(..., y, x, 3)`; whatever it is on absent sites is not read."""


@dataclasses.dataclass(frozen=True)
class SecondNeighbours(EnergyTerm):
    """Exchange with the diagonal neighbours: E = -J2 sum over diagonal pairs of S_i.S_j, each pair counted once."""

    J2: float
    reach: ClassVar[int] = 1
    steps: ClassVar[tuple[tuple[int, int], ...]] = ((1, 1), (1, -1), (-1, 1), (-1, -1))

    def energy(self, spins: Any, lattice: Lattice) -> Any:
        return -0.5 * lattice.total(spins * self.field(spins, lattice))

    def field(self, spins: Any, lattice: Lattice) -> Any:
        first, *others = (lattice.neighbour(spins, dy, dx) for dy, dx in self.steps)
        return self.J2 * sum(others, start=first)


def as_terms(terms: Sequence[Any]) -> tuple[EnergyTerm, ...]:
    """The terms, if they are some.

    Raises:
        ConfigError: For anything that is no `EnergyTerm`, or has no `reach` or no `repr` that says its parameters.
    """
    for term in terms:
        if not isinstance(term, EnergyTerm):
            raise ConfigError(
                f"terms: expected objects of classes derived from keras_evae.EnergyTerm, found {in_brief(term)}; "
                f"a text is not executed: give the object from Python, see docs/energies.md"
            )
        reach = getattr(term, "reach", None)
        if isinstance(reach, bool) or not isinstance(reach, int) or reach < 0:
            raise ConfigError(f"{type(term).__name__}: expected `reach` as an integer of at least 0, found {reach!r}")
        if re.search(r" at 0x[0-9a-f]+>|\.\.\.", repr(term)):
            raise ConfigError(
                f"{type(term).__name__}: expected a repr that shows all parameters, found {in_brief(term)}; "
                f"make it a frozen dataclass, or write __repr__"
            )
    return tuple(terms)


def check_term(term: EnergyTerm, lattice: Lattice, reach: int) -> None:
    """Checks a term against itself on a random state of the lattice, in double precision.

    The change of the energy along random directions must be minus that of the field (central differences), and the
    field on the sites of one colour (`Lattice.colours`) must not change when the spins on all of them do: neither with
    the spin of the site itself nor with one farther away than `reach`: that of the whole Hamiltonian, which the colours
    of the annealer follow, and the term's own.

    Raises:
        ConfigError: With what is wrong.
    """
    random = np.random.default_rng(0)
    spins, *directions = (random_spins(random, lattice.shape, lattice.mask) for _ in range(1 + DIRECTIONS))
    field = _checked_field(term, spins, lattice)
    for direction in directions:
        energies = _checked_energies(term, np.stack([spins + STEP * direction, spins - STEP * direction]), lattice)
        slope, expected = (energies[1] - energies[0]) / (2 * STEP), np.sum(field * direction)
        # Random directions: the sum is of the size of this root. Comparisons with NaN are false.
        size = np.sqrt(np.sum((field * direction) ** 2))
        rounding = 100 * np.finfo(np.float64).eps * float(np.abs(energies).max()) / STEP
        if not abs(slope - expected) <= SLOPE_TOLERANCE * size + rounding:
            raise ConfigError(
                f"{_name(term)}: expected field = -dE/dS, {expected:.8g} along a random direction, "
                f"found {slope:.8g} from differences of energy; mend `field` or `energy`"
            )
    others = random_spins(random, lattice.shape, lattice.mask)
    for colours in (lattice.colours(farthest) for farthest in {term.reach, reach}):
        # All of them, but where the reach is very long.
        _check_reach(term, spins, others, lattice, [colours[k] for k in random.permutation(len(colours))[:COLOURS]])


def _check_reach(
    term: EnergyTerm, spins: np.ndarray, others: np.ndarray, lattice: Lattice, colours: Sequence[np.ndarray]
) -> None:
    field = _checked_field(term, spins, lattice)
    for sites in colours:
        changed = spins.copy().reshape(-1, 3)
        changed[sites] = others.reshape(-1, 3)[sites]
        after = _checked_field(term, changed.reshape(spins.shape), lattice).reshape(-1, 3)
        change = np.abs(after[sites] - field.reshape(-1, 3)[sites]).max()
        if not change <= FIELD_TOLERANCE * np.abs(field).max():
            raise ConfigError(
                f"{_name(term)}: expected a field that depends neither on the spin of its own site nor on spins "
                f"farther away than reach = {term.reach}, found a change by {change:.3g}; mend `field` or `reach`"
            )


def _checked_field(term: EnergyTerm, spins: np.ndarray, lattice: Lattice) -> np.ndarray:
    field = np.asarray(term.field(spins, lattice), np.float64)
    try:
        field = np.broadcast_to(field, spins.shape)
    except ValueError as error:
        raise ConfigError(f"{_name(term)}: expected a field of shape {spins.shape}, found {field.shape}") from error
    return field if lattice.mask is None else field * lattice.mask[..., None]


def _checked_energies(term: EnergyTerm, spins: np.ndarray, lattice: Lattice) -> np.ndarray:
    energies = np.asarray(term.energy(spins, lattice), np.float64)
    if energies.shape != spins.shape[:-3]:
        raise ConfigError(
            f"{_name(term)}: expected one energy for each configuration, of shape {spins.shape[:-3]} for spins "
            f"{spins.shape}, found {energies.shape}; use lattice.total"
        )
    return energies


def _name(term: EnergyTerm) -> str:
    return in_brief(term).strip("'")

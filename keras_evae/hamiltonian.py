r"""The 2-D Heisenberg Hamiltonian with Dzyaloshinskii-Moriya interaction (Equation 1 of the paper).

The convention, stated once and used everywhere in the package:

    E = -J sum_<ij> S_i.S_j  -  D sum_<ij> d_ij.(S_i x S_j)  -  B sum_i S_i^z  -  K sum_i (S_i^z)^2
        -J2 sum_<<ij>> S_i.S_j  +  terms of a user's own (`keras_evae.terms`)

Every bond <ij> between nearest neighbours is counted once, as the right or the up bond of site i; so is every bond
<<ij>> between second neighbours, across the diagonals of the squares.
Spins are unit vectors in arrays of shape ``(..., y, x, 3)``: row = y, column = x, z out of plane.
Energies are in units of the exchange constant. ``d_ij = z x r_ij`` for Neel and ``d_ij = r_ij`` for
Bloch type interaction, where ``r_ij`` points from i to j. Bonds that would leave an open edge are missing.
A mask removes sites with their bonds; the vectors that stand for them in arrays are zero.

E0 = -J x (number of bonds <ij>) is the zero of the loss L_H whatever J2 and the terms are.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_evae.errors import ArgumentError, as_number, changed_fields
from keras_evae.lattice import AXES, Lattice, as_mask, encode_mask
from keras_evae.spin_arrays import as_spins, as_type_of, check_lengths, namespace
from keras_evae.terms import EnergyTerm, SecondNeighbours, as_terms, check_term
from keras_evae.units import CellUnits, SiTable, atomistic_table

DMI_TYPES = {"neel": "Neel type (d = z x r)", "bloch": "Bloch type (d = r)"}
BOUNDARIES = ("periodic", "open")
# Unit vectors of the bonds along the y and the x axis.
BOND_DIRECTIONS = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
# Numbers of the states whose energy is computed together: what is made on the way fits into the processor's caches.
CHUNK = 2**19


@dataclasses.dataclass(frozen=True)
class Hamiltonian:
    """Energy and effective field of spin configurations, on NumPy arrays and on tensors.

    NumPy arrays give NumPy results in single precision if they are float32 or float16, otherwise in double. Tensors
    give tensors: differentiable, with the neighbour sums made of `tf.roll`, and with minus the effective field as
    the exact gradient.

    Args:
        J: Exchange constant.
        D: Strength of the Dzyaloshinskii-Moriya interaction.
        B: Field along +z.
        K: Uniaxial anisotropy along z (positive: easy axis).
        dmi: `"neel"` (d_ij = z x r_ij) or `"bloch"` (d_ij = r_ij).
        boundary: `"periodic"` or `"open"`, or one of them per axis in array order, `(y, x)`.
        mask: Sites that carry a spin, Boolean `(y, x)`, or its text (`keras_evae.lattice`); None: all sites of any
            lattice. A mask fixes the shape of the lattice. Whatever vectors lie outside of it are not read, and
            fields are zero there.
        J2: Exchange constant of second neighbours.
        terms: Further energy terms, objects of `keras_evae.terms.EnergyTerm`. Hamiltonians with the same `repr` of
            their terms are equal.

    Example:

    >>> import numpy as np
    >>> up = np.zeros((16, 32, 3)); up[..., 2] = 1.0
    >>> float(Hamiltonian().energy_per_site(up))
    -2.05
    """

    J: float = 1.0
    D: float = 0.3
    B: float = 0.05
    K: float = 0.0
    dmi: str = "neel"
    boundary: str | tuple[str, str] = "periodic"
    mask: Any = dataclasses.field(default=None, compare=False, repr=False)
    J2: float = 0.0
    terms: Sequence[EnergyTerm] = dataclasses.field(default=(), compare=False, repr=False)
    # Stand for the array and the objects where Hamiltonians are compared, hashed and shown.
    mask_text: str | None = dataclasses.field(default=None, init=False)
    term_texts: tuple[str, ...] = dataclasses.field(default=(), init=False)
    # What `from_si` was given; not part of the energy.
    units: CellUnits | None = dataclasses.field(default=None, init=False, compare=False, repr=False)
    # Lattices on which the terms are known to be consistent.
    _checked: set[tuple[int, int]] = dataclasses.field(default_factory=set, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if np.ndim(self.B):
            words = "a finite number, the field along +z, such as 0.1; other fields are terms (docs/energies.md)"
            raise ArgumentError("B", words, self.B)
        for name in ("J", "D", "B", "K", "J2"):
            object.__setattr__(self, name, as_number(name, getattr(self, name), largest=1e6))
        if self.dmi not in DMI_TYPES:
            raise ArgumentError("dmi", "'neel' or 'bloch'", self.dmi)
        boundary = (self.boundary,) * 2 if isinstance(self.boundary, str) else tuple(self.boundary)
        if len(boundary) != 2 or any(kind not in BOUNDARIES for kind in boundary):
            raise ArgumentError("boundary", "'periodic' or 'open', or a pair of them for (y, x)", self.boundary)
        # One spelling for each geometry, so that equal Hamiltonians compare equal.
        object.__setattr__(self, "boundary", boundary[0] if boundary[0] == boundary[1] else boundary)
        if self.mask is not None:
            mask = as_mask(self.mask)
            object.__setattr__(self, "mask", mask)
            object.__setattr__(self, "mask_text", encode_mask(mask))
        object.__setattr__(self, "terms", as_terms(self.terms))
        object.__setattr__(self, "term_texts", tuple(repr(term) for term in self.terms))

    def __repr__(self) -> str:
        return changed_fields(self, ("J", "D", "B", "K"), mask=f"<{self._sample()}>")

    @property
    def periodic(self) -> tuple[bool, bool]:
        """Whether the y and the x axis close on themselves."""
        kinds = (self.boundary,) * 2 if isinstance(self.boundary, str) else self.boundary
        return kinds[0] == "periodic", kinds[1] == "periodic"

    @functools.cached_property
    def further_terms(self) -> tuple[EnergyTerm, ...]:
        """What the energy has beyond nearest neighbours, field and anisotropy: J2, and the terms of a user's own."""
        second = (SecondNeighbours(self.J2),) if self.J2 else ()
        return (*second, *self.terms)

    @property
    def reach(self) -> int:
        """Largest |dy| and |dx| of two sites that interact."""
        return max([1, *(term.reach for term in self.further_terms)])

    def energy(self, spins: Any) -> Any:
        """Total energy `(...,)` of spins `(..., y, x, 3)`, an array or a tensor, in units of the exchange constant.

        Vectors of arrays are unit or zero vectors within 1e-3, or a `ValueError`; lengths in tensors are not checked.
        """
        spins = self._present(as_spins(spins))
        if not isinstance(spins, np.ndarray):
            return self._tensor_energy(spins)
        states = spins.reshape(-1, *spins.shape[-3:])
        few = max(1, CHUNK // max(1, states[:1].size))
        found = [self._array_energy(states[first : first + few], first) for first in range(0, max(1, len(states)), few)]
        return np.concatenate(found).reshape(spins.shape[:-3])[()]

    def energy_per_site(self, spins: Any) -> Any:
        """Energy divided by the number of sites that carry a spin; shapes as in `energy`."""
        energy = self.energy(spins)
        return energy / self.count_sites((spins.shape[-3], spins.shape[-2]))

    def effective_field(self, spins: Any) -> Any:
        """Effective field h_i = -dE/dS_i at every site; shapes and units as in `energy`, fields as the spins."""
        spins = self._present(as_spins(spins))
        return self._present(self._add_further(self._field(spins), "field", spins))

    def torque(self, spins: np.ndarray, field: np.ndarray | None = None) -> np.ndarray:
        """Torque |S_i x h_i| at every site, `(..., y, x)`; 0 everywhere in a minimum of the energy and on absent sites.

        `field` is the effective field of the spins, where it is known already.
        """
        # Written out: several times faster than np.cross on vectors side by side.
        vectors = spins, self.effective_field(spins) if field is None else field
        (sx, sy, sz), (hx, hy, hz) = (np.moveaxis(vector, -1, 0) for vector in vectors)
        return np.sqrt((sy * hz - sz * hy) ** 2 + (sz * hx - sx * hz) ** 2 + (sx * hy - sy * hx) ** 2)

    def count_sites(self, shape: tuple[int, int]) -> int:
        """Number N of sites that carry a spin on a lattice `(y, x)`."""
        self.check_lattice(shape)
        return shape[0] * shape[1] if self.mask is None else int(np.count_nonzero(self.mask))

    def on_sites(self, values: np.ndarray) -> np.ndarray:
        """Values `(..., y, x)` of the sites that carry a spin, row by row: `(..., N)`, for means and quantiles."""
        self.check_lattice(values.shape[-2:])
        return values.reshape(*values.shape[:-2], -1) if self.mask is None else values[..., self.mask]

    def check_lattice(self, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` unless the mask, if there is one, has the shape `(y, x)`."""
        if self.mask is not None and self.mask.shape != tuple(shape):
            raise ValueError(f"Expected a lattice of the mask's shape {self.mask.shape}. Received: {tuple(shape)}")

    def reference_energy_per_site(self, shape: tuple[int, int]) -> float:
        """E0 / N: the exchange energy -J x (number of bonds) of a uniform state, per site that carries a spin.

        -2J on a periodic lattice, as in Equation 3 of the paper; open edges and masks have fewer bonds. It is a
        reference only, to which J2 and further terms, as D, B and K, do not belong.
        """
        sites, lattice = self.count_sites(shape), Lattice(shape, self.periodic, self.mask)
        bonds = sum(int(np.count_nonzero(lattice.bonds(*step))) for step in ((1, 0), (0, 1)))
        return -self.J * bonds / sites

    def to_config(self) -> dict[str, Any]:
        """Plain numbers, strings and lists that rebuild the Hamiltonian with `Hamiltonian(**config)`.

        Terms are given as texts, which say what is missing but are not executed: rebuild it with the objects.
        """
        config = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}
        boundary = self.boundary if isinstance(self.boundary, str) else list(self.boundary)
        return {**config, "boundary": boundary, "mask": self.mask_text, "terms": list(self.term_texts)}

    def in_si(self, **units: Any) -> SiTable:
        """The parameters in SI units, a dictionary whose text is a table.

        Args:
            units: `A` (J/m), `Ms` (A/m) and `cell` (dx, dy, dz in metres) of a micromagnetic film, or `J_meV` and
                `moment_muB` of atoms, which alone give a temperature in kelvin; by default those of `from_si`.
        """
        values = {"J": self.J, "D": self.D, "B": self.B, "K": self.K}
        if set(units) == {"J_meV", "moment_muB"}:
            return atomistic_table(**values, J2=self.J2, **units)
        if self.J2 or self.terms:
            raise ArgumentError("J2" if self.J2 else "terms", "absent in a micromagnetic film", self.J2 or self.terms)
        if set(units) != {"A", "Ms", "cell"} and (units or self.units is None):
            raise ArgumentError("units", "A, Ms and cell, or J_meV and moment_muB", sorted(units))
        return (CellUnits(**units) if units else self.units).table(**values, dmi=self.dmi)  # type: ignore[union-attr]

    def describe(self) -> str:
        """The Hamiltonian in words, one line."""
        edges = self.boundary if isinstance(self.boundary, str) else "y {}, x {}".format(*self.boundary)
        sample = f", spins on {self._sample()}" if self.mask is not None else ""
        terms = "".join(f", {term}" for term in self.further_terms)
        return (
            f"exchange J = {self.J:g}, Dzyaloshinskii-Moriya D = {self.D:g} of {DMI_TYPES[self.dmi]}, "
            f"field B = {self.B:g} along +z, anisotropy K = {self.K:g}{terms}, boundary {edges}{sample}"
            f"{self.units or ''}"
        )

    def _sample(self) -> str:
        return "" if self.mask is None else "{} of {} x {} sites".format(np.count_nonzero(self.mask), *self.mask.shape)

    def coupling(self, axis: int) -> np.ndarray:
        """Matrix C `(3, 3)` of the bond from a site to its next neighbour along an axis: E = -S_i . (C S_j).

        Axis 0 has the up bond (y), axis 1 the right bond (x); J is on the diagonal, the Dzyaloshinskii-Moriya vector
        off it.
        """
        direction = np.array(BOND_DIRECTIONS[axis])
        d = np.cross((0.0, 0.0, 1.0), direction) if self.dmi == "neel" else direction
        # d.(S_i x S_j) = S_i.(S_j x d), and S_j x d is linear in S_j.
        return self.J * np.eye(3) + self.D * np.cross(np.eye(3), d).T

    def lattice(self, shape: tuple[int, int]) -> Lattice:
        """The lattice `(y, x)` with the edges and absent sites of the Hamiltonian; checks the terms when it is new.

        Raises:
            ConfigError: For a term whose field is not minus the derivative of its energy, see `terms.check_term`.
        """
        lattice = Lattice(shape, self.periodic, self.mask)
        if self.terms and shape not in self._checked:
            for term in self.terms:
                check_term(term, lattice, self.reach)
            self._checked.add(shape)
        return lattice

    def _present(self, vectors: Any) -> Any:
        """Zero vectors outside of the mask."""
        if self.mask is None:
            return vectors
        self.check_lattice(vectors.shape[-3:-1])
        return vectors * as_type_of(self.mask[..., None], vectors)

    def _field(self, spins: Any, whole: bool = True) -> Any:
        """Effective field without the further terms; unless `whole`, the field h for which the energy is -sum S.h."""
        field, xp = 0.0, namespace(spins)
        lattice = Lattice((spins.shape[-3], spins.shape[-2]), self.periodic)
        for axis, step in itertools.product((0, 1), (1, -1) if whole else (1,)):
            neighbour = xp.roll(spins, -step, AXES[axis])
            if not self.periodic[axis]:
                bonds = lattice.bonds(step, 0) if axis == 0 else lattice.bonds(0, step)
                neighbour = neighbour * as_type_of(bonds[..., None], spins)
            # S_i C S_j seen from j is S_j C^T S_i: the transpose couples to the previous neighbour.
            coupling = self.coupling(axis).T if step == 1 else self.coupling(axis)
            field = field + xp.matmul(neighbour, as_type_of(coupling, spins))
        field = field + as_type_of((0.0, 0.0, self.B), spins)
        return field + spins * as_type_of((0.0, 0.0, (1 + whole) * self.K), spins) if self.K else field

    def _add_further(self, values: Any, quantity: str, spins: Any) -> Any:
        """Adds the `"energy"` or the `"field"` of the further terms to that of the others."""
        if self.further_terms:
            lattice = self.lattice((spins.shape[-3], spins.shape[-2]))
            for term in self.further_terms:
                values = values + as_type_of(getattr(term, quantity)(spins, lattice), spins)
        return values

    def _array_energy(self, states: np.ndarray, first: int) -> np.ndarray:
        check_lengths(states, first)
        energies = -np.sum(states * self._field(states, whole=False), axis=(-3, -2, -1))
        return self._add_further(energies, "energy", states)

    def _tensor_energy(self, spins: Any) -> Any:
        tf = namespace(spins)

        @tf.custom_gradient
        def energy(spins: Any) -> Any:
            field = self._field(spins)
            # The energy is quadratic but for the field B: the gradient gives it without a second pass over the bonds.
            doubled = spins * (field + as_type_of((0.0, 0.0, self.B), spins))
            whole_field = self._add_further(field, "field", spins)

            def gradient(upstream: Any) -> Any:
                return -upstream[..., None, None, None] * whole_field

            return self._add_further(-0.5 * tf.reduce_sum(doubled, axis=(-3, -2, -1)), "energy", spins), gradient

        return energy(tf.convert_to_tensor(spins))

r"""SI units: micromagnetic and atomistic parameters, and the numbers of the square lattice that stand for them.

A cell of a micromagnetic film, side a and thickness t, becomes one spin m. With the energy density

    w = A (grad m)^2 + w_D - Ku m_z^2 - Ms B m_z
    w_D = D [m_z div m - (m.grad) m_z]   Neel type, as mumax3 and Rohart and Thiaville, doi:10.1103/PhysRevB.88.184422
    w_D = D m.(curl m)                   Bloch type

central differences give the bonds of `keras_evae.hamiltonian`, in units of E = 2 A t:

    J = 1, D = -+ D a / (2 A) (- Neel, + Bloch), B = Ms B a^2 / (2 A), K = Ku a^2 / (2 A)
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from keras_evae.errors import ArgumentError, as_number

MU_0 = 1.25663706127e-6
BOLTZMANN = 1.380649e-23
BOHR_MAGNETON = 9.2740100657e-24
MILLI_ELECTRONVOLT = 1.602176634e-22
# Sign of D of a bond for a positive D of the density above.
BOND_SIGN = {"neel": -1.0, "bloch": 1.0}
NO_KELVIN = (
    "temperature: no unit; one spin stands for the many atoms of a cell, and J = 2 A t grows with the thickness of the "
    "cell, so kelvin would depend on the cell that was chosen"
)
SHAPE = "Ku: the thin film's demagnetization is in it, Ku - mu0 Ms^2 / 2"


class SiTable(dict[str, float]):
    """Values in SI units by name; its text has a line for each with its unit, and notes."""

    def __init__(self, rows: dict[str, tuple[float, str]], notes: tuple[str, ...] = ()) -> None:
        super().__init__({name: value for name, (value, _) in rows.items()})
        self.units = {name: unit for name, (_, unit) in rows.items()}
        self.notes = notes

    def __str__(self) -> str:
        lines = [f"{name:12s} {value:13.6g}  {self.units[name]}".rstrip() for name, value in self.items()]
        return "\n".join([*lines, *self.notes])


@dataclasses.dataclass(frozen=True)
class CellUnits:
    """What turns numbers of the lattice into those of a micromagnetic film.

    Args:
        A: Exchange stiffness in J/m.
        Ms: Saturation magnetization in A/m.
        cell: `(dx, dy, dz)` in metres; dx = dy.
        demagnetization: Whether that of a thin film is in the anisotropy.
    """

    A: float
    Ms: float
    cell: tuple[float, float, float]
    demagnetization: bool = False

    def __post_init__(self) -> None:
        as_number("A", self.A, positive=True)
        as_number("Ms", self.Ms, positive=True)
        cell = as_cell(self.cell)
        if not math.isclose(cell[0], cell[1], rel_tol=1e-9):
            raise ArgumentError("cell", "square in the plane, dx = dy, as the lattice is", self.cell)
        object.__setattr__(self, "cell", cell)

    def __str__(self) -> str:
        """What the description of a Hamiltonian says of them."""
        shape = ", with the demagnetization of a thin film in K" if self.demagnetization else ""
        return f", in units of {2 * self.A * self.cell[2]:.4g} J{shape}"

    def table(self, J: float, D: float, B: float, K: float, dmi: str) -> SiTable:
        """A, D, Ms, Ku, B and the unit of energy in joule, of numbers of the lattice."""
        as_number("J", J, positive=True)
        side, _, thickness = self.cell
        unit = 2 * self.A * thickness / J
        rows = {
            "A": (self.A, "J/m"),
            "D": (BOND_SIGN[dmi] * D * unit / (side * thickness) + 0.0, "J/m2"),
            "Ms": (self.Ms, "A/m"),
            "Ku": (K * unit / (side**2 * thickness), "J/m3"),
            "B": (B * unit / (self.Ms * side**2 * thickness), "T"),
            "energy_unit": (unit, "J"),
        }
        return SiTable(rows, (SHAPE, NO_KELVIN) if self.demagnetization else (NO_KELVIN,))


def atomistic_table(J: float, D: float, B: float, K: float, J2: float, J_meV: float, moment_muB: float) -> SiTable:
    """J, D, K and J2 in meV, B in tesla, and the unit of temperature in kelvin, for atoms of a moment in mu_B."""
    for name, value in (("J", J), ("J_meV", J_meV), ("moment_muB", moment_muB)):
        as_number(name, value, positive=True)
    unit = J_meV / J
    rows = {name: (value * unit, "meV") for name, value in (("J", J), ("D", D), ("K", K), ("J2", J2))}
    rows["B"] = (B * unit * MILLI_ELECTRONVOLT / (moment_muB * BOHR_MAGNETON), "T")
    rows["moment"] = (moment_muB, "mu_B")
    rows["temperature_unit"] = (unit * MILLI_ELECTRONVOLT / BOLTZMANN, "K")
    return SiTable(rows)


def as_cell(cell: Sequence[float]) -> tuple[float, float, float]:
    """Size of a cell, `(dx, dy, dz)` in metres; an `ArgumentError` for anything but three lengths above 0."""
    if np.shape(cell) != (3,) or np.asarray(cell).dtype.kind not in "iuf" or not all(0 < s < math.inf for s in cell):
        raise ArgumentError("cell", "three lengths (dx, dy, dz) above 0, in metres", cell)
    return float(cell[0]), float(cell[1]), float(cell[2])

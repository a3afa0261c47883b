"""The Hamiltonian in and for other codes: from SI units, and as input of Spirit, mumax3 and ubermag."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_evae.errors import ArgumentError
from keras_evae.files import disk_errors, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.units import BOND_SIGN, MU_0, CellUnits, SiTable

WHY_NO_DEMAGNETIZATION = (
    "No demagnetizing field: the Hamiltonian has none; that of a thin film, Ku - mu0 Ms^2/2, belongs in Ku."
)


def from_si(
    A: float,
    Ms: float,
    cell: tuple[float, float, float],
    D: float = 0.0,
    Ku: float = 0.0,
    B: float = 0.0,
    thin_film_demagnetization: bool = True,
    dmi: str = "neel",
    boundary: str | tuple[str, str] = "periodic",
) -> Hamiltonian:
    """The Hamiltonian, in units of J = 2 A dz, of a film of square cells; the formulas stand in `keras_evae.units`.

    Args:
        A: Exchange stiffness in J/m.
        Ms: Saturation magnetization in A/m.
        cell: `(dx, dy, dz)` in metres, dx = dy; dz is the thickness of the film.
        D: Dzyaloshinskii-Moriya constant in J/m2, of mumax3's sign for either type.
        Ku: Uniaxial anisotropy along z in J/m3.
        B: Field along z in tesla.
        thin_film_demagnetization: Put the demagnetization of a thin film into the anisotropy: Ku - mu0 Ms^2 / 2.
        dmi, boundary: As those of `keras_evae.Hamiltonian`.

    Returns:
        A Hamiltonian whose `describe()` and `in_si()` say the units, and whether demagnetization is in K.

    Example:

    >>> hamiltonian = from_si(A=15e-12, D=3e-3, Ms=580e3, Ku=0.8e6, cell=(1e-9, 1e-9, 0.4e-9))
    >>> round(hamiltonian.D, 4), round(hamiltonian.K, 6)
    (-0.1, 0.019621)
    """
    units = CellUnits(A, Ms, cell, thin_film_demagnetization)
    effective = Ku - MU_0 * Ms**2 / 2 if thin_film_demagnetization else Ku
    side, doubled = units.cell[0], 2 * A
    # Another type than these two is refused by the Hamiltonian.
    bond = BOND_SIGN.get(dmi, 1.0) * D * side / doubled + 0.0
    hamiltonian = Hamiltonian(1.0, bond, Ms * B * side**2 / doubled, effective * side**2 / doubled, dmi, boundary)
    object.__setattr__(hamiltonian, "units", units)
    return hamiltonian


def export_hamiltonian(
    hamiltonian: Hamiltonian, program: str, path: str | Path, shape: tuple[int, int], **units: Any
) -> None:
    """Writes the Hamiltonian as input of another program.

    Args:
        hamiltonian: What is written. Masks and terms of a user's own are refused; by micromagnetic programs also
            J2, and open edges with D, whose condition at the edge is not that of missing bonds.
        program: `spirit` (configuration file; energies in meV), `mumax3` (script) or `ubermag` (Python).
        path: File to be made.
        shape: Lattice `(y, x)`.
        units: Of `Hamiltonian.in_si`: `J_meV` and `moment_muB` for Spirit, 1 by default; `A`, `Ms` and `cell` for the
            others, by default those of `from_si`.

    Raises:
        ValueError: For what the program cannot represent.
    """
    if program not in WRITERS:
        raise ArgumentError("program", f"one of {', '.join(WRITERS)}", program)
    atomistic = program == "spirit"
    for name in ("mask", "terms") if atomistic else ("mask", "terms", "J2"):
        if given := hamiltonian.to_config()[name]:
            raise ArgumentError(name, f"a Hamiltonian without {name} for {program}", given)
    if not atomistic and hamiltonian.D and not all(hamiltonian.periodic):
        expected = "periodic with D: micromagnetic codes set another condition at an edge than missing bonds"
        raise ArgumentError("boundary", expected, hamiltonian.boundary)
    if atomistic:
        units = {"J_meV": 1.0, "moment_muB": 1.0, **units}
    table = hamiltonian.in_si(**units)
    cell = units.get("cell") or getattr(hamiltonian.units, "cell", None)
    with disk_errors(Path(path)):
        write_whole(Path(path), WRITERS[program](hamiltonian, table, shape, cell).encode())


def _spirit(hamiltonian: Hamiltonian, table: SiTable, shape: tuple[int, int], _: Any) -> str:
    across = hamiltonian.dmi == "neel"
    vectors = {(1, 0): (0, 1, 0) if across else (1, 0, 0), (0, 1): (-1, 0, 0) if across else (0, 1, 0)}
    bonds = [(step, table["J"], table["D"], vector) for step, vector in vectors.items()]
    bonds += [(step, table["J2"], 0.0, (0, 0, 1)) for step in ((1, 1), (1, -1)) if hamiltonian.J2]
    pairs = [f"0 0 {x} {y} 0 {J!r} {D!r} {' '.join(map(str, vector))}" for (x, y), J, D, vector in bonds]
    periodic_y, periodic_x = map(int, hamiltonian.periodic)
    return f"""# {hamiltonian.describe()}
bravais_lattice sc
lattice_constant 1.0
n_basis_cells {shape[1]} {shape[0]} 1
mu_s {table["moment"]!r}
hamiltonian heisenberg_pairs
boundary_conditions {periodic_x} {periodic_y} 0
external_field_magnitude {abs(table["B"])!r}
external_field_normal 0.0 0.0 {1.0 if table["B"] >= 0 else -1.0}
anisotropy_magnitude {table["K"]!r}
anisotropy_normal 0.0 0.0 1.0
ddi_method none
n_interaction_pairs {len(pairs)}
i j da db dc Jij Dij Dijx Dijy Dijz
{chr(10).join(pairs)}
"""


def _mumax3(hamiltonian: Hamiltonian, table: SiTable, shape: tuple[int, int], cell: Any) -> str:
    periodic_y, periodic_x = map(int, hamiltonian.periodic)
    return f"""// {hamiltonian.describe()}
SetGridSize({shape[1]}, {shape[0]}, 1)
SetCellSize({cell[0]!r}, {cell[1]!r}, {cell[2]!r})
SetPBC({periodic_x}, {periodic_y}, 0)
// {WHY_NO_DEMAGNETIZATION}
EnableDemag = false
Msat = {table["Ms"]!r}
Aex = {table["A"]!r}
{"Dind" if hamiltonian.dmi == "neel" else "Dbulk"} = {table["D"]!r}
Ku1 = {table["Ku"]!r}
AnisU = vector(0, 0, 1)
B_ext = vector(0, 0, {table["B"]!r})
"""


def _ubermag(hamiltonian: Hamiltonian, table: SiTable, shape: tuple[int, int], cell: Any) -> str:
    # Its density for C_nv, D [(m.grad) m_z - m_z div m], has the other sign.
    neel = hamiltonian.dmi == "neel"
    D, crystal = (-table["D"] + 0.0, "Cnv_z") if neel else (table["D"], "T")
    edges = "".join(axis for axis, closed in zip("xy", hamiltonian.periodic[::-1], strict=True) if closed)
    size = (shape[1] * cell[0], shape[0] * cell[1], cell[2])
    return f"""# {hamiltonian.describe()}
import discretisedfield as df
import micromagneticmodel as mm

mesh = df.Mesh(p1=(0, 0, 0), p2={size!r}, n=({shape[1]}, {shape[0]}, 1), bc={edges!r})
system = mm.System(name="keras_evae")
# {WHY_NO_DEMAGNETIZATION}
system.energy = (
    mm.Exchange(A={table["A"]!r})
    + mm.DMI(D={D!r}, crystalclass="{crystal}")
    + mm.UniaxialAnisotropy(K={table["Ku"]!r}, u=(0, 0, 1))
    + mm.Zeeman(H=(0, 0, {table["B"] / MU_0!r}))
)
system.m = df.Field(mesh, nvdim=3, value=(0, 0, 1), norm={table["Ms"]!r})
"""


WRITERS: dict[str, Callable[[Hamiltonian, SiTable, tuple[int, int], Any], str]] = {
    "spirit": _spirit,
    "mumax3": _mumax3,
    "ubermag": _ubermag,
}

"""The Hamiltonian in SI units and in other codes, against sums that know nothing of bonds."""

import runpy
import sys
import types

import numpy as np
import pytest

from keras_evae.hamiltonian import Hamiltonian
from keras_evae.other_codes import export_hamiltonian, from_si
from tests.helpers.states import random_spins, skyrmion

FILM = {"A": 15e-12, "D": 3e-3, "Ms": 580e3, "Ku": 0.8e6, "B": 0.05, "cell": (1e-9, 1e-9, 0.4e-9)}
MU_0 = 4e-7 * np.pi


def film_energy(spins, A, D, Ms, Ku, B, cell, dmi, sign=1.0):
    """Energy in joule of a periodic film, by central differences; of a uniform state without field it is 0."""
    d = [(np.roll(spins, -1, axis) - np.roll(spins, 1, axis)) / (2 * cell[0]) for axis in (1, 0)]
    forward = [(np.roll(spins, -1, axis) - spins) / cell[0] for axis in (1, 0)]
    mx, my, mz = np.moveaxis(spins, -1, 0)
    if dmi == "neel":
        w = mz * (d[0][..., 0] + d[1][..., 1]) - mx * d[0][..., 2] - my * d[1][..., 2]
    else:
        w = mx * d[1][..., 2] - my * d[0][..., 2] + mz * (d[0][..., 1] - d[1][..., 0])
    density = A * sum((step**2).sum(axis=-1) for step in forward) + sign * D * w - Ku * mz**2 - Ms * B * mz
    return density.sum() * np.prod(cell)


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
def test_energies_are_those_of_the_film(dmi):
    spins = random_spins(8, 12)
    hamiltonian = from_si(**FILM, dmi=dmi, thin_film_demagnetization=False)
    energy = (hamiltonian.energy(spins) + 2 * spins[..., 0].size) * hamiltonian.in_si()["energy_unit"]
    assert energy == pytest.approx(film_energy(spins, **FILM, dmi=dmi), rel=1e-9, abs=0)


@pytest.mark.parametrize("dmi, helicities", [("neel", (0.0, np.pi)), ("bloch", (np.pi / 2, -np.pi / 2))])
def test_chirality(dmi, helicities):
    """Positive D and a core down: spins point outwards in the Neel type (along x: up, left, down, right)."""
    hamiltonian = from_si(**FILM, dmi=dmi)
    energies = [hamiltonian.energy(skyrmion((32, 40), helicity=angle)) for angle in helicities]
    films = [film_energy(skyrmion((32, 40), helicity=angle), **FILM, dmi=dmi) for angle in helicities]
    assert np.sign(energies[0] - energies[1]) == np.sign(films[0] - films[1]) == -1


def test_si_units_there_and_back():
    film = from_si(**FILM)
    table = film.in_si()
    assert {name: table[name] for name in ("A", "D", "Ms", "B")} == pytest.approx(
        {name: FILM[name] for name in ("A", "D", "Ms", "B")}, rel=1e-9, abs=0
    )
    assert table["Ku"] == pytest.approx(FILM["Ku"] - MU_0 * FILM["Ms"] ** 2 / 2)
    assert "demagnetization" in film.describe() and "demagnetization" in str(table) and "no unit" in str(table)
    assert table["energy_unit"] == pytest.approx(2 * FILM["A"] * FILM["cell"][2], abs=0)
    atoms = Hamiltonian(D=0.2, B=0.1).in_si(J_meV=5.0, moment_muB=3.0)
    assert atoms["temperature_unit"] == pytest.approx(5.0 * 11.604518)
    assert atoms["B"] == pytest.approx(0.5 / (3 * 0.0578838181))
    # Equal energies, whatever unit they are said in.
    assert film == Hamiltonian(D=film.D, B=film.B, K=film.K) and film.to_config() == eval(repr(film)).to_config()


@pytest.mark.parametrize(
    "change, message",
    [({"cell": (1e-9, 2e-9, 1e-9)}, "square in the plane"), ({"Ms": 0.0}, "above 0"), ({"cell": (1e-9,)}, "three")],
)
def test_cells_that_no_square_lattice_has(change, message):
    with pytest.raises(ValueError, match=message):
        from_si(**{**FILM, **change})


@pytest.mark.parametrize("dmi", ["neel", "bloch"])
def test_mumax3_and_ubermag_say_the_same_film(tmp_path, dmi, monkeypatch):
    hamiltonian, spins = from_si(**FILM, dmi=dmi), random_spins(8, 12)
    expected = (hamiltonian.energy(spins) + 2 * 96) * hamiltonian.in_si()["energy_unit"]
    export_hamiltonian(hamiltonian, "mumax3", tmp_path / "a.mx3", (8, 12))
    text = (tmp_path / "a.mx3").read_text()
    values = dict(line.split(" = ") for line in text.splitlines() if " = " in line and not line.startswith("//"))
    assert values["EnableDemag"] == "false" and "No demagnetizing field" in text and "SetGridSize(12, 8, 1)" in text
    numbers = {"A": "Aex", "D": "Dind" if dmi == "neel" else "Dbulk", "Ms": "Msat", "Ku": "Ku1"}
    film = {name: float(values[key]) for name, key in numbers.items()}
    field = float(values["B_ext"].rpartition(",")[2].strip(" )"))
    found = film_energy(spins, **film, B=field, cell=FILM["cell"], dmi=dmi)
    # Joules are small beside the usual absolute tolerance.
    assert found == pytest.approx(expected, rel=1e-9, abs=0)
    # Its script, with names in the place of ubermag.
    calls = {}
    model, field_module = types.ModuleType("micromagneticmodel"), types.ModuleType("discretisedfield")
    for module, names in ((model, "Exchange DMI UniaxialAnisotropy Zeeman System"), (field_module, "Mesh Field")):
        for name in names.split():
            setattr(module, name, recorder(calls, name))
    monkeypatch.setitem(sys.modules, "micromagneticmodel", model)
    monkeypatch.setitem(sys.modules, "discretisedfield", field_module)
    export_hamiltonian(hamiltonian, "ubermag", tmp_path / "a.py", (8, 12))
    runpy.run_path(str(tmp_path / "a.py"))
    assert calls["Mesh"]["n"] == (12, 8, 1) and calls["Mesh"]["bc"] == "xy" and "Demag" not in calls
    film = {"A": calls["Exchange"]["A"], "Ku": calls["UniaxialAnisotropy"]["K"], "Ms": calls["Field"]["norm"]}
    # The density of class C_nv has the other sign, as its documentation says.
    signed = {"D": calls["DMI"]["D"], "sign": -1.0 if calls["DMI"]["crystalclass"] == "Cnv_z" else 1.0}
    field = calls["Zeeman"]["H"][2] * MU_0
    found = film_energy(spins, **film, **signed, B=field, cell=FILM["cell"], dmi=dmi)
    assert found == pytest.approx(expected, rel=1e-8, abs=0)


def recorder(calls, name):
    def record(*_, **arguments):
        calls[name] = arguments
        return np.zeros(1) if name != "System" else types.SimpleNamespace()

    return record


@pytest.mark.parametrize(
    "hamiltonian, program, message",
    [
        (Hamiltonian(boundary="open"), "mumax3", "periodic with D"),
        (Hamiltonian(J2=0.1), "ubermag", "without J2"),
        (Hamiltonian(mask=np.tri(16, dtype=bool)), "spirit", "without mask"),
        (Hamiltonian(), "oommf", "one of spirit, mumax3, ubermag"),
        (Hamiltonian(), "mumax3", "A, Ms and cell"),
    ],
)
def test_what_a_program_cannot_represent(tmp_path, hamiltonian, program, message):
    with pytest.raises(ValueError, match=message) as error:
        export_hamiltonian(hamiltonian, program, tmp_path / "a", (16, 16))
    assert "\n" not in str(error.value) and not (tmp_path / "a").exists()


options_of_spirit = pytest.mark.parametrize(
    "options",
    [{}, {"dmi": "bloch", "K": 0.2, "B": -0.1}, {"boundary": "open"}, {"boundary": ("open", "periodic"), "J2": 0.2}],
)


@options_of_spirit
def test_pairs_of_spirit(tmp_path, options):
    """The energy of what is written, as Spirit's manual has it: in meV, each pair once."""
    hamiltonian, spins = Hamiltonian(J=1.3, D=0.37, **options), random_spins(6, 9)
    export_hamiltonian(hamiltonian, "spirit", tmp_path / "a.cfg", (6, 9), J_meV=1.3, moment_muB=2.0)
    head, _, pairs = (tmp_path / "a.cfg").read_text().partition("i j da db dc Jij Dij Dijx Dijy Dijz\n")
    values = {name: words for name, *words in map(str.split, head.splitlines())}
    assert values["n_basis_cells"] == ["9", "6", "1"]
    closed = [word == "1" for word in values["boundary_conditions"]]
    field = float(values["external_field_magnitude"][0]) * float(values["external_field_normal"][2]) * 2 * 0.0578838181
    energy = -np.sum(field * spins[..., 2] + float(values["anisotropy_magnitude"][0]) * spins[..., 2] ** 2)
    for _, _, dx, dy, _, J, D, *vector in np.loadtxt(pairs.splitlines()):
        other = np.roll(spins, (-int(dy), -int(dx)), (0, 1))
        inside = (np.abs(np.arange(9) + dx - 4) < 5) | closed[0]
        inside = inside & ((np.abs(np.arange(6) + dy - 2.5) < 3) | closed[1])[:, None]
        bond = J * np.sum(spins * other, axis=-1) + D * np.cross(spins, other) @ vector
        energy -= np.sum(bond[inside])
    assert energy == pytest.approx(hamiltonian.energy(spins), rel=1e-6)


@pytest.mark.slow
@options_of_spirit
def test_energies_of_spirit(tmp_path, options):
    state, system = pytest.importorskip("spirit.state"), pytest.importorskip("spirit.system")
    from spirit import io

    from keras_evae.dataset.formats.spin_files import read_spins, write_spins

    hamiltonian, spins = Hamiltonian(J=1.3, D=0.37, **options), random_spins(6, 9).astype(np.float32)
    export_hamiltonian(hamiltonian, "spirit", tmp_path / "a.cfg", (6, 9), J_meV=1.3, moment_muB=2.0)
    write_spins(tmp_path / "a.ovf", spins)
    with state.State(str(tmp_path / "a.cfg"), quiet=True) as found:
        io.image_read(found, str(tmp_path / "a.ovf"))
        system.update_data(found)
        energy = system.get_energy(found)
        io.image_write(found, str(tmp_path / "b.ovf"))
    assert energy == pytest.approx(float(hamiltonian.energy(spins.astype(float))), abs=1e-6 * 54)
    np.testing.assert_allclose(read_spins(tmp_path / "b.ovf")[0], spins, atol=1e-6)

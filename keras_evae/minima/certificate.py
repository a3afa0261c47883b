"""Certificates of states: how good each is as a minimum, and how far above the best known energy.

Nobody knows the ground state of a skyrmion lattice on a finite sample for certain. Best known is the lowest E/N of
slow anneals, of relaxed triangular skyrmion lattices of the orientations and numbers that fit the torus (from samples
with open edges or absent sites they are cut out), of the annealed data, and of relaxed states of the E-VAE. What a
search found is kept in `best_known.json` beside the other results, for each Hamiltonian, lattice and setting of it.
"""

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from keras_evae.analysis import charge_of
from keras_evae.analysis.skyrmions import skyrmions_of
from keras_evae.annealing import KERNEL_VERSION
from keras_evae.errors import DataError, validate_json
from keras_evae.files import checksum, json_text, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import TORQUE, precise_energy
from keras_evae.minima.skyrmion_lattices import relaxed_lattices
from keras_evae.minima.slow_anneals import anneal_slowly
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE

# Difference of E/N below which two relaxed states have the same energy.
SAME_ENERGY = 1e-7
# Slow anneals: as many as have these sites together (some seconds), within the bounds.
ANNEALED_SITES, FEWEST_ANNEALS, MOST_ANNEALS = 2**19, 8, 64
# Triangular lattices of each number of skyrmions that are tried, the least distorted.
LATTICES = 2
CACHE = "best_known.json"
CERTIFICATE = np.dtype(
    {"names": ["energy_per_site", "torque", "charge", "skyrmions", "gap"], "formats": ["f8", "f8", "f8", "i8", "f8"]}
)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The lowest E/N of one search, in units of the exchange constant, with more about it in one line."""

    search: str
    energy_per_site: float
    detail: str


def certify(states: np.ndarray, hamiltonian: Hamiltonian, reference: float) -> np.ndarray:
    """Certificates of states `(n, y, x, 3)`; the reference is the best known E/N of the Hamiltonian on this lattice.

    A structured array `(n,)` with the fields `energy_per_site`; `torque`, the largest |S x h|; `charge`, the
    topological charge Q; `skyrmions`, the number with the core against the field; `gap`, E/N above the reference.
    """
    record = np.zeros(len(states), CERTIFICATE)
    for row, spins in zip(record, np.asarray(states, np.float64), strict=True):
        row["energy_per_site"] = precise_energy(spins, hamiltonian)
        row["torque"] = hamiltonian.torque(spins).max()
        row["charge"] = charge_of(spins, hamiltonian)
        row["skyrmions"] = len(skyrmions_of(spins, hamiltonian))
    record["gap"] = record["energy_per_site"] - reference
    return record


def best_known(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int],
    folder: Path,
    others: Sequence[Candidate] = (),
    anneals: int | None = None,
    shares: tuple[float, float] = (0.3, 1.3),
) -> list[Candidate]:
    """The lowest energies that slow anneals, triangular lattices and others know of, at least one; the lowest first.

    Args:
        hamiltonian, shape: The Hamiltonian; rows and columns `(y, x)`.
        folder: Keeps what the searches found; a second call with the same Hamiltonian and shape takes no time.
        others: What is known from elsewhere.
        anneals: Number of slow anneals; by default fewer for larger lattices.
        shares: Numbers of skyrmions in the triangular lattices, see `relaxed_lattices`.
    """
    count = anneals or min(max(ANNEALED_SITES // math.prod(shape), FEWEST_ANNEALS), MOST_ANNEALS)
    schedule = dataclasses.asdict(SLOW_SCHEDULE)
    lattice = {"hamiltonian": hamiltonian.to_config(), "shape": list(shape), "kernel": KERNEL_VERSION, "torque": TORQUE}
    placed = {**lattice, "counts": shares, "lattices": LATTICES}
    candidates = [
        _remembered(folder, {**lattice, "anneals": count, **schedule}, lambda: _slow(hamiltonian, shape, count)),
        *others,
        _remembered(folder, placed, lambda: _triangular(hamiltonian, shape, shares)),
    ]
    found = [candidate for candidate in candidates if math.isfinite(candidate.energy_per_site)]
    return sorted(found, key=lambda candidate: candidate.energy_per_site)


def _slow(hamiltonian: Hamiltonian, shape: tuple[int, int], count: int) -> Candidate:
    energy = anneal_slowly(hamiltonian, shape, count, SLOW_SCHEDULE, seed=0).energy_per_site
    return Candidate("slow anneals", energy, f"{count} slow anneals, seed 0")


def _triangular(hamiltonian: Hamiltonian, shape: tuple[int, int], shares: tuple[float, float]) -> Candidate:
    lattices, spins = relaxed_lattices(hamiltonian, shape, shares, LATTICES)
    if not lattices:
        return Candidate("triangular skyrmion lattices", math.inf, "none fits the lattice")
    (y1, x1), (y2, x2) = lattices[0].vectors
    # At edges skyrmions get lost in the relaxation.
    cut = "" if hamiltonian.mask is None and all(hamiltonian.periodic) else "cut out of a lattice of "
    detail = (
        f"best of {len(lattices)}: {cut}{len(lattices[0].positions)} skyrmions, "
        f"vectors (y, x) = ({y1:.4g}, {x1:.4g}) and ({y2:.4g}, {x2:.4g})"
    )
    return Candidate("triangular skyrmion lattices", precise_energy(spins[0], hamiltonian), detail)


def _remembered(folder: Path, identity: Mapping[str, Any], search: Callable[[], Candidate]) -> Candidate:
    path, key = folder / CACHE, json.dumps(identity, sort_keys=True)
    known = _read_known(path)
    if key not in known:
        known[key] = search()
        content = {key: {**dataclasses.asdict(found), "sha256": _seal(key, found)} for key, found in known.items()}
        write_whole(path, json_text(content, indent=1).encode() + b"\n")
    return known[key]


def _read_known(path: Path) -> dict[str, Candidate]:
    """What earlier searches found and is not damaged: nothing is lost but time. Earlier versions wrote no checksum."""
    try:
        content = validate_json(path, path.read_bytes(), dict[str, dict[str, Any]])
    except (OSError, DataError):
        return {}
    known = {}
    for key, values in content.items():
        seal, energy = values.pop("sha256", None), values.get("energy_per_site", 0)
        # null: infinity, of a search that has found nothing.
        values["energy_per_site"] = math.inf if energy is None else energy
        with contextlib.suppress(ValueError):
            found = TypeAdapter(Candidate).validate_python(values)
            if values.keys() == dataclasses.asdict(found).keys() and seal in (None, _seal(key, found)):
                known[key] = found
    return known


def _seal(key: str, found: Candidate) -> str:
    return checksum(f"{key} {dataclasses.asdict(found)}".encode())

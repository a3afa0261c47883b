"""What second neighbours do to skyrmion lattices, and the time of the general sampler: tables of docs/energies.md."""

import argparse
import dataclasses
import math
import time

import numpy as np

from keras_evae.analysis import find_skyrmions
from keras_evae.annealing import anneal, anneal_many
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import PRESETS
from keras_evae.terms import EnergyTerm

# Of the second neighbours, and of a user's own term.
STRENGTHS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


@dataclasses.dataclass(frozen=True)
class Compass(EnergyTerm):
    """The example of docs/energies.md."""

    strength: float
    reach = 1

    def field(self, spins, lattice):
        row = lattice.neighbour(spins, 0, 1) + lattice.neighbour(spins, 0, -1)
        column = lattice.neighbour(spins, 1, 0) + lattice.neighbour(spins, -1, 0)
        return self.strength * (row * (1.0, 0.0, 0.0) + column * (0.0, 1.0, 0.0))

    def energy(self, spins, lattice):
        return -0.5 * lattice.total(spins * self.field(spins, lattice))


def skyrmion_rows(side: int, lattices: int):
    """Period of the spiral, mean number and radius of skyrmions, and energy above -2 (J + J2), against J2."""
    for J2 in STRENGTHS:
        hamiltonian = Hamiltonian(J2=J2)
        schedule = dataclasses.replace(PRESETS["quench"], over_relaxation=5)
        states = list(anneal_many(hamiltonian, (side, side), lattices, schedule))
        found = [find_skyrmions(spins) for spins in states]
        radii = np.concatenate([skyrmions.radii for skyrmions in found])
        counts = [len(skyrmions) for skyrmions in found]
        energies = [hamiltonian.energy_per_site(spins.astype(np.float64)) + 2 + 2 * J2 for spins in states]
        period = 2 * math.pi / math.atan(hamiltonian.D / (hamiltonian.J + 2 * J2))
        radius = f"{radii.mean():.2f}" if len(radii) else "-"
        yield (
            f"{J2:g}",
            f"{period:.1f}",
            f"{np.mean(counts):.1f} ± {np.std(counts):.1f}",
            radius,
            f"{np.mean(energies):.4f}",
        )


def time_rows(sides=(32, 64, 128)):
    """CPU time of a configuration of the default schedule."""
    cases = {
        "neither": Hamiltonian(),
        "J2": Hamiltonian(J2=0.1),
        "the compass term": Hamiltonian(terms=[Compass(0.2)]),
    }
    for name, hamiltonian in cases.items():
        anneal(hamiltonian, (8, 8), "quench")
        seconds = []
        for side in sides:
            start = time.process_time()
            anneal(hamiltonian, (side, side), "quench")
            seconds.append(f"{time.process_time() - start:.3g} s")
        yield name, *seconds


def print_table(header, rows):
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--lattices", type=int, default=20)
    parser.add_argument("--times", action="store_true", help="the table of times instead")
    arguments = parser.parse_args()
    if arguments.times:
        print_table(("Beyond J, D, B, K", "32 x 32", "64 x 64", "128 x 128"), time_rows())
    else:
        header = ("J2", "Spiral period", "Skyrmions", "Radius", "E/N + 2 (J + J2)")
        print_table(header, skyrmion_rows(arguments.side, arguments.lattices))

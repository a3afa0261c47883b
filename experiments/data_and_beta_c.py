"""Data annealed in other ways: energy, topological charge and the expected posterior collapse.

    python -m experiments.data_and_beta_c --output FILE.csv

The posterior is expected to collapse at twice the largest principal component per site: the less order there is in
the data, the smaller that beta.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_evae.analysis import critical_beta, topological_charge
from keras_evae.annealing import anneal
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import PRESETS

QUENCH = PRESETS["quench"]
SCHEDULES = {
    "quench": QUENCH,
    "50 temperatures": dataclasses.replace(QUENCH, temperatures=50),
    "15 temperatures": dataclasses.replace(QUENCH, temperatures=15),
    "5 temperatures": dataclasses.replace(QUENCH, temperatures=5),
    "not relaxed": dataclasses.replace(QUENCH, max_greedy_sweeps=0),
    "down to T = 0.3, not relaxed": dataclasses.replace(QUENCH, end_temperature=0.3, max_greedy_sweeps=0),
    "slow": dataclasses.replace(PRESETS["slow"], temperatures=60),
}
HEADER = ["schedule", "energy_per_site", "charge", "beta_c"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--count", type=int, default=200, help="configurations of each schedule (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="CSV file")
    arguments = parser.parse_args()
    hamiltonian = Hamiltonian(J=1.0, D=0.3, B=0.05)
    rows: list[list[str | float]] = []
    for name, schedule in SCHEDULES.items():
        shape = (arguments.size, arguments.size)
        seeds = tqdm(range(arguments.count), name, leave=False)
        spins = np.stack([anneal(hamiltonian, shape, schedule, index=index) for index in seeds])
        energy, charge = hamiltonian.energy_per_site(spins).mean(), topological_charge(spins).mean()
        rows.append([name, float(energy), float(charge), critical_beta(spins, hamiltonian.periodic)])
        print(f"{name:32s} E/N {energy:.5f}  Q {charge:.1f}  beta_c {rows[-1][-1]:.4f}")
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([HEADER, *rows])


if __name__ == "__main__":
    main()

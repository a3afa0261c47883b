"""Spin updates per second of thermal averages, and what exchange of temperatures does for low states.

    python benchmarks/thermal.py                      # against plain sweeps, and Spirit if it is installed
    python benchmarks/thermal.py --tempering          # lowest states: default, slow, exchange of temperatures
    python benchmarks/thermal.py --tempering SYSTEM   # of one system

One thread. The first mode runs in turns and gives medians; the second counts processor time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from keras_evae.annealing import anneal, relax
from keras_evae.dataset.thermal_averages import sample
from keras_evae.geometry import make_geometry
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import processor_kind, usable_cores
from keras_evae.monte_carlo.checkerboard import MonteCarlo

SAME_ENERGY = 1e-6
TEMPERATURE = 0.5


def confined(shape: str, size: int | tuple[int, int]) -> tuple[Hamiltonian, tuple[int, int]]:
    geometry = make_geometry(shape, size)
    return Hamiltonian(mask=geometry.mask, boundary=geometry.boundary), geometry.lattice_shape


# Copies at temperatures from 0.28 to 0.5 so that pairs exchange; the lowest E/N known.
SYSTEMS = {
    "periodic_128": (Hamiltonian(), (128, 128), 48, -2.0574844),
    "square_32": (*confined("square", 32), 16, -2.0078507),
    "square_48": (*confined("square", 48), 20, -2.0244022),
    "triangle_48": (*confined("triangle", 48), 16, -1.9825356),
    "periodic_64": (Hamiltonian(), (64, 64), 24, -2.0573164),
    "square_64": (*confined("square", 64), 24, -2.0330461),
    "wire_48x96": (*confined("wire", (48, 96)), 24, -2.0408210),
    "stripes_64": (Hamiltonian(B=0.01), (64, 64), 24, np.inf),
    "stripes_128": (Hamiltonian(B=0.01), (128, 128), 48, np.inf),
}


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def speed(side: int, sweeps: int, repeats: int) -> None:
    """Medians of nanoseconds per update."""
    shape = side, side
    runs: dict[str, Callable[[], float]] = {}
    for over_relaxation in (0, 5):
        lattice = MonteCarlo(Hamiltonian(), shape)
        count = side * side * sweeps * (1 + over_relaxation)

        def plain(lattice: MonteCarlo = lattice, extra: int = over_relaxation, count: int = count) -> float:
            return 1e9 * seconds(lambda: lattice.heat_bath(TEMPERATURE, sweeps, extra)) / count

        def measured(extra: int = over_relaxation, count: int = count) -> float:
            def run() -> None:
                sample(Hamiltonian(), shape, [TEMPERATURE], sweeps, 0, workers=1, over_relaxation=extra)

            return 1e9 * seconds(run) / count

        runs[f"sweeps alone, over_relaxation = {over_relaxation}"] = plain
        runs[f"ev.sample, over_relaxation = {over_relaxation}"] = measured
    if importlib.util.find_spec("spirit"):
        runs["Spirit, Metropolis"] = lambda: spirit_time(side)
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(run())
    for name, found in times.items():
        print(f"{name:40}{statistics.median(found):10.3f} ns per update")


def spirit_time(side: int, iterations: int = 50) -> float:
    """Nanoseconds per update of Spirit's Monte Carlo, which moves every spin once in an iteration."""
    from spirit import configuration, hamiltonian, parameters, simulation, state, system

    configuration_file = "spirit_thermal.cfg"
    with open(configuration_file, "w") as file:
        file.write(
            f"n_basis_cells {side} {side} 1\nboundary_conditions 1 1 0\nexternal_field_magnitude 0\n"
            "mu_s 1\nn_shells_exchange 1\njij 1\nn_shells_dmi 1\ndij 0.3\nlog_to_file 0\nlog_to_console 0\n"
            f"mc_n_iterations {iterations}\nmc_n_iterations_log {iterations}\n"
        )
    with state.State(configuration_file, quiet=True) as p_state:
        hamiltonian.set_exchange(p_state, 1, [1.0])
        hamiltonian.set_dmi(p_state, 1, [0.3])
        parameters.mc.set_temperature(p_state, TEMPERATURE / 0.08617333)
        parameters.mc.set_iterations(p_state, iterations, iterations)
        configuration.random(p_state)
        run = seconds(lambda: simulation.start(p_state, simulation.METHOD_MC))
        assert system.get_nos(p_state) == side * side
    os.remove(configuration_file)
    return 1e9 * run / (side * side * iterations)


def tempering(name: str, runs: int, sweeps: int) -> None:
    """Share of lattices in the lowest state known; of the copies those of one run at all temperatures, relaxed."""
    hamiltonian, shape, copies, known = SYSTEMS[name]
    temperatures = np.geomspace(0.28, 0.5, copies)

    def exchanged(seed: int) -> np.ndarray:
        result = sample(
            hamiltonian, shape, temperatures, sweeps, sweeps, seed, exchange=True, workers=1,
            charge_interval=sweeps, even_acceptance=True, keep=1,
        )  # fmt: skip
        acceptance.append(float(np.mean(result.acceptance)))
        trips.append(int(result.round_trips))
        return np.array([energy(relax(hamiltonian, spins[0])[0]) for spins in result.spins])

    def energy(spins: np.ndarray) -> float:
        return float(hamiltonian.energy_per_site(spins.astype(np.float64)))

    acceptance: list[float] = []
    trips: list[int] = []
    # Compiled before the clock runs.
    energy(anneal(hamiltonian, shape, "quench"))
    found: dict[str, tuple[list[np.ndarray], float]] = {}
    start = time.process_time()
    found["exchange"] = [exchanged(seed) for seed in range(1, runs + 1)], time.process_time() - start
    budget = found["exchange"][1]
    for schedule in ("default", "slow"):
        groups: list[np.ndarray] = []
        start, index = time.process_time(), 0
        # As many groups as runs, each of the processor time of a run.
        for group in range(runs):
            energies = []
            while time.process_time() - start < budget * (group + 1) / runs:
                energies.append(energy(anneal(hamiltonian, shape, schedule, 1, index)))
                index += 1
            groups.append(np.array(energies))
        found[schedule] = groups, time.process_time() - start
    lowest = min(known, *(float(group.min()) for groups, _ in found.values() for group in groups))
    for method, (groups, taken) in found.items():
        energies = np.concatenate(groups)
        reached = [bool((group <= lowest + SAME_ENERGY).any()) for group in groups]
        share = np.mean(energies <= lowest + SAME_ENERGY)
        print(
            f"| {name} | {method} | {len(energies)} | {share:.1%} | {sum(reached)} of {runs} | "
            f"{energies.mean() - lowest:.1e} | {energies.min() - lowest:.1e} | {taken:.0f} |", flush=True,
        )  # fmt: skip
    print(f"{name}: acceptance {np.mean(acceptance):.2f}, round trips a run {np.mean(trips):.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tempering", nargs="*", choices=[*SYSTEMS, []], metavar="SYSTEM", help="compare low states")
    parser.add_argument("--runs", type=int, default=6, help="runs with exchange of each system")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--sweeps", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{processor_kind()}, {usable_cores()} cores")
    if arguments.tempering is None:
        speed(arguments.side, arguments.sweeps * 10, arguments.repeats)
        return
    print("| System | Method | Lattices | In the lowest | Runs with one | Excess, mean | Excess, least | CPU s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.tempering or SYSTEMS:
        tempering(name, arguments.runs, arguments.sweeps)


if __name__ == "__main__":
    main()

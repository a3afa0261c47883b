"""Time of a spin update and of an annealed configuration.

    python benchmarks/annealing.py                  # table of the kernels
    python benchmarks/annealing.py --schedules      # energies, skyrmions, defects and time of some schedules
    python benchmarks/annealing.py --freezing       # the same at constant temperatures
    python benchmarks/annealing.py --systems        # the same for some Hamiltonians at 64 x 64
    python benchmarks/annealing.py --growth         # time against the side of the lattice
    python benchmarks/annealing.py --peer COMMAND   # heat bath against another program
    python benchmarks/annealing.py --json           # any of them as one line, nanoseconds and seconds

Times of an update are medians; the kernels are compiled and warm. CPU times are those of the annealing thread.
COMMAND prints one line of JSON with `ns_per_update`, the nanoseconds per spin update of one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_evae.analysis import defect_share, delaunay_bonds, find_skyrmions
from keras_evae.annealing import anneal, anneal_many
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.machine import processor_kind, usable_cores
from keras_evae.monte_carlo.checkerboard import MonteCarlo
from keras_evae.monte_carlo.schedule import PRESETS, AnnealingSchedule

QUENCH, SLOW = PRESETS["quench"], PRESETS["slow"]
SCHEDULES = {
    "quench": QUENCH,
    "quench, 10 sweeps": dataclasses.replace(QUENCH, sweeps=10),
    "quench, over-relaxed": dataclasses.replace(QUENCH, over_relaxation=5),
    "default": PRESETS["default"],
    "slow, 60 temperatures": dataclasses.replace(SLOW, temperatures=60),
    "slow": SLOW,
}
SYSTEMS = {
    "open edges": Hamiltonian(boundary="open"),
    "Bloch, D = 0.5, B = 0.1, K = 0.05": Hamiltonian(dmi="bloch", D=0.5, B=0.1, K=0.05),
    "D = 1, B = 0.5": Hamiltonian(D=1.0, B=0.5),
}
# One temperature throughout, then T = 0.
FREEZING_SCHEDULES = {
    f"T = {temperature}": AnnealingSchedule(temperature, temperature, temperatures=2000, over_relaxation=5)
    for temperature in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
}
# Lowest E/N found by any schedule at the paper's couplings, and how close counts as reached.
LOWEST_ENERGIES = {64: -2.0573164, 128: -2.0574844}
ENERGY_TOLERANCE = 1e-6
PEER_ROUNDS = 3
SIDES = (32, 64, 128, 256, 512)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def update_time(run: Callable[[MonteCarlo], object], shape: tuple[int, int], threads: int, repeats: int) -> float:
    """Median nanoseconds per spin update and core while `threads` lattices are updated at once."""
    lattices = [MonteCarlo(Hamiltonian(), shape, index=index) for index in range(threads)]
    updates = shape[0] * shape[1]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, lattices))
        times = [seconds(lambda: list(pool.map(run, lattices))) for _ in range(repeats)]
    return 1e9 * statistics.median(times) / updates


def measure(shape: tuple[int, int], sweeps: int, repeats: int, configurations: int) -> dict[str, float]:
    kernels = {
        "heat_bath": lambda lattice: lattice.heat_bath(0.5, sweeps),
        "over_relaxation": lambda lattice: lattice.over_relaxation(sweeps=sweeps),
        # A tolerance out of reach: the time includes the measurements of the torque.
        "greedy": lambda lattice: lattice.relax(1e-30, sweeps),
    }
    results = {}
    for name, run in kernels.items():
        for threads, suffix in ((1, ""), (2, "_two_cores")):
            results[f"{name}_ns{suffix}"] = update_time(run, shape, threads, repeats) / sweeps
    hamiltonian, schedule = Hamiltonian(), PRESETS["default"]
    for workers, suffix in ((1, ""), (2, "_two_cores")):
        start = time.perf_counter()
        spins = np.stack(list(anneal_many(hamiltonian, shape, configurations, schedule, workers=workers)))
        results[f"configuration_s{suffix}"] = (time.perf_counter() - start) / configurations
    results["energy_per_site"] = float(hamiltonian.energy_per_site(spins.astype(np.float64)).mean())
    return results


def annealed(
    hamiltonian: Hamiltonian, side: int, schedule: AnnealingSchedule, lattices: int
) -> list[tuple[np.ndarray, float, float]]:
    """Configurations, their E/N, and the CPU seconds that a thread took for each."""

    def run(index: int) -> tuple[np.ndarray, float, float]:
        start = time.thread_time()
        spins = anneal(hamiltonian, (side, side), schedule, index=index)
        cpu = time.thread_time() - start
        return spins, float(hamiltonian.energy_per_site(spins.astype(np.float64))), cpu

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, range(lattices)))


def measure_schedule(side: int, schedule: AnnealingSchedule, lattices: int) -> dict[str, float]:
    """Means over lattices; `reached` is the share that came to the lowest energy known."""
    results = annealed(Hamiltonian(), side, schedule, lattices)
    energies = np.array([energy for _, energy, _ in results])
    found = [find_skyrmions(spins) for spins, *_ in results]
    shares = [defect_share(delaunay_bonds(skyrmions.positions, (side, side)).counts) for skyrmions in found]
    cpu = statistics.mean(seconds for *_, seconds in results)
    reached = float(np.mean(energies < LOWEST_ENERGIES[side] + ENERGY_TOLERANCE))
    return {
        "excess": float(energies.mean()) - LOWEST_ENERGIES[side],
        "energy_lowest": float(energies.min()),
        "skyrmions": statistics.mean(map(len, found)),
        "skyrmions_spread": statistics.pstdev(map(len, found)),
        "defect_share": statistics.mean(shares),
        "without_defect": statistics.mean(share == 0.0 for share in shares),
        "cpu_s": cpu,
        "reached": reached,
        "reached_per_cpu_s": reached / cpu,
    }


def schedule_table(
    schedules: dict[str, AnnealingSchedule], sides: Iterable[int], arguments: argparse.Namespace
) -> None:
    annealed(Hamiltonian(), 64, AnnealingSchedule(temperatures=2), 1)
    results = [
        {"schedule": name, "side": side, **measure_schedule(side, schedule, arguments.lattices)}
        for side in sides
        for name, schedule in schedules.items()
    ]
    if arguments.json:
        print(json.dumps(results))
        return
    heads = ("Side", "Schedule", "Excess", "Lowest", "E/N lowest", "Skyrmions", "Defect share", "Without defect")
    print_row(*heads, "CPU ms", "Lowest per CPU s")
    print_row(*["---"] * 10)
    for row in results:
        print_row(
            row["side"],
            row["schedule"],
            f"{row['excess']:.1e}",
            f"{row['reached']:.1%}",
            f"{row['energy_lowest']:.7f}",
            f"{row['skyrmions']:.1f} ± {row['skyrmions_spread']:.1f}",
            f"{row['defect_share']:.1%}",
            f"{row['without_defect']:.0%}",
            f"{1e3 * row['cpu_s']:.3g}",
            f"{row['reached_per_cpu_s']:.2g}",
        )


def system_table(arguments: argparse.Namespace) -> None:
    """Lowest known is the lowest E/N of all lattices in the table."""
    names = ("quench", "quench, 10 sweeps", "default", "slow, 60 temperatures")
    results = []
    for system, hamiltonian in SYSTEMS.items():
        annealed(hamiltonian, 64, AnnealingSchedule(temperatures=2), 1)
        found = {name: annealed(hamiltonian, 64, SCHEDULES[name], arguments.lattices) for name in names}
        lowest = min(energy for lattices in found.values() for _, energy, _ in lattices)
        for name, lattices in found.items():
            energies = np.array([energy for _, energy, _ in lattices])
            cpu = 1e3 * statistics.mean(seconds for *_, seconds in lattices)
            reached = float(np.mean(energies < lowest + ENERGY_TOLERANCE))
            results.append((system, name, float(energies.mean()) - lowest, reached, cpu))
    if arguments.json:
        print(json.dumps(results))
        return
    print_row("Hamiltonian", "Schedule", "Excess", "Lowest", "CPU ms")
    print_row(*["---"] * 5)
    for system, name, excess, reached, cpu in results:
        print_row(system, name, f"{excess:.1e}", f"{reached:.1%}", f"{cpu:.3g}")


def print_row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def measure_growth(name: str, side: int, lattices: int) -> dict[str, float | str]:
    """Mean CPU milliseconds of the sweeps of a schedule and of the relaxation after them."""
    schedule = SCHEDULES[name]
    thermal, relaxation, sweeps = [], [], []
    for index in range(lattices):
        lattice = MonteCarlo(Hamiltonian(), (side, side), index=index)
        start = time.thread_time()
        lattice.heat_bath(schedule.temperature_steps(), schedule.sweeps, schedule.over_relaxation)
        middle = time.thread_time()
        sweeps.append(lattice.relax(schedule.torque_tolerance, schedule.max_greedy_sweeps)[1])
        thermal.append(middle - start)
        relaxation.append(time.thread_time() - middle)
    return {
        "schedule": name,
        "side": side,
        "thermal_sweeps": schedule.thermal_sweeps,
        "thermal_ms": 1e3 * statistics.mean(thermal),
        "thermal_ns_per_update": 1e9 * statistics.mean(thermal) / side**2 / schedule.thermal_sweeps,
        "relaxation_sweeps": statistics.mean(sweeps),
        "relaxation_ms": 1e3 * statistics.mean(relaxation),
        "relaxation_ns_per_update": 1e9 * sum(relaxation) / side**2 / sum(sweeps),
    }


def growth_table(arguments: argparse.Namespace) -> None:
    measure_growth("quench", 32, 1)
    # Fewer of the large ones: as many as have the sites of those at 128 x 128.
    cases = [(side, max(1, min(arguments.lattices, arguments.lattices * 128**2 // side**2))) for side in SIDES]
    results = [measure_growth(name, *case) for name in ("default", "quench") for case in cases]
    if arguments.json:
        print(json.dumps(results))
        return
    print_row("Schedule", "Side", "Sweeps", "ms", "ns per update", "Relaxation sweeps", "ms", "ns per update")
    print_row(*["---"] * 8)
    for name, *values in map(dict.values, results):
        print_row(name, *(f"{value:.4g}" for value in values))


def peer_time(command: str) -> float:
    """Nanoseconds per update that the command's last line of output tells."""
    output = subprocess.run(shlex.split(command), check=True, capture_output=True, text=True).stdout
    return float(json.loads(output.strip().splitlines()[-1])["ns_per_update"])


def peer_comparison(arguments: argparse.Namespace) -> None:
    """Runs in turn, so that both meet the same machine."""

    def run(lattice: MonteCarlo) -> None:
        lattice.heat_bath(0.5, arguments.sweeps)

    ours, peer = [], []
    for _ in range(PEER_ROUNDS):
        ours.append(update_time(run, tuple(arguments.shape), 1, arguments.repeats) / arguments.sweeps)
        peer.append(peer_time(arguments.peer))
    ratio = statistics.median(peer) / statistics.median(ours)
    if arguments.json:
        print(json.dumps({"heat_bath_ns": ours, "peer_ns": peer, "updates_per_second_ratio": ratio}))
        return
    print("ns per update, heat bath " + ", ".join(f"{value:.3g}" for value in ours))
    print("ns per update, peer      " + ", ".join(f"{value:.3g}" for value in peer))
    print(f"{ratio:.3g} times the peer's updates per second (medians)")


def kernel_table(arguments: argparse.Namespace) -> None:
    shape = tuple(arguments.shape)
    results = measure(shape, arguments.sweeps, arguments.repeats, arguments.configurations)
    if arguments.json:
        print(json.dumps({"shape": list(shape), **results}))
        return
    print(f"{shape[0]} x {shape[1]} sites" + "one core".rjust(20) + "two cores".rjust(14))
    for name in ("heat_bath_ns", "over_relaxation_ns", "greedy_ns", "configuration_s"):
        print(f"{name:20}{results[name]:22.4g}{results[name + '_two_cores']:14.4g}")
    print(f"energy per site {results['energy_per_site']:.5f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--shape", type=int, nargs=2, default=(128, 128), metavar=("Y", "X"))
    parser.add_argument("--sweeps", type=int, default=256, help="sweeps in one measurement")
    parser.add_argument("--repeats", type=int, default=21, help="measurements, of which the median counts")
    parser.add_argument("--configurations", type=int, default=20, help="annealed configurations")
    parser.add_argument("--lattices", type=int, default=100, help="configurations for each row of the tables below")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--schedules", action="store_true", help="compare schedules at 64 x 64 and 128 x 128")
    mode.add_argument("--freezing", action="store_true", help="the same for constant temperatures at 128 x 128")
    mode.add_argument("--systems", action="store_true", help="compare schedules for other Hamiltonians at 64 x 64")
    mode.add_argument("--growth", action="store_true", help="time from 32 x 32 to 512 x 512")
    mode.add_argument("--peer", metavar="COMMAND", help="compare with a command, see above")
    arguments = parser.parse_args()
    if not arguments.json:
        print(f"{processor_kind()}, {usable_cores()} cores")
    if arguments.schedules:
        schedule_table(SCHEDULES, LOWEST_ENERGIES, arguments)
    elif arguments.freezing:
        schedule_table(FREEZING_SCHEDULES, [128], arguments)
    elif arguments.systems:
        system_table(arguments)
    elif arguments.growth:
        growth_table(arguments)
    elif arguments.peer:
        peer_comparison(arguments)
    else:
        kernel_table(arguments)


if __name__ == "__main__":
    main()

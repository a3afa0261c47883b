"""Time of a spin update and of an annealed configuration.

    python benchmarks/annealing.py            # table
    python benchmarks/annealing.py --json     # one line, nanoseconds and seconds

Times of an update are medians; the kernels are compiled and warm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_evae.annealing import AnnealingSchedule, MonteCarlo, anneal_many
from keras_evae.hamiltonian import Hamiltonian


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
    hamiltonian, schedule = Hamiltonian(), AnnealingSchedule()
    for workers, suffix in ((1, ""), (2, "_two_cores")):
        start = time.perf_counter()
        spins = np.stack(list(anneal_many(hamiltonian, shape, configurations, schedule, workers=workers)))
        results[f"configuration_s{suffix}"] = (time.perf_counter() - start) / configurations
    results["energy_per_site"] = float(hamiltonian.energy_per_site(spins.astype(np.float64)).mean())
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--shape", type=int, nargs=2, default=(128, 128), metavar=("Y", "X"))
    parser.add_argument("--sweeps", type=int, default=256, help="sweeps in one measurement")
    parser.add_argument("--repeats", type=int, default=21, help="measurements, of which the median counts")
    parser.add_argument("--configurations", type=int, default=20, help="annealed configurations")
    arguments = parser.parse_args()
    results = measure(tuple(arguments.shape), arguments.sweeps, arguments.repeats, arguments.configurations)
    if arguments.json:
        print(json.dumps({"shape": list(arguments.shape), **results}))
        return
    print(f"{arguments.shape[0]} x {arguments.shape[1]} sites" + "one core".rjust(20) + "two cores".rjust(14))
    for name in ("heat_bath_ns", "over_relaxation_ns", "greedy_ns", "configuration_s"):
        print(f"{name:20}{results[name]:22.4g}{results[name + '_two_cores']:14.4g}")
    print(f"energy per site {results['energy_per_site']:.5f}")


if __name__ == "__main__":
    main()

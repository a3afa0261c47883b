"""Slow anneals by number, or as many as fit in a given CPU time: what a search for low states has to compare with."""

import dataclasses
import io
import json
import math
import time
from pathlib import Path

import numpy as np

from keras_evae.annealing import KERNEL_VERSION, anneal_many, relax
from keras_evae.console import progress_bar
from keras_evae.errors import DataError
from keras_evae.files import as_npz, disk_errors, load_arrays, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.relaxation import TORQUE, precise_energy
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE, AnnealingSchedule

FILE = "anneals.npz"


@dataclasses.dataclass(frozen=True)
class Anneals:
    """Slow anneals of one Hamiltonian on one lattice: E/N of each as it was annealed, `(n,)`, and the CPU time of all.

    `spins` `(y, x, 3)` is the lowest one relaxed further, `energy_per_site` its E/N.
    """

    energies: np.ndarray
    spins: np.ndarray
    energy_per_site: float
    cpu_seconds: float

    def seconds_to(self, energy: float, same_energy: float = 1e-7) -> float | None:
        """CPU time until the first that is at most as high as `energy`, up to rounding; None if there is none."""
        reached = np.flatnonzero(self.energies <= energy + same_energy)
        return self.cpu_seconds * float(reached[0] + 1) / len(self.energies) if len(reached) else None

    def fitting(self, cpu_seconds: float, piece: float) -> int:
        """How many more fit into a CPU time: one piece of them at most; 0 if none fits."""
        each, left = self.cpu_seconds / len(self.energies), cpu_seconds - self.cpu_seconds
        return max(1, math.floor(min(piece, left) / each)) if left >= each else 0


def anneal_slowly(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int],
    count: int,
    schedule: AnnealingSchedule = SLOW_SCHEDULE,
    seed: int = 1,
    before: Anneals | None = None,
    workers: int | None = None,
) -> Anneals:
    """Adds `count` slow anneals to those before; seed 0 is that of datasets and certificates. See `anneal_many`."""
    clock = time.process_time() - (before.cpu_seconds if before else 0.0)
    energies, lowest = (before.energies.tolist(), before.spins) if before else ([], np.zeros((*shape, 3)))
    best = min(energies, default=math.inf)
    annealed = anneal_many(hamiltonian, shape, count, schedule, seed, workers, len(energies))
    for spins in progress_bar(annealed, "slow anneals", count, unit="lattice"):
        energies.append(precise_energy(spins, hamiltonian))
        if energies[-1] < best:
            best, lowest = energies[-1], spins
    relaxed, _ = relax(hamiltonian, lowest, TORQUE)
    return Anneals(np.array(energies), relaxed, precise_energy(relaxed, hamiltonian), time.process_time() - clock)


def anneal_for(
    hamiltonian: Hamiltonian,
    shape: tuple[int, int],
    cpu_seconds: float,
    folder: Path,
    schedule: AnnealingSchedule = SLOW_SCHEDULE,
    piece: float = 30.0,
    seed: int = 1,
) -> Anneals:
    """Slow anneals, one at least, for a CPU time in seconds, of all cores together.

    They go on from the file `anneals.npz` in `folder`, which is replaced as a whole after each `piece` of CPU time.
    """
    system = {"hamiltonian": hamiltonian.to_config(), "shape": shape, "kernel": KERNEL_VERSION}
    identity = json.dumps({**system, "seed": seed, "schedule": dataclasses.asdict(schedule)}, sort_keys=True).encode()
    anneals = _read(folder / FILE, identity)
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.0f} of {total:.0f} s of CPU"
    with progress_bar(total=cpu_seconds, description="slow anneals", bar_format=form) as bar:
        while count := anneals.fitting(cpu_seconds, piece) if anneals else 1:
            anneals = anneal_slowly(hamiltonian, shape, count, schedule, seed, anneals)
            content = as_npz({"identity": np.frombuffer(identity, np.uint8), **dataclasses.asdict(anneals)})
            with disk_errors(folder / FILE):
                folder.mkdir(parents=True, exist_ok=True)
                write_whole(folder / FILE, content)
            bar.update(min(anneals.cpu_seconds, cpu_seconds) - bar.n)
    # The first piece leaves no count of zero.
    return anneals  # type: ignore[return-value]


def _read(path: Path, identity: bytes) -> Anneals | None:
    """What is in the file; None if there is none, if it is damaged, or of another search: only time is lost."""
    try:
        arrays = load_arrays(path, io.BytesIO(path.read_bytes()))
        if arrays["identity"].tobytes() != identity:
            return None
        numbers = (float(arrays[name]) for name in ("energy_per_site", "cpu_seconds"))
        return Anneals(arrays["energies"], arrays["spins"], *numbers)
    except (OSError, ValueError, TypeError, KeyError, DataError):
        return None

"""As many slow anneals as fit in a given CPU time: what a search has to compare with.

They go on from a file, `anneals.npz`, that is replaced as a whole every half minute of CPU time.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_evae.annealing import KERNEL_VERSION, anneal_many, relax
from keras_evae.files import disk_errors, write_whole
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.certificate import SAME_ENERGY
from keras_evae.minima.relaxation import TORQUE
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE

FILE = "anneals.npz"
# CPU time between two writings of the file, in seconds.
PIECE = 30.0
# Not the seed of datasets and certificates: these are anneals of their own.
SEED = 1


@dataclasses.dataclass(frozen=True)
class Anneals:
    """Slow anneals of one Hamiltonian on one lattice.

    Args:
        energies: E/N of each as it was annealed, `(n,)`, in the order of their indices.
        spins: The lowest, relaxed further, `(y, x, 3)`.
        energy_per_site: Its E/N.
        cpu_seconds: CPU time of all.
    """

    energies: np.ndarray
    spins: np.ndarray
    energy_per_site: float
    cpu_seconds: float

    def seconds_to(self, energy: float) -> float | None:
        """CPU time until the first that is at most as high as `energy`, up to rounding; None if there is none."""
        reached = np.flatnonzero(self.energies <= energy + SAME_ENERGY)
        return self.cpu_seconds * float(reached[0] + 1) / len(self.energies) if len(reached) else None


def anneal_for(hamiltonian: Hamiltonian, shape: tuple[int, int], cpu_seconds: float, folder: Path) -> Anneals:
    """Slow anneals, one at least, for a CPU time; goes on from those that are in the folder.

    Args:
        hamiltonian: The Hamiltonian.
        shape: Rows and columns `(y, x)`, see `keras_evae.monte_carlo.checkerboard.MonteCarlo`.
        cpu_seconds: CPU time in seconds, of all cores together.
        folder: Of the file `anneals.npz`.
    """
    identity = {
        "hamiltonian": hamiltonian.to_config(),
        "shape": list(shape),
        "kernel": KERNEL_VERSION,
        "seed": SEED,
        "schedule": dataclasses.asdict(SLOW_SCHEDULE),
    }
    anneals = _read(folder / FILE, identity)
    start = anneals.cpu_seconds if anneals else 0.0
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.0f} of {total:.0f} s of CPU"
    with tqdm(total=cpu_seconds, initial=start, desc="slow anneals", bar_format=form, leave=False, delay=1) as bar:
        while count := _next_count(anneals, cpu_seconds):
            anneals = _anneal(hamiltonian, shape, anneals, count)
            _write(folder / FILE, anneals, identity)
            bar.update(min(anneals.cpu_seconds, cpu_seconds) - bar.n)
    # The first piece leaves no count of zero.
    return anneals  # type: ignore[return-value]


def _next_count(anneals: Anneals | None, cpu_seconds: float) -> int:
    if anneals is None:
        return 1
    each, left = anneals.cpu_seconds / len(anneals.energies), cpu_seconds - anneals.cpu_seconds
    return max(1, math.floor(min(PIECE, left) / each)) if left >= each else 0


def _anneal(hamiltonian: Hamiltonian, shape: tuple[int, int], before: Anneals | None, count: int) -> Anneals:
    start = time.process_time()
    first = len(before.energies) if before else 0
    energies: list[float] = []
    lowest, best = (before.spins, before.energies.min()) if before else (np.zeros((*shape, 3)), math.inf)
    for spins in anneal_many(hamiltonian, shape, count, SLOW_SCHEDULE, SEED, start=first):
        energies.append(_energy(spins, hamiltonian))
        if energies[-1] < best:
            best, lowest = energies[-1], spins
    relaxed, _ = relax(hamiltonian, lowest, TORQUE)
    seconds = time.process_time() - start + (before.cpu_seconds if before else 0.0)
    known = before.energies if before else np.zeros(0)
    return Anneals(np.concatenate([known, energies]), relaxed, _energy(relaxed, hamiltonian), seconds)


def _energy(spins: np.ndarray, hamiltonian: Hamiltonian) -> float:
    return float(hamiltonian.energy_per_site(spins.astype(np.float64)))


def _write(path: Path, anneals: Anneals, identity: dict[str, Any]) -> None:
    content = io.BytesIO()
    record = np.frombuffer(json.dumps(identity, sort_keys=True).encode(), np.uint8)
    np.savez(content, identity=record, **dataclasses.asdict(anneals))
    with disk_errors(path):
        os.makedirs(path.parent, exist_ok=True)
        write_whole(path, content.getvalue())


def _read(path: Path, identity: dict[str, Any]) -> Anneals | None:
    """What is in the file; None if there is none, if it is damaged, or of another search: only time is lost."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            if json.loads(arrays["identity"].tobytes()) != json.loads(json.dumps(identity)):
                return None
            numbers = (float(arrays[name]) for name in ("energy_per_site", "cpu_seconds"))
            return Anneals(arrays["energies"], arrays["spins"], *numbers)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None

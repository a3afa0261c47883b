"""Certified states in any number: drawn from a stage of a run, relaxed at T = 0, kept if they fulfil conditions.

States are drawn a chunk at a time. Chunk k follows from the stage, the prior, the seed and k alone, so neither an
interruption nor the number of states shows in what is drawn.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_evae.analysis.description import skyrmions_and_bonds
from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.errors import DataError, as_integer, as_number
from keras_evae.evaluation.stage_selection import before_collapse, has_collapsed
from keras_evae.files import file_checksum
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima.certificate import certify
from keras_evae.minima.relaxation import TORQUE, relax_states
from keras_evae.runs.run import Run
from keras_evae.runs.stage_priors import FLOW

CHUNK = 100
# Draws for each state that is wanted, at most.
DRAWS = 1000
# What is measured on each state: name, type and, for the table, what it is.
MEASURED = {
    "energy_per_site": ("f8", "E/N, units of the exchange constant"),
    "energy_generated": ("f8", "E/N before the relaxation"),
    "change": ("f8", "|S_generated - S|^2, mean over spins"),
    "torque": ("f8", "largest |S x h|"),
    "charge": ("f8", "topological charge Q"),
    "charge_generated": ("f8", "Q before the relaxation"),
    "skyrmions": ("i8", "skyrmions against the field"),
    "defects": ("i8", "skyrmions without six neighbours"),
    "draw": ("i8", "number of the draw, from 0"),
}
RECORD = np.dtype([(name, kind) for name, (kind, _) in MEASURED.items()])


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What a state must fulfil to be kept; None for what does not matter.

    The topological charge, where edges are open rounded to a whole number; the largest number of skyrmions without six
    neighbours; a bound of E/N, in units of the exchange constant.
    """

    charge: int | None = None
    defects: int | None = None
    energy_below: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("charge", None), ("defects", 0)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, as_integer(name, value, least))
        if self.energy_below is not None:
            object.__setattr__(self, "energy_below", as_number("energy_below", self.energy_below))

    def fulfilled(self, record: np.ndarray) -> np.ndarray:
        """Which of the states with these measured numbers `(n,)` are kept."""
        kept = np.ones(len(record), bool)
        if self.charge is not None:
            kept &= np.rint(record["charge"]) == self.charge
        if self.defects is not None:
            kept &= record["defects"] <= self.defects
        if self.energy_below is not None:
            kept &= record["energy_per_site"] < self.energy_below
        return kept


@dataclasses.dataclass(frozen=True)
class StableStates:
    """States `(n, y, x, 3)` float32, and a structured array `(n,)` of what was measured on them, see `MEASURED`."""

    spins: np.ndarray
    record: np.ndarray

    @property
    def draws(self) -> int:
        """States that were drawn until these were found."""
        return int(self.record["draw"][-1]) + 1


@dataclasses.dataclass(frozen=True)
class StateSource:
    """Where states are drawn from and which are kept."""

    run: Run
    seed: int
    prior: str
    relax: bool
    conditions: Conditions

    def chunk(self, number: int) -> StableStates:
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1, np.uint64)[0])
        generated = self.run.generate(CHUNK, self.prior, seed)
        spins = relax_states(generated, self.run.hamiltonian) if self.relax else generated
        record = _measure(generated, spins, self.run.hamiltonian)
        record["draw"] = CHUNK * number + np.arange(CHUNK)
        kept = self.conditions.fulfilled(record)
        if self.relax:
            # The sweeps of a relaxation are limited. What it measures in single precision may differ a little here.
            kept &= record["torque"] <= 1.1 * TORQUE
        return StableStates(spins[kept], record[kept])

    def request(self) -> dict[str, Any]:
        """All that the states of a chunk follow from; loads the model, and learns the density if it is missing."""
        self.run.generate(1, self.prior, self.seed)
        stage = self.run.selected or self.run.stages[-1]
        density = file_checksum(stage.path / FLOW) if self.prior == "flow" else None
        own = {"seed": self.seed, "prior": self.prior, "relax": self.relax, **dataclasses.asdict(self.conditions)}
        weights = {"stage": stage.name, "weights_sha256": file_checksum(stage.weights), "density_sha256": density}
        return {**own, **weights, "chunk": CHUNK, "kernel": KERNEL_VERSION}


def generate_stable(
    run: Run,
    n: int,
    seed: int | None = None,
    prior: str = "flow",
    relax: bool = True,
    limit: int | None = None,
    **conditions: Any,
) -> StableStates:
    """Draws states of a run's selected stage and relaxes them at T = 0, until `n` of them fulfil the conditions.

    Args:
        run, n: A run, whose selected stage draws; number of states.
        seed: The same one gives the same states; None draws new ones at each call.
        prior: Where the latent vectors come from, see `Run.generate`.
        relax: Whether states are relaxed, to a torque below 1e-5; without, they are measured as they come.
        limit: Draws at most; 1000 for each wanted state by default.
        conditions: Of `Conditions`: `charge`, `defects`, `energy_below`.

    A `DataError` if so many draws do not give `n` states, with the number that fulfil the conditions.
    """
    source = make_source(run, seed, prior, relax, conditions)
    source.request()
    found = list(collect_chunks(n, limit, source.chunk))
    spins, record = (np.concatenate([getattr(chunk, name) for chunk in found])[:n] for name in ("spins", "record"))
    return StableStates(spins, record)


def last_before_collapse(run: Run) -> Run:
    """The run with the last stage before the collapse selected; with its last one if the collapse is not known."""
    return dataclasses.replace(run, selected=before_collapse(run)[-1]) if has_collapsed(run) else run


def make_source(run: Run, seed: int | None, prior: str, relax: bool, conditions: dict[str, Any]) -> StateSource:
    seed = int(np.random.default_rng().integers(2**63)) if seed is None else as_integer("seed", seed, 0)
    return StateSource(run, seed, prior, relax, Conditions(**conditions))


def _measure(generated: np.ndarray, spins: np.ndarray, hamiltonian: Hamiltonian) -> np.ndarray:
    """What `MEASURED` says of states `(n, y, x, 3)` and of what they were generated as."""
    record = np.zeros(len(spins), RECORD)
    before, after = (certify(states, hamiltonian, 0.0) for states in (generated, spins))
    for name in ("energy_per_site", "torque", "charge", "skyrmions"):
        record[name] = after[name]
    record["energy_generated"], record["charge_generated"] = before["energy_per_site"], before["charge"]
    changes = np.asarray(np.sum((spins - generated) ** 2, axis=-1, dtype=np.float64))
    for row, change, state in zip(record, changes, spins, strict=True):
        row["change"] = hamiltonian.on_sites(change).mean()
        _, bonds = skyrmions_and_bonds(state, hamiltonian)
        row["defects"] = np.count_nonzero(bonds.counts[bonds.surrounded] != 6)
    return record


def collect_chunks(n: int, limit: int | None, chunk: Callable[[int], StableStates]) -> Iterator[StableStates]:
    """Chunks in their order until they have `n` states together."""
    n, limit = as_integer("n", n, 1), None if limit is None else as_integer("limit", limit, 1)
    # A chunk is the same whatever the limit is, so it is never cut.
    most, found = DRAWS * n if limit is None else -(-limit // CHUNK) * CHUNK, 0
    with progress_bar(None, "stable states", n, unit="state") as progress:
        for draws in range(0, most, CHUNK):
            part = chunk(draws // CHUNK)
            found += len(part.record)
            progress.update(min(len(part.record), n - progress.n))
            yield part
            if found >= n:
                return
    raise DataError(
        f"expected {n} states that fulfil the conditions, found {found} among {most} draws; "
        f"loosen the conditions, or raise the limit of the draws, {most}"
    )

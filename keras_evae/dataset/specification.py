"""What fixes the content of a dataset: Hamiltonian, lattice, sizes, seed, schedule, storage, files of own states."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_evae.errors import ArgumentError, as_integer, in_brief
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.checks import check_shape
from keras_evae.monte_carlo.schedule import AnnealingSchedule
from keras_evae.monte_carlo.streams import check_stream

SPLITS = ("train", "validation", "test")
STORAGES = ("float32", "float16")


def check_split(split: str) -> str:
    """The name of a split, or an `ArgumentError`."""
    if split not in SPLITS:
        raise ArgumentError("split", f"one of {', '.join(SPLITS)}", split)
    return split


@dataclasses.dataclass(frozen=True)
class DatasetSpecification:
    """Everything that fixes the content of a dataset.

    Args:
        hamiltonian: Energy that is annealed.
        shape: Lattice `(y, x)`.
        sizes: Number of configurations in train, validation and test.
        seed: Seed of the annealing; configuration k depends on (seed, k) alone.
        schedule: Annealing schedule.
        storage: `"float32"`, or `"float16"` for half the disk: each spin is then rounded by at most 5e-4.
        files: Of a user's own states: files, folders and globs that they come from, none where the dataset is there
            already. None where states are annealed.
        fit: How the lattice of own states becomes `shape`, see `keras_evae.dataset.own_files`.

    Raises:
        ValueError: For a storage that does not exist, or a lattice that cannot be annealed.
    """

    hamiltonian: Hamiltonian
    shape: tuple[int, int]
    sizes: tuple[int, int, int]
    seed: int
    schedule: AnnealingSchedule
    storage: str = "float32"
    files: tuple[str, ...] | None = None
    fit: str = "exact"

    def __post_init__(self) -> None:
        if self.storage not in STORAGES:
            raise ValueError(f"`storage` must be one of {', '.join(STORAGES)}. Received: storage={self.storage!r}")
        object.__setattr__(self, "shape", check_shape(self.hamiltonian, self.shape))
        object.__setattr__(self, "sizes", tuple(as_integer("sizes", size, 0) for size in self.sizes))
        object.__setattr__(self, "seed", check_stream(self.seed, 0)[0])

    @property
    def count(self) -> int:
        """Configurations in all splits."""
        return sum(self.sizes)

    @property
    def disk_bytes(self) -> int:
        """Size of all spins, energies and charges, as they are stored."""
        item = 4 if self.storage == "float32" else 2
        return self.count * (self.shape[0] * self.shape[1] * 3 * item + 16)

    def attributes(self) -> dict[str, Any]:
        """The specification as plain values, by the names under which the configuration knows them."""
        values = {
            "dataset.shape": list(self.shape),
            **{f"dataset.{split}": size for split, size in zip(SPLITS, self.sizes, strict=True)},
            "dataset.seed": self.seed,
            "dataset.storage": self.storage,
        }
        values |= {f"hamiltonian.{name}": value for name, value in self.hamiltonian.to_config().items()}
        if self.files is None:
            return values | {f"dataset.schedule.{n}": value for n, value in dataclasses.asdict(self.schedule).items()}
        # Own states are found again by the configuration that names no files.
        own = {"dataset.source": "own", "dataset.fit": self.fit}
        return own | ({"dataset.files": list(self.files)} if self.files else {}) | values


def describe_difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """The first key whose values differ, in words, or None if there is none."""
    for key, value in expected.items():
        if found.get(key) != value:
            return f"{key}: expected {in_brief(value)} as configured, found {in_brief(found.get(key))}"
    return None

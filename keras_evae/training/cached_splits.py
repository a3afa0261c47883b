"""The splits of a dataset as training reads them again and again: from memory where they fit, else from the file."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from keras_evae.dataset import open_dataset, read_split
from keras_evae.dataset.hdf5 import StoredSpins
from keras_evae.machine import available_memory
from keras_evae.runs.resources import fits


class CachedSplits:
    """The splits of a dataset, kept in memory from the first use on, as long as this object lives.

    Args:
        cache: False: read from the file at each use. True: keep every split that is used. `"auto"`: keep those that
            take at most half of the memory that is available by then.
    """

    def __init__(
        self,
        path: str | Path,
        cache: bool | Literal["auto"] = False,
        memory: Callable[[], int] = available_memory,
    ) -> None:
        self.path, self._cache, self._memory = Path(path), cache, memory
        self._kept: dict[str, np.ndarray] = {}

    def shape(self, split: str) -> tuple[int, int, int, int]:
        """`(n, y, x, 3)` of a split; `DataError` if the file is missing or damaged."""
        with self.open(split) as spins:
            return spins.shape

    def keep(self, split: str) -> None:
        """Reads a split into memory, if it shall be there and is not.

        Raises:
            ConfigError: If it shall and does not fit; nothing was read.
            DataError: If the file is missing or damaged.
        """
        if self._cache and split not in self._kept and fits(self.shape(split), self._cache, self._memory()):
            self._kept[split] = read_split(self.path, split)

    @contextlib.contextmanager
    def open(self, split: str) -> Iterator[StoredSpins | np.ndarray]:
        """Spins `(n, y, x, 3)` float32 of a split, from memory or from the file, for reading."""
        if split in self._kept:
            yield self._kept[split]
            return
        with open_dataset(self.path) as file:
            yield file[split]["spins"]

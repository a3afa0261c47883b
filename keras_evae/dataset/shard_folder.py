"""The work folder of a generation, next to its target: `<target>.parts/`.

    lock                 who is at work
    specification.json   what is annealed, written first; a generation of another specification is refused
    000000.npz, ...      finished shards; each appears whole and is never changed
    manifest.sha256      a line `<sha256>  <shard>` for each finished shard, appended after the shard has appeared

A shard counts as finished when its line is in the manifest and its checksum is right. Whatever a kill cuts short falls
short of that: a `.partial` file is removed, a shard without a line is made again, a torn last line is no line. The
manifest is in the format of `sha256sum --check manifest.sha256`.
"""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from keras_evae.annealing import KERNEL_VERSION
from keras_evae.console import progress_bar
from keras_evae.dataset.shards import LONGEST_SHARD, shard_indices, shard_length
from keras_evae.dataset.specification import DatasetSpecification, describe_difference
from keras_evae.errors import DataError, MismatchError, in_brief, reading_errors, validate_json
from keras_evae.files import (
    append_line,
    as_npz,
    checksum,
    hold_lock,
    json_text,
    load_arrays,
    read_checksums,
    sync_folder,
    write_whole,
)

logger = logging.getLogger(__name__)

LOCK, SPECIFICATION, MANIFEST, PACKED = "lock", "specification.json", "manifest.sha256", "packed.h5.partial"
Folder = TypeVar("Folder", bound="PartsFolder")
SHARD_PATTERN = "[0-9]*.npz"


def parts_path(target: Path) -> Path:
    """The work folder of a target."""
    return target.with_name(f"{target.name}.parts")


@contextlib.contextmanager
def hold_parts(parts: Folder) -> Iterator[Folder]:
    """Locks a work folder, creates it if it is missing, and looks at what is finished.

    Raises:
        LockedError: If another process holds it.
        MismatchError: If its shards are of another specification; nothing is changed.
        DataError: If its specification is damaged.
    """
    with hold_lock(parts.path / LOCK):
        try:
            parts.open()
            yield parts
        finally:
            # What a full disk has cut short shall not fill it.
            for partial in parts.path.glob("*.partial"):
                partial.unlink()


def finished_share(target: Path, specification: DatasetSpecification) -> float:
    """Share of a dataset that is there, from the names of its files alone: 1 if it is finished, 0 if nothing is."""
    if target.exists():
        return 1.0
    shards = len(shard_indices(specification, shard_length(specification)))
    return len(list(parts_path(target).glob(SHARD_PATTERN))) / shards


def remove_parts(target: Path) -> None:
    """Removes the work folder of a finished target, if a crash has left it."""
    path = parts_path(target)
    if path.is_dir():
        with hold_lock(path / LOCK):
            _remove(path)


class PartsFolder:
    """A work folder of `count` parts, called shards, for a target with these attributes; it is to be locked."""

    def __init__(self, path: Path, count: int, attributes: Mapping[str, Any]) -> None:
        self.path, self.count = path, count
        self._expected = {**attributes, "kernel version": KERNEL_VERSION}
        self._checksums: dict[str, str] = {}

    @property
    def packed(self) -> Path:
        """Where the target is written before it is published."""
        return self.path / PACKED

    def open(self) -> None:
        """Checks the specification and every shard that is there; what is not whole is removed."""
        if (self.path / SPECIFICATION).exists():
            self._check_specification()
            self._checksums = self._verified(dict(read_checksums(self.path / MANIFEST)))
        _remove(self.path, keep=(LOCK, SPECIFICATION, MANIFEST, *self._checksums))
        lines = [f"{digest}  {name}\n" for name, digest in self._checksums.items()]
        write_whole(self.path / MANIFEST, "".join(lines).encode())
        if not (self.path / SPECIFICATION).exists():
            write_whole(self.path / SPECIFICATION, json_text(self._expected, indent=2).encode() + b"\n")
            sync_folder(self.path.parent)

    def missing(self) -> list[int]:
        """Numbers of the shards that are still to be made."""
        return [shard for shard in range(self.count) if _shard_name(shard) not in self._checksums]

    def write(self, shard: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a finished shard, then its line in the manifest."""
        name, content = _shard_name(shard), as_npz(arrays)
        digest = checksum(content)
        write_whole(self.path / name, content)
        append_line(self.path / MANIFEST, f"{digest}  {name}")
        self._checksums[name] = digest

    def read(self, shard: int) -> dict[str, np.ndarray]:
        """The arrays of a finished shard; `DataError` if the file is not what was written, to the last bit."""
        name = _shard_name(shard)
        content = _read_verified(self.path / name, self._checksums[name])
        if content is None:
            raise DataError(f"{self.path / name}: truncated or damaged; start again, and it will be generated again")
        return load_arrays(self.path / name, io.BytesIO(content))

    def remove(self) -> None:
        """Removes everything, when the target is published."""
        _remove(self.path)

    def _check_specification(self) -> None:
        file = self.path / SPECIFICATION
        remedy = f"delete the folder {self.path}, and its shards will be generated again"
        found = validate_json(file, file.read_bytes(), dict[str, Any], remedy)
        difference = describe_difference(self._expected, found)
        # A damaged name is no other value where the value is None.
        if not difference and found.keys() != self._expected.keys():
            other = sorted(found.keys() ^ self._expected.keys())
            raise DataError(f"{file}: truncated or damaged (other keys: {in_brief(other)}); {remedy}")
        if difference:
            raise MismatchError(
                f"{self.path}: {difference} in this unfinished generation; nothing was changed. "
                f"Mend the configuration, choose another dataset.path, or delete that folder"
            )

    def _verified(self, checksums: dict[str, str]) -> dict[str, str]:
        known = {_shard_name(shard) for shard in range(self.count)}
        whole = {}
        for name in progress_bar(sorted(checksums), "checking", unit="shard"):
            if name in known and _read_verified(self.path / name, checksums[name]) is not None:
                whole[name] = checksums[name]
            else:
                logger.warning("%s: truncated or damaged; it is generated again", self.path / name)
        return whole


class ShardFolder(PartsFolder):
    """The shards of one dataset, of `longest_shard` configurations at most."""

    def __init__(self, path: Path, specification: DatasetSpecification, longest_shard: int = LONGEST_SHARD) -> None:
        self.specification, self.length = specification, shard_length(specification, longest_shard)
        self.shards = shard_indices(specification, self.length)
        super().__init__(
            path, len(self.shards), specification.attributes() | {"configurations in a shard": self.length}
        )


def _shard_name(shard: int) -> str:
    return f"{shard:06d}.npz"


def _read_verified(file: Path, expected: str) -> bytes | None:
    """The content of a file, or None if it has another checksum or is missing."""
    if not file.exists():
        return None
    with reading_errors(file):
        content = file.read_bytes()
    return content if checksum(content) == expected else None


def _remove(path: Path, keep: tuple[str, ...] = ()) -> None:
    """Removes the files of a generation, but for those to keep, and the folder if nothing remains in it."""
    # In this order, so that shards never lie there without the specification that they belong to.
    for pattern in ("*.partial", SHARD_PATTERN, MANIFEST, SPECIFICATION, LOCK):
        for file in path.glob(pattern):
            if file.name not in keep:
                file.unlink()
    with contextlib.suppress(OSError):
        path.rmdir()

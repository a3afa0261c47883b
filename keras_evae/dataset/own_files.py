"""A dataset of a user's own states: read from files, checked, fitted to the lattice, split by a seed.

The states of all files, in the order of these, are permuted by the seed; the first ones of that order fill train,
validation and test. The file is that of `keras_evae.dataset.hdf5`; its attribute `origin` says as JSON from which files
the states come, with their SHA-256 and number of states, and how far from minima they are.
"""

import glob
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_evae.dataset.formats.spin_files import SUFFIXES, open_states, split_source, unit_vectors
from keras_evae.dataset.hdf5 import check_dataset, write_dataset
from keras_evae.dataset.shard_folder import LOCK, PACKED, parts_path, remove_parts
from keras_evae.dataset.shards import measured
from keras_evae.dataset.specification import SPLITS, DatasetSpecification
from keras_evae.errors import DataError, MismatchError, in_brief
from keras_evae.files import disk_errors, expand_path, file_checksum, hold_lock, publish
from keras_evae.lattice import LATTICE_MULTIPLE

logger = logging.getLogger(__name__)

# Largest torque |S x h| of a state that is called a minimum.
TORQUE = 1e-3


def find_sources(patterns: Iterable[str]) -> list[str]:
    """Files of spins that paths, folders and globs name, each once, in the order of their names.

    Raises:
        DataError: For a pattern that names none.
    """
    found = dict[str, None]()
    for pattern in patterns:
        try:
            path = expand_path(pattern)
        except ValueError as error:
            raise DataError(f"{in_brief(pattern)}: expected {error}") from error
        if path.is_dir():
            names = sorted(str(file) for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        else:
            names = [str(path)] if path.exists() else sorted(glob.glob(str(path), recursive=True))
            if not names and split_source(str(path))[0].is_file():
                names = [str(path)]
        if not names:
            raise DataError(f"{path.absolute()}: expected files of spins ({', '.join(SUFFIXES)}), found none")
        found |= dict.fromkeys(names)
    return list(found)


def import_states(path: Path, specification: DatasetSpecification) -> None:
    """Makes a dataset of the files of a specification; the file appears only when it is complete.

    Raises:
        DataError: For files that cannot be read, too few states, or a lattice that cannot be fitted.
        MismatchError: For another lattice than that of the specification, or other absent sites.
        DiskError, LockedError: As `generate_dataset`.
    """
    if not specification.files:
        raise DataError(
            f"{path}: expected a dataset of own states, found none; make it with evae-import FILE... --output {path}, "
            f"or name its files as dataset.files"
        )
    sources = find_sources(specification.files)
    counts = [_check_source(source, specification) for source in sources]
    places = _choose_places(path, counts, specification)
    digests = (file_checksum(split_source(source)[0]) for source in sources)
    made_of = zip(sources, counts, digests, strict=True)
    files = {name: {"states": count, "sha256": digest} for name, count, digest in made_of}
    packed = parts_path(path) / PACKED
    with disk_errors(path):
        try:
            with hold_lock(packed.with_name(LOCK)):
                torque = _largest_torque(sources, specification)
                used = places[places < specification.count].tolist()
                arrays, origin = _measured(sources, specification, places), {"files": files, "largest_torque": torque}
                write_dataset(packed, specification, arrays, used, origin)
                check_dataset(packed, specification)
                publish(packed, path)
        finally:
            remove_parts(path)
    logger.info("%s: %d states of %d files", path, specification.count, len(sources))
    if torque > TORQUE:
        logger.warning(
            f"{path}: the largest torque |S x h| is {torque:.2g}, so states are no minima of this Hamiltonian; "
            f"training takes them as they are, keras_evae.relax makes minima of them"
        )


def _choose_places(path: Path, counts: list[int], specification: DatasetSpecification) -> np.ndarray:
    """The place of each state of the files in the dataset; states whose place lies beyond its size are left out."""
    total, wanted = sum(counts), specification.count
    if total < wanted:
        small = [max(1, total * size // wanted) for size in specification.sizes[1:]]
        sizes = zip(SPLITS, [max(1, total - sum(small)), *small], strict=True)
        raise DataError(
            f"{path}: expected {wanted} states for train, validation and test, found {total} in {len(counts)} files; "
            f"set {', '.join(f'dataset.{split}={size}' for split, size in sizes)}"
        )
    if total > wanted:
        logger.info("%s: %d of %d states are used, as dataset.train, validation and test say", path, wanted, total)
    return np.argsort(np.random.default_rng(specification.seed).permutation(total))


def _check_source(source: str, specification: DatasetSpecification) -> int:
    """The number of states in a file whose lattice fits."""
    with open_states(source) as states:
        found, shape = (states.shape[1], states.shape[2]), specification.shape
        if found == shape or _fits(found, specification):
            return len(states)
    if found == shape[::-1]:
        hint = "the axes y and x look swapped: write np.swapaxes(spins, 1, 2), or set dataset.shape"
    elif specification.fit == "exact" and not any(side % LATTICE_MULTIPLE for side in found):
        hint = f"set dataset.shape=[{found[0]}, {found[1]}]"
    else:
        hint = _offer(found, specification.hamiltonian.periodic)
    raise MismatchError(f"{source}: expected the lattice {shape} of dataset.shape, found {found}; {hint}")


def _fits(found: tuple[int, int], specification: DatasetSpecification) -> bool:
    pairs = list(zip(found, specification.shape, specification.hamiltonian.periodic, strict=True))
    if specification.fit == "crop":
        return all(side >= wanted for side, wanted, _ in pairs)
    return specification.fit == "tile" and all(
        wanted == side or (periodic and wanted % side == 0) for side, wanted, periodic in pairs
    )


def _offer(found: tuple[int, int], periodic: tuple[bool, bool]) -> str:
    """How states of any lattice become ones with sides that are multiples of 16."""
    offers = []
    if min(found) >= LATTICE_MULTIPLE:
        cropped = [side - side % LATTICE_MULTIPLE for side in found]
        offers.append(f"crop them with dataset.fit=crop and dataset.shape={cropped}")
    if all(closed or side % LATTICE_MULTIPLE == 0 for side, closed in zip(found, periodic, strict=True)):
        tiled = [int(np.lcm(side, LATTICE_MULTIPLE)) for side in found]
        offers.append(f"tile them along periodic axes with dataset.fit=tile and dataset.shape={tiled}")
    rule = f"sides must be multiples of {LATTICE_MULTIPLE}"
    return f"{rule}: {', or '.join(offers)}" if offers else f"{rule} and these are too small; simulate a larger lattice"


def _fitted_parts(sources: Iterable[str], specification: DatasetSpecification) -> Iterator[np.ndarray]:
    """All states of the files, in their order, on the lattice of the specification, in parts."""
    height, width = specification.shape
    mask = specification.hamiltonian.mask
    expected = np.ones(specification.shape, bool) if mask is None else mask
    for source in sources:
        with open_states(source) as states:
            for start, spins in unit_vectors(source, states, len(states)):
                if specification.fit == "tile":
                    spins = np.tile(spins, (1, height // spins.shape[1], width // spins.shape[2], 1))
                top, left = (spins.shape[1] - height) // 2, (spins.shape[2] - width) // 2
                spins = spins[:, top : top + height, left : left + width]
                wrong = (spins.any(axis=-1) != expected).any(axis=(1, 2))
                if wrong.any():
                    raise MismatchError(
                        f"{source}: expected zero vectors where the Hamiltonian has no site, and only there, found "
                        f"others in state {start + int(np.argmax(wrong))}; save the sites of one state with "
                        f"np.save('mask.npy', spins[0].any(axis=-1)) and set geometry.file=mask.npy, or leave it out"
                    )
                yield spins


def _measured(
    sources: Iterable[str], specification: DatasetSpecification, places: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    """The states that are used, with their energies and charges, in parts."""
    start = 0
    for spins in _fitted_parts(sources, specification):
        used = spins[places[start : start + len(spins)] < specification.count]
        start += len(spins)
        yield measured(specification, used, len(used))


def _largest_torque(sources: Iterable[str], specification: DatasetSpecification) -> float:
    torque = specification.hamiltonian.torque
    return max(float(torque(state).max()) for spins in _fitted_parts(sources, specification) for state in spins)

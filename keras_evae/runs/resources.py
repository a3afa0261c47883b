"""What a run needs of memory and disk at least, estimated before any work, and before TensorFlow is imported.

What is refused cannot fit; what is accepted may still be too much beside other programs.
"""

import math
import os
from pathlib import Path
from typing import Literal

import numpy as np

from keras_evae.config_sections import DatasetConfig, NetworkConfig, TrainingConfig
from keras_evae.dataset.generation import REMEDY, room_for_dataset
from keras_evae.dataset.specification import DatasetSpecification
from keras_evae.errors import ConfigError
from keras_evae.files import check_room, existing_folder
from keras_evae.machine import available_memory, check_memory, usable_cores

# A share of the memory that is available, which a split may take if nobody has said that it shall.
SHARE = 0.5
# Bytes of a spin, and of all arrays of a spin while it is annealed: colours, result, energy in double precision.
SPIN_BYTES, ANNEALED_BYTES = 12, 60
# Numbers that stand for a state of training: weights and both moments of Adam.
STATE = 3
# The state in training, its gradient, and the copies at the ends of two epochs; beside a GPU the copies alone.
COPIES_ON_CPU, COPIES_BESIDE_GPU = 3 * STATE + 1, 2 * STATE
# Bytes of a site of a sample while its gradient is computed, and of TensorFlow itself: measured, the smaller of the
# fast form and layer by layer.
SITE_BYTES, TENSORFLOW_BYTES = 350, 4e8
# Units between the wide layers of the network.
NARROW = 512


def parameters(shape: tuple[int, int], network: NetworkConfig) -> int:
    """Weights of the dense layers, which are nearly all that the network has; convolutions and normalisations apart."""
    features = math.prod(shape) * 3 // 16
    return features * (network.dense_units or features) + NARROW * (
        (network.dense_units or features) + features + 3 * network.latent_dim
    )


def check_annealing(specification: DatasetSpecification, path: Path, workers: int | None = None) -> None:
    """Compares what annealing a dataset on this machine needs with what is there; `ResourceError` if it cannot fit."""
    threads = min(workers or usable_cores(), specification.count)
    needed = threads * math.prod(specification.shape) * ANNEALED_BYTES
    what = f"memory: {threads} lattices annealed at once"
    check_memory(needed, what, "take fewer --workers, or a smaller dataset.shape")
    check_room(path.parent, room_for_dataset(path, specification), "the dataset and its shards", REMEDY)


def check_training(
    specification: DatasetSpecification,
    dataset: DatasetConfig,
    network: NetworkConfig,
    training: TrainingConfig,
    stages: int,
    folder: Path,
) -> str:
    """Compares what a run of so many stages in a folder needs with what is there.

    Returns:
        The needs in words.

    Raises:
        ResourceError: If it cannot fit.
        ConfigError: If splits that shall be kept in memory cannot.
    """
    sites, state = math.prod(specification.shape), 4 * STATE * parameters(specification.shape, network)
    batch = training.batch_size * sites * SITE_BYTES
    copies = (COPIES_BESIDE_GPU if _has_gpu() else COPIES_ON_CPU) * state // STATE
    memory = copies + TENSORFLOW_BYTES + (0 if _has_gpu() else batch)
    words = f"memory: training {state / 12e6:.3g} million weights, and batches of {training.batch_size} states"
    check_memory(memory, words, "take a smaller lattice, network.dense_units or training.batch_size")
    # Training keeps these two splits at the same time.
    fits((sum(specification.sizes[:2]), *specification.shape, 3), dataset.cache, available_memory())
    check_annealing(specification, dataset.path)
    finished = len(list((folder / "stages").glob("[0-9]*")))
    # A checkpoint is written beside the one before.
    run = max(0, stages - finished + 2) * state
    data = room_for_dataset(dataset.path, specification)
    both = _disk(folder) == _disk(dataset.path.parent)
    what = f"{stages - finished} stages and a checkpoint{' beside the dataset' if both and data else ''}"
    check_room(folder, run + (data if both else 0.0), what, "make room, or choose another --output or dataset.path")
    return f"about {memory / 1e9:.1f} GB of memory and {(run + data) / 1e9:.1f} GB on the disk"


def fits(shape: tuple[int, ...], cache: bool | Literal["auto"], available: int) -> bool:
    """Whether spins of a shape are to be kept in memory, of which so many bytes are available.

    Raises:
        ConfigError: If they shall be, and do not fit.
    """
    needed = math.prod(shape) * np.dtype(np.float32).itemsize
    if cache == "auto":
        return needed <= SHARE * available
    if cache and needed > available:
        raise ConfigError(
            f"dataset.cache: expected splits that fit into the {available / 1e9:.1f} GB of memory available, found "
            f"{needed / 1e9:.1f} GB; take auto or false"
        )
    return cache


def _has_gpu() -> bool:
    """Whether this process may find a GPU, from its device files: to look with TensorFlow takes seconds."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return not hidden and any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def _disk(folder: Path) -> int:
    return os.stat(existing_folder(folder)).st_dev

"""What the package asks of the computer: processor, cores, memory, TensorFlow's start, installed versions."""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import operator
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_evae
from keras_evae.errors import ConfigError, ResourceError

logger = logging.getLogger(__name__)

PACKAGES = ("tensorflow", "keras", "numpy", "numba", "h5py", "matplotlib", "pydantic", "PyYAML")


# The one switch of the whole process that the package sets.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


@functools.cache
def prepare_tensorflow() -> None:
    """Loads Keras and TensorFlow without their notes, with oneDNN on x86-64 unless `TF_ENABLE_ONEDNN_OPTS` is set.

    By itself TensorFlow does so only on processors with instructions for neural networks (AVX512-VNNI, AVX-VNNI, AMX).
    It reads the variable when it is loaded: where that has happened without oneDNN, a line of the log says so, once.
    Whatever imports TensorFlow in this package comes after this call.

    Raises:
        ConfigError: As `check_keras`.
    """
    check_keras()
    expected = ONEDNN not in os.environ and platform.machine().lower() in ("x86_64", "amd64")
    if "tensorflow" not in sys.modules:
        if expected:
            os.environ[ONEDNN] = "1"
        with _quiet_loading():
            importlib.import_module("keras")
    elif expected and not onednn_is_on():
        logger.warning(
            f"TensorFlow was imported before the model of keras_evae, and computes without oneDNN: training takes "
            f"twice as long or more. Set {ONEDNN}=1 before TensorFlow or Keras is imported"
        )


def onednn_is_on() -> bool:
    """Whether TensorFlow computes with oneDNN, which is settled when it is loaded; this loads it."""
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


@contextlib.contextmanager
def repeatable_sums() -> Iterator[None]:
    """Keeps TensorFlow from merging sums in compiled functions that are called in the block, for the same bits always.

    Its arithmetic optimisation makes one sum out of a tree of sums. The terms of a large one are added as they get
    ready, and a smaller one begins with a term whose memory is free: on a busy machine the order changes, and with it
    the rounding. Other functions, and these outside of the block, are compiled as before.
    """
    import tensorflow as tf

    name, options = "arithmetic_optimization", tf.config.optimizer
    # None, as an option that is not there, leaves the choice to TensorFlow.
    before = options.get_experimental_options().get(name)
    options.set_experimental_options({name: False})
    try:
        yield
    finally:
        options.set_experimental_options({name: before})


@contextlib.contextmanager
def _quiet_loading() -> Iterator[None]:
    """Keeps what TensorFlow's native libraries write while they are loaded away from the terminal.

    They write notes on the processor straight to the file descriptor, before any log level applies. A failing
    import still raises its exception.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def describe_environment() -> dict[str, Any]:
    """Versions, machine and command of this process."""
    versions = {"keras_evae": keras_evae.__version__}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processor": processor_kind(),
        "cores": os.cpu_count(),
        "versions": versions,
    }


def _commit() -> str | None:
    """The commit of the checkout that the package runs from, `-dirty` if files differ; None if it is installed."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    line = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(line, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def describe_arithmetic() -> dict[str, Any]:
    """What the last bits of a computation with TensorFlow depend on, beside its input."""
    import keras
    import numpy as np
    import tensorflow as tf

    threading = tf.config.threading
    within, between = threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    return {
        "processor": processor_kind(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "oneDNN": onednn_is_on(),
        "ONEDNN_MAX_CPU_ISA": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "threads": within or _number("TF_NUM_INTRAOP_THREADS") or _scheduled_cores(),
        "threads between operations": between or _number("TF_NUM_INTEROP_THREADS") or _scheduled_cores(),
        **{package.__name__: package.__version__ for package in (tf, keras, np)},
    }


def _number(variable: str) -> int:
    """The whole number in a variable of the process; 0 for anything else."""
    text = os.environ.get(variable, "").strip()
    return int(text) if text.isdigit() else 0


def processor_kind() -> str:
    """The processor's name and its vector instructions, such as `AMD EPYC, AVX-512`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = found.get("model name") or platform.processor() or platform.machine()
    flags = found.get("flags", "").split()
    vectors = [words for flag, words in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags]
    return ", ".join([name, *vectors[:1]])


def usable_cores(root: str | Path = "/") -> int:
    """Cores that this process may use; fewer than the machine has where a scheduler or container says so.

    Args:
        root: As of `available_memory`.
    """
    return max(1, min([_scheduled_cores(), *map(math.ceil, _quotas(Path(root)))]))


def _scheduled_cores() -> int:
    """Cores on which threads may run, which is what TensorFlow counts: quotas of time are not part of it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Shares of a core's time, as numbers of cores, that the control groups around this process may take."""
    for folder in _control_groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            yield operator.truediv(*map(int, (folder / "cpu.max").read_text().split()))
        with contextlib.suppress(OSError, ValueError):
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            # -1: none.
            if quota > 0:
                yield quota / period


def available_memory(root: str | Path = "/") -> int:
    """Bytes that this process can still take: what the machine has left, or less where a scheduler or container says.

    Args:
        root: Where `proc` and `sys` are, in which Linux says so; elsewhere half of the memory counts as left.
    """
    root = Path(root)
    try:
        words = (root / "proc/meminfo").read_text().split()
        left = int(words[words.index("MemAvailable:") + 1]) * 1024
    except (OSError, ValueError):
        return _half_of_memory()
    return max(0, min([left, *_left_in_groups(root)]))


def check_memory(
    needed: float, what: str, remedy: str = "nothing was read", memory: Callable[[], int] = available_memory
) -> None:
    """Compares the bytes that something needs with those that this process can still take.

    Raises:
        ResourceError: With both and the remedy.
    """
    if needed > (free := memory()):
        raise ResourceError(
            f"{what} need {needed / 1e9:.2f} GB of memory, found {free / 1e9:.2f} GB available; {remedy}"
        )


def _half_of_memory() -> int:
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    # Windows, where training takes half of 16 GB at most unless dataset.cache says more.
    return 2**33


def _left_in_groups(root: Path) -> Iterator[int]:
    """What each of the control groups around this process has left, versions 2 and 1."""
    for folder in _control_groups(root, "memory"):
        for names in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            with contextlib.suppress(OSError, ValueError):
                limit, used = (int((folder / name).read_text()) for name in names)
                yield limit - used + _cached_files(folder)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups around this process that bound something, versions 2 and 1."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                top = root / "sys/fs/cgroup" / controllers
                group = top / path.lstrip("/")
                # In a container the path may be that of the host, whose folders are not seen.
                yield from {group, *group.parents, top}


def _cached_files(folder: Path) -> int:
    """Bytes of a group's files in memory, which the system drops when others need the room."""
    words = (folder / "memory.stat").read_text().split()
    return int(words[words.index("inactive_file") + 1])


def check_keras() -> None:
    """Refuses a Keras with which the model does not work, before Keras and its backend are loaded.

    Raises:
        ConfigError: Another backend than TensorFlow, images with the channels first, or a Keras 2 that is not there.
    """
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "")
    if legacy.lower() in ("1", "true") and importlib.util.find_spec("tf_keras") is None:
        raise ConfigError(
            f"TF_USE_LEGACY_KERAS: expected none without the package tf_keras, found {legacy}; unset it, the model is "
            f"one of Keras 3"
        )
    found = _keras_settings()
    for key, expected, remedy in (
        ("backend", "tensorflow", "set KERAS_BACKEND=tensorflow, or mend keras.json"),
        ("image_data_format", "channels_last", "mend keras.json"),
    ):
        if found.get(key, expected) != expected:
            raise ConfigError(f"Keras: {key}: expected {expected}, found {found[key]}; {remedy}")


def _keras_settings() -> dict[str, Any]:
    """Keras' backend and order of axes: those of the process if it is loaded, else what it is going to read."""
    if "keras" in sys.modules:
        import keras

        return {"backend": keras.config.backend(), "image_data_format": keras.config.image_data_format()}
    home = os.path.expanduser("~")
    folder = Path(os.environ.get("KERAS_HOME", Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"))
    try:
        settings = dict(json.loads((folder.expanduser() / "keras.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        settings = {}
    backend = os.environ.get("KERAS_BACKEND")
    return {**settings, "backend": backend} if backend else settings

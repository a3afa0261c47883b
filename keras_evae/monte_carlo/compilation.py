"""Compiled kernels, kept in the user's cache folder: below `$XDG_CACHE_HOME/keras_evae`, or `~/.cache/keras_evae`.

Beside the modules, Numba's own place, the files would outlive `pip uninstall`, and the folder that holds them would
hide an editable installation. `NUMBA_CACHE_DIR` counts where it is set. Caches of other packages stay where they are.
"""

import contextlib
import functools
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching
from numba.misc.appdirs import AppDirs

from keras_evae.errors import ConfigError, EVAEError, one_line

logger = logging.getLogger(__name__)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options, as a decorator whose kernels are kept in the user's cache folder.

    A kernel that cannot be compiled raises `EVAEError`; with `NUMBA_DISABLE_JIT`, `ConfigError`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return _refuse
        kernel = numba.njit(**options)(function)
        kernel._compile_for_args = _in_one_line(kernel._compile_for_args)
        try:
            kernel._cache = _KernelCache(function)
        except RuntimeError:
            # Numba's answer where it finds no folder to write to.
            _warn(f"{cache_folder()}: expected a folder to write to, found none")
        return kernel

    return decorate


def cache_folder() -> Path:
    """Where compiled kernels are kept, unless `NUMBA_CACHE_DIR` is set."""
    return Path(AppDirs("keras_evae", appauthor=False).user_cache_dir) / "numba"


def _refuse(*arguments: Any) -> None:
    raise ConfigError("NUMBA_DISABLE_JIT: expected none or 0, found 1; unset it: kernels run compiled only")


def _in_one_line(compilation: Callable[..., Any]) -> Callable[..., Any]:
    """What Numba calls to compile a kernel for its arguments, and the kernels that it calls."""

    @functools.wraps(compilation)
    def compile_kernel(*arguments: Any, **named: Any) -> Any:
        try:
            return compilation(*arguments, **named)
        # Numba, LLVM and NumPy raise anything; memory and disk have errors of their own.
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise EVAEError(f"Numba {numba.__version__}: cannot compile a kernel: {one_line(error)}") from error

    return compile_kernel


@functools.cache
def _warn(problem: str) -> None:
    """Says once for each problem what becomes of the kernels."""
    logger.warning("%s; kernels are compiled anew, which takes some seconds", problem)


@functools.cache
def _announce() -> None:
    """Says why the first lattices take so long."""
    logger.info("%-12s the kernels of the Monte Carlo sampler, once", "Compiling")


class _Locator(caching.InTreeCacheLocator):
    """A folder for each folder of source files, as Numba has them in its own user-wide place."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        super().__init__(function, file)
        self._cache_path = str(cache_folder() / self.get_suitable_cache_subpath(file))


class _CheckedFile(caching.IndexDataCacheFile):
    """Compiled code with its checksum behind it, which unpickling does not read: damaged code would end the process."""

    def _dump(self, data: Any) -> bytes:
        content = super()._dump(data)
        return content + hashlib.sha256(content).digest()

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError("not what its checksum says")
        return super()._load_data(name)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [caching.UserProvidedCacheLocator, _Locator]


class _KernelCache(caching.FunctionCache):
    """Numba's cache of one kernel, in which neither damage nor a full disk is an error."""

    _impl_class = _Implementation

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFile(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            kernel = super().load_overload(sig, target_context)
        # Unpickling of a damaged file raises anything.
        except Exception:
            _warn(f"{self.cache_path}: damaged cache of compiled kernels")
            with contextlib.suppress(OSError):
                self.flush()
            return None
        if kernel is None:
            _announce()
        return kernel

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn(f"{self.cache_path}: {error.strerror}")

"""Where compiled kernels are kept, and what happens where they cannot be kept or are damaged."""

import re
from pathlib import Path

import pytest

from keras_evae.monte_carlo import kernels
from tests.helpers.commands import ROOT, run_python

KERNELS = """
import logging, numba
logging.basicConfig(level=logging.INFO, format="%(message)s")
from keras_evae.monte_carlo.compilation import compiled

@compiled(nogil=True)
def double(value):
    return 2 * value

@compiled()
def half(value):
    return value / 2

@numba.njit(cache=True)
def of_another_package(value):
    return value

answer = double(21), half(84), of_another_package(42)
hits = sum(sum(kernel.stats.cache_hits.values()) for kernel in (double, half))
print(*answer, hits)
"""
ONCE = "Compiling    the kernels of the Monte Carlo sampler, once"


@pytest.fixture
def start(tmp_path):
    """Runs two kernels in a process of its own: what they give, how many came from the cache, and the log."""
    (tmp_path / "kernels.py").write_text(KERNELS)

    def start_process():
        result = run_python(tmp_path, "-W", "error", "-c", "import kernels", XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert result.returncode == 0, result.stderr
        return result.stdout.split(), result.stderr.splitlines()

    return start_process


def test_kernels_are_kept_in_the_users_cache_folder_where_there_is_one(start, tmp_path):
    assert start() == (["42", "42.0", "42", "0"], [ONCE])
    assert start() == (["42", "42.0", "42", "2"], [])
    names = {path.name.partition("-")[0] for path in tmp_path.glob("cache/keras_evae/numba/*/*.nb?")}
    assert names == {"kernels.double", "kernels.half"}
    beside = {path.name.partition("-")[0] for path in tmp_path.glob("__pycache__/*.nb?")}
    assert beside == {"kernels.of_another_package"}
    found = [value for value in vars(kernels).values() if hasattr(value, "py_func")]
    assert len(found) > 10
    assert not any(Path(kernel.stats.cache_path).is_relative_to(ROOT) for kernel in found)


def flip(content):
    """One byte changed in the middle: of the code, not of what unpickling would notice."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


DAMAGES = [("nbi", lambda content: content[:-40]), ("nbc", lambda content: content[:100]), ("nbc", flip)]


def test_damaged_kernels_are_compiled_anew(start, tmp_path):
    start()
    for suffix, damage in DAMAGES:
        files = list(tmp_path.glob(f"cache/keras_evae/numba/*/*.{suffix}"))
        assert len(files) == 2
        for file in files:
            file.write_bytes(damage(file.read_bytes()))
        answer, lines = start()
        assert answer == ["42", "42.0", "42", "0"]
        assert len(lines) == 1 and "damaged cache of compiled kernels; kernels are compiled anew" in lines[0]
    assert start() == (["42", "42.0", "42", "2"], [])


def test_no_place_for_the_cache(start, tmp_path):
    (tmp_path / "cache").touch()
    answer, lines = start()
    assert answer == ["42", "42.0", "42", "0"]
    assert len(lines) == 1 and "cache/keras_evae/numba: expected a folder to write to, found none" in lines[0]


FAULT = """
from keras_evae.console import run_command
from keras_evae.monte_carlo.compilation import compiled

@compiled()
def add(value):
    return value + "1"

@compiled()
def kernel(value):
    return add(value)

raise SystemExit(run_command(lambda: kernel(1)))
"""
ANNEAL = "from keras_evae import Hamiltonian, anneal; anneal(Hamiltonian(), (8, 8))"
COMMAND = "from keras_evae.commands.evae_anneal import main; raise SystemExit(main(['--config', 'smoke']))"


@pytest.mark.parametrize(
    ("code", "disabled", "exit_code", "line"),
    [
        (FAULT, "0", 1, r"error: Numba \S+: cannot compile a kernel: .*No implementation of function"),
        (COMMAND, "1", 2, "error: NUMBA_DISABLE_JIT: expected none or 0, found 1; unset it: "),
        (ANNEAL, "1", 1, "keras_evae.errors.ConfigError: NUMBA_DISABLE_JIT: expected none or 0"),
    ],
)
def test_faults_of_compilation_come_as_one_line(code, disabled, exit_code, line, tmp_path):
    """An error of the package; Python alone shows where it was called."""
    # A file, since Numba keeps no kernels of other code.
    (tmp_path / "code.py").write_text(code)
    result = run_python(tmp_path, "code.py", NUMBA_DISABLE_JIT=disabled)
    *before, last = result.stderr.splitlines()
    assert result.returncode == exit_code and re.match(line, last)
    assert code == ANNEAL or not before

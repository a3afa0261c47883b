"""Imports run one way through the package, and what needs no TensorFlow does not import it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import command

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_evae"

# Each level imports only from the levels above it.
LEVELS = [
    {"errors"},
    {"compilation", "durable", "lock", "geometry", "lattice", "yaml_loader", "interruption", "strategies"},
    {"terms", "bonds"},
    {"config_types", "config_problems"},
    {"config", "hamiltonian", "layers", "schedules", "colors", "console", "optimizers"},
    {"symmetry"},
    {"monte_carlo", "losses", "networks", "analysis", "stages", "checkpoints"},
    {"sampler"},
    {"general_sampler"},
    {"annealing"},
    {"phases"},
    {"dataset", "model", "callbacks", "latent", "plotting", "board", "progress", "environment"},
    {"pipeline", "runs", "plan"},
    {"fitting", "inheritance", "stage_metrics"},
    {"training", "evaluation"},
    {"ground_state", "reproduction"},
    {"commands"},
]


def rooms():
    return {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")} - {"__init__"}


def imported_rooms(path):
    """Rooms that a file imports when it is loaded; imports for type checkers and inside functions do not count."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("keras_evae"):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]


def test_every_room_has_a_level():
    assert set.union(*LEVELS) == rooms()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__" or path.name == "__main__.py":
        return
    level = next(index for index, names in enumerate(LEVELS) if room in names)
    allowed = set.union({room}, *LEVELS[:level])
    assert set(imported_rooms(path)) <= allowed | {"__version__"}


@pytest.mark.parametrize(
    "module",
    [
        "",
        ".geometry",
        ".terms",
        ".config",
        ".hamiltonian",
        ".annealing",
        ".dataset",
        ".analysis",
        ".plotting",
        ".runs",
        ".evaluation",
        ".ground_state",
        ".reproduction",
    ],
)
def test_no_tensorflow(module):
    code = f"import sys, keras_evae{module}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    "script",
    [
        "train.py",
        "evaluate.py",
        "evae-train",
        "evae-anneal",
        "evae-ground-state",
        "keras_evae/reproduction/__main__.py",
    ],
)
def test_help_needs_no_tensorflow(script):
    line, options = command(ROOT, script, "--help")
    result = subprocess.run([*line[:1], "-X", "importtime", *line[1:]], capture_output=True, text=True, **options)
    loaded = set(re.findall(r"\| +(\w+)$", result.stderr, re.MULTILINE))
    assert result.returncode == 0 and "usage" in result.stdout and "keras_evae" in loaded
    assert loaded.isdisjoint({"tensorflow", "keras"})


def test_no_file_outgrows_one_sitting():
    lengths = {path.name: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}

"""The plan of the house: rooms import downwards, names say one thing, what needs no TensorFlow does not import it.

Tests stand in the rooms of what they test, and import none of one another.
"""

import ast
import collections
import graphlib
from pathlib import Path

import pytest

import keras_evae
from tests.helpers.commands import run_python

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_evae"
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}

# A room is a folder or a module at the root. It imports rooms of lower storeys, and rooms to its left on its own.
STOREYS = [
    ["errors", "machine", "files", "console"],
    ["spin_arrays", "lattice", "geometry", "terms", "units", "hamiltonian", "symmetry", "other_codes"],
    ["monte_carlo", "annealing"],
    ["analysis", "minima"],
    ["layers", "model"],
    ["dataset", "plotting", "config_text", "config_sections", "config"],
    ["runs"],
    ["training"],
    ["evaluation", "commands"],
]
ORDER = [room for storey in STOREYS for room in storey]
MOST_MODULES, MOST_FOLDERS, MOST_LINES = 18, 10, 300
# They may import TensorFlow and Keras when they are loaded.
WITH_TENSORFLOW = {"layers", "model", "training"}
# Files that hold a whole configuration; all others get a section of it, a Run, or objects.
WITH_CONFIG = {
    "config.py",
    "commands/evae_anneal.py",
    "commands/evae_evaluate.py",
    "commands/evae_ground_state.py",
    "commands/evae_import.py",
    "commands/evae_thermal.py",
    "commands/evae_train.py",
    "evaluation/ground_state.py",
    "runs/from_config.py",
    "runs/run.py",
    "runs/run_folder.py",
    "runs/taken_stages.py",
    "training/recipe.py",
}
LONG_FILES = {"monte_carlo/kernels.py"}

TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Tests of several modules, or of the whole package.
OF_NO_MODULE = {
    *(
        "architecture",
        "doctest",
        "front_door",
        "packaging",
        "private_names",
        "readme",
        "dataset/slurm",
        "training/resume",
        "dataset/formats/interoperability",
    ),
    *("evaluation/masked", "evaluation/own_terms", "evaluation/ground_state_resume"),
}


def module_name(file):
    return ".".join(["keras_evae", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {module_name(file): file for file in FILES}


def room(file):
    return Path(file).parts[0].removesuffix(".py")


def imported_files(file):
    """Files of the package that a file imports, inside functions and for type checkers too."""
    for node in ast.walk(FILES[file]):
        if isinstance(node, ast.Import):
            yield from (MODULES[alias.name] for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras_evae":
            for alias in node.names:
                yield MODULES.get(f"{node.module}.{alias.name}", MODULES[node.module])


def defined_names(file):
    return [node.name for node in FILES[file].body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def holds_config(file):
    """Whether a file has an annotation `Config`, reads an attribute `config` of an object, or calls `load_config`."""
    for node in ast.walk(FILES[file]):
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if annotation and any(isinstance(part, ast.Name) and part.id == "Config" for part in ast.walk(annotation)):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "config" and not _is_module(node.value):
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load_config":
            return True
    return False


def _is_module(node):
    return isinstance(node, ast.Name) and node.id in ("tf", "keras", "numba")


def test_every_room_has_its_place():
    assert sorted(ORDER) == sorted({room(file) for file in FILES} - {"__init__"})
    assert len([name for name in ORDER if (PACKAGE / f"{name}.py").is_file()]) <= MOST_MODULES
    assert len([name for name in ORDER if (PACKAGE / name).is_dir()]) <= MOST_FOLDERS


@pytest.mark.parametrize("file", FILES)
def test_imports_run_downwards(file):
    if file == "__init__.py":
        return
    for found in imported_files(file):
        if found != "__init__.py":
            assert ORDER.index(room(found)) <= ORDER.index(room(file)), f"{file} imports {found}"


def test_no_circle_and_the_front_door_for_the_version_alone():
    for file, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "keras_evae":
                names = {alias.name for alias in node.names if f"keras_evae.{alias.name}" not in MODULES}
                assert names <= {"__version__"}, file
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "keras_evae":
                assert node.attr == "__version__", file
    after = {file: set(imported_files(file)) - {"__init__.py", file} for file in FILES if file != "__init__.py"}
    # An error names the files of a circle.
    assert list(graphlib.TopologicalSorter(after).static_order())


def test_names_are_used_once_and_files_are_short():
    modules = collections.Counter(Path(file).stem for file in FILES if not file.endswith("__init__.py"))
    folders = {room(file) for file in FILES if "/" in file}
    assert {name: count for name, count in modules.items() if count > 1 or name in folders} == {}
    taken = modules.keys() | folders
    assert {(file, name) for file in FILES for name in defined_names(file) if name in taken} == set()
    assert set(keras_evae.__all__) & set(ORDER) == set()
    assert [file for file in FILES if file.endswith("__init__.py") and not ast.get_docstring(FILES[file])] == []
    lengths = {file: len((PACKAGE / file).read_text().splitlines()) for file in FILES}
    assert {file: lines for file, lines in lengths.items() if lines > MOST_LINES and file not in LONG_FILES} == {}


def test_the_configuration_ends_where_it_becomes_objects():
    assert {file for file in FILES if holds_config(file)} <= WITH_CONFIG
    assert len(WITH_CONFIG) <= 13


def test_tests_stand_where_their_modules_stand():
    """Beside them are helpers and fixtures alone."""
    names = {path.relative_to(ROOT / "tests").with_suffix("").as_posix() for path in TESTS}
    tests = {name.removesuffix("_test") for name in names if name.endswith("_test")}
    assert {
        name for name in tests if not any((top / f"{name}.py").is_file() for top in (PACKAGE, ROOT))
    } == OF_NO_MODULE
    others = {name for name in names if not name.endswith(("_test", "/__init__", "conftest")) and name != "__init__"}
    assert {name for name in others if not name.startswith("helpers/")} == set()


def test_no_test_imports_another():
    for path in TESTS:
        tree = ast.parse(path.read_text())
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [name for node in nodes for name in (getattr(node, "module", ""), *(item.name for item in node.names))]
        assert not [name for name in names if (name or "").endswith(("_test", "conftest"))], path


LOADED = "sorted({'tensorflow', 'keras'} & set(sys.modules))"


def test_no_tensorflow():
    """Not when any module is loaded that may not import TensorFlow, nor when a command gives its help."""
    modules = [name for name, file in MODULES.items() if room(file) not in WITH_TENSORFLOW]
    lines = [f"import sys, {module}; print('{module}', {LOADED})" for module in modules]
    assert run_python(ROOT, "-c", "\n".join(lines)).stdout.splitlines() == [f"{module} []" for module in modules]


def test_help_needs_no_tensorflow():
    commands = [Path(file).stem for file in FILES if file.startswith("commands/evae_")]
    code = f"import sys, importlib\nfor name in {commands}:\n"
    code += "    module = importlib.import_module(f'keras_evae.commands.{name}')\n"
    code += "    try:\n        module.main(['--help'])\n"
    code += f"    except SystemExit as stop:\n        print(name, stop.code, {LOADED})"
    found = run_python(ROOT, "-c", code).stdout.splitlines()
    assert set(found) >= {f"{name} 0 []" for name in commands} and len(commands) == 8

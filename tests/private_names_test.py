"""What the package takes from other packages without their promise to keep it.

A release that breaks one of these names breaks this test first, and says which.
"""

import ast
import functools
import importlib
import importlib.metadata
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "keras_evae"
PRIVATE_PLACES = ("keras.src", "tensorflow.python", "numba.core", "numba.misc")

# Name, and the module that uses it.
NAMES = {
    "keras:Model._maybe_symbolic_build": "model.evae",
    "keras:optimizers.Adam._get_variable_index": "model.fused_adam",
    "keras:optimizers.Adam.update_step": "model.fused_adam",
    "numba.core.caching:CompileResultCacheImpl._locator_classes": "monte_carlo.compilation",
    "numba.core.caching:FunctionCache._impl_class": "monte_carlo.compilation",
    "numba.core.caching:InTreeCacheLocator.get_suitable_cache_subpath": "monte_carlo.compilation",
    "numba.core.caching:IndexDataCacheFile._data_path": "monte_carlo.compilation",
    "numba.core.caching:IndexDataCacheFile._dump": "monte_carlo.compilation",
    "numba.core.caching:IndexDataCacheFile._load_data": "monte_carlo.compilation",
    "numba.core.caching:UserProvidedCacheLocator": "monte_carlo.compilation",
    "numba.core.compiler:Compiler": "monte_carlo.kernels",
    "numba.core.dispatcher:Dispatcher._compile_for_args": "monte_carlo.compilation",
    "numba.misc.appdirs:AppDirs.user_cache_dir": "monte_carlo.compilation",
    "tensorflow.python.framework.kernels:get_all_registered_kernels": "tests of model.devices",
    "tensorflow.python.util._pywrap_util_port:IsMklEnabled": "machine",
}
# Attributes of objects, as in the tests of Adam and of the cache; of argparse's and of named tuples, as Python keeps.
OF_OBJECTS = {"_momentums", "_velocities", "_impl", "_cache", "_cache_file", "_cache_path"}
OF_PYTHON = {"_ActionsContainer", "_fields"}


@pytest.mark.parametrize("name", NAMES)
def test_name_is_where_it_was(name):
    module, _, attribute = name.partition(":")
    package = module.partition(".")[0]
    try:
        functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise AssertionError(
            f"{package} {importlib.metadata.version(package)} has no {name} any more, which keras_evae uses in "
            f"{NAMES[name]}: {error}"
        ) from error


def test_no_other_private_name_is_used():
    own, used, places = set(), set(), set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PRIVATE_PLACES):
                places |= {f"{node.module}.{alias.name}" for alias in node.names}
    named = {name.replace(":", ".") for name in NAMES}
    assert {place for place in places if not any(f"{name}.".startswith(f"{place}.") for name in named)} == set()
    assert used - own - OF_OBJECTS - OF_PYTHON - {name.rpartition(".")[2] for name in named} == set()

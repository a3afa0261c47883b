"""The examples in docstrings give what they say."""

import doctest
import importlib
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import pytest

import keras_evae

MODULES = ["keras_evae", *(module.name for module in walk_packages(keras_evae.__path__, "keras_evae."))]
WITH_EXAMPLES = [name for name in MODULES if ">>> " in Path(find_spec(name).origin).read_text()]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)

"""What is installed, and a wheel that is used where no checkout is."""

import ast
import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import keras_evae
from tests.helpers.commands import ROOT

PACKAGE = ROOT / "keras_evae"
# A kernel that is quickly compiled, then the place of the package and a configuration by its name.
USE = """
import pathlib, numpy, keras_evae
from keras_evae.monte_carlo.kernels import next_bits
next_bits(numpy.ones((4, 1), numpy.uint32), 0)
assert keras_evae.load_config("smoke").dataset.shape == (32, 32)
print(pathlib.Path(keras_evae.__file__).parent)
"""


def entries(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_all_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("*.py")}
    names = {".".join(folder.parts) for folder in folders} | {"keras_evae.configs"}
    assert set(entries(setup["options"]["packages"])) == names
    data = {name: entries(patterns) for name, patterns in setup["options.package_data"].items()}
    named = {
        file
        for name, patterns in data.items()
        for pattern in patterns
        for file in PACKAGE.joinpath(*name.split(".")[1:]).glob(pattern)
    }
    others = {file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert named == others and data["keras_evae.configs"] == ["*.yaml"]
    tree = ast.parse(Path(keras_evae.__file__).with_suffix(".pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {alias.asname: node.module for node in imports for alias in node.names} == keras_evae._MODULES
    assert dir(keras_evae) == sorted(keras_evae.__all__)


def copy_checkout(folder):
    """What a wheel is made of, without what earlier ones have left behind."""
    for name in ("keras_evae", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_wheel_brings_configurations_and_commands(tmp_path):
    pytest.importorskip("pip")
    site, checkout = tmp_path / "site", copy_checkout(tmp_path / "checkout")
    settings = {"PYTHONPATH": str(site), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    settings["XDG_CACHE_HOME"] = str(tmp_path / "cache")

    def run(*line):
        result = subprocess.run(line, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.strip()

    pip = sys.executable, "-m", "pip"
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", checkout / "wheels", checkout)
    (wheel,) = (checkout / "wheels").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"keras_evae/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "configs/", "experiments/"))]
    run(*pip, "install", "--no-deps", "--target", site, wheel)
    assert run(sys.executable, "-W", "error", "-c", USE) == str(site / "keras_evae")
    for command in ("evae-train", "evae-evaluate", "evae-anneal", "evae-generate", "evae-ground-state", "evae-thermal"):
        assert run(site / "bin" / command, "--version").endswith(keras_evae.__version__)

"""E-VAE: magnetic state generation with a Hamiltonian-guided variational autoencoder.

`import keras_evae as ev` offers the names below. Each is imported when it is first used, so that TensorFlow is loaded
only where a name needs it.

Example:

>>> import keras_evae as ev
>>> spins = ev.anneal(ev.Hamiltonian(), (32, 48))
>>> spins.shape
(32, 48, 3)
"""

import importlib
import re
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# The names and their modules stand in the stub beside this file, where type checkers look for them.
_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_MODULES = {name: module for module, name in re.findall(r"^from (\S+) import (\w+) as", _STUB, re.MULTILINE)}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_evae' has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

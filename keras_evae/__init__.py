"""E-VAE: magnetic state generation with a Hamiltonian-guided variational autoencoder.

`import keras_evae as ev` offers the names below. Each is imported when it is first used, so that TensorFlow is loaded
only where a name needs it.

Example:

>>> import keras_evae as ev
>>> spins = ev.anneal(ev.Hamiltonian(), (32, 48))
>>> spins.shape
(32, 48, 3)
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_evae.analysis.distances import fft_mse as fft_mse
    from keras_evae.analysis.skyrmions import find_skyrmions as find_skyrmions
    from keras_evae.analysis.topology import topological_charge as topological_charge
    from keras_evae.annealing import anneal as anneal
    from keras_evae.annealing import anneal_many as anneal_many
    from keras_evae.annealing import relax as relax
    from keras_evae.config import load_config as load_config
    from keras_evae.evaluation.ground_state import find_ground_state as find_ground_state
    from keras_evae.evaluation.recipes import evaluate as evaluate
    from keras_evae.evaluation.stable_states import generate_stable as generate_stable
    from keras_evae.hamiltonian import Hamiltonian as Hamiltonian
    from keras_evae.model.evae import EVAE as EVAE
    from keras_evae.monte_carlo.schedule import AnnealingSchedule as AnnealingSchedule
    from keras_evae.plotting.spins import plot as plot
    from keras_evae.runs.run import load_run as load_run
    from keras_evae.terms import EnergyTerm as EnergyTerm
    from keras_evae.training.recipe import train as train

__version__ = "0.1.0"

_MODULES = {
    "Hamiltonian": "keras_evae.hamiltonian",
    "EnergyTerm": "keras_evae.terms",
    "AnnealingSchedule": "keras_evae.monte_carlo.schedule",
    "anneal": "keras_evae.annealing",
    "anneal_many": "keras_evae.annealing",
    "relax": "keras_evae.annealing",
    "topological_charge": "keras_evae.analysis.topology",
    "find_skyrmions": "keras_evae.analysis.skyrmions",
    "fft_mse": "keras_evae.analysis.distances",
    "plot": "keras_evae.plotting.spins",
    "EVAE": "keras_evae.model.evae",
    "load_config": "keras_evae.config",
    "train": "keras_evae.training.recipe",
    "load_run": "keras_evae.runs.run",
    "evaluate": "keras_evae.evaluation.recipes",
    "generate_stable": "keras_evae.evaluation.stable_states",
    "find_ground_state": "keras_evae.evaluation.ground_state",
}
_NEED_TENSORFLOW = ("EVAE", "train")

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_evae' has no attribute {name!r}")
    with contextlib.ExitStack() as stack:
        if name in _NEED_TENSORFLOW:
            from keras_evae.machine import quiet_tensorflow

            stack.enter_context(quiet_tensorflow())
        value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

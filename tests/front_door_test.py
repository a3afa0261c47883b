"""`import keras_evae as ev`: the names that it offers, and what each of them loads."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_evae as ev
from keras_evae.machine import ONEDNN
from keras_evae.plotting.colors import spin_colors
from tests.helpers.commands import ROOT
from tests.helpers.states import random_spins

LIGHT = ("Hamiltonian", "EnergyTerm", "AnnealingSchedule", "anneal", "anneal_many", "relax", "topological_charge",
         "find_skyrmions", "fft_mse")  # fmt: skip
# What takes long to load.
HEAVY = {"tensorflow", "keras", "matplotlib", "pydantic", "h5py", "distributed", "scipy.stats", "scipy.optimize"}


# What keeps TensorFlow's notes away where tests run, not where users do.
SILENCERS = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", ONEDNN)


def loaded_by(*names, use=""):
    """Modules that names load in a fresh process, which says nothing of processors, oneDNN or CUDA, as for a user."""
    code = f"import sys, keras_evae as ev; [getattr(ev, name) for name in {names}]; {use}\nprint(*sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name not in SILENCERS}
    line = [sys.executable, "-c", code]
    result = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return set(result.stdout.split())


def test_each_name_loads_what_it_needs():
    """And oneDNN is switched on with TensorFlow, no earlier."""
    early = loaded_by(use=f"import os; assert {ONEDNN!r} not in os.environ")
    assert {name for name in early if name.startswith("keras_evae")} == {"keras_evae"}
    assert not HEAVY & loaded_by(*LIGHT)
    without_tensorflow = [name for name in ev.__all__ if name not in ("EVAE", "train")]
    assert not {"tensorflow", "keras", "distributed"} & loaded_by(*without_tensorflow)
    use = "ev.EVAE((16, 16), latent_dim=2).generate(1); print(sys.modules['keras_evae.machine'].onednn_is_on())"
    loaded = loaded_by("train", use=use)
    assert "tensorflow" in loaded and ("True" in loaded or "x86_64" not in os.uname().machine)


def test_names():
    assert set(LIGHT) < set(ev.__all__) == set(dir(ev))
    for name in ev.__all__:
        assert getattr(ev, name) is getattr(ev, name)
    with pytest.raises(AttributeError, match="module 'keras_evae' has no attribute 'annealing_schedule'"):
        _ = ev.annealing_schedule


def test_plot_of_one_configuration_and_of_many():
    spins = random_spins(7, 16, 32)
    backend, parameters, figures = plt.get_backend(), dict(plt.rcParams), plt.get_fignums()
    for given, titles, pictures in [(spins[0], "one", 1), (spins, [f"no. {n}" for n in range(7)], 7), (spins, (), 7)]:
        figure = ev.plot(given, titles, columns=3)
        assert isinstance(figure, Figure)
        # With the colour wheel.
        assert len(figure.axes) == pictures + 1
        shown = [axes.get_title() for axes in figure.axes[:-1]]
        assert shown == ([titles] if isinstance(titles, str) else list(titles) or [""] * 7)
        for axes, state in zip(figure.axes[:-1], spins, strict=False):
            np.testing.assert_array_equal(axes.images[0].get_array(), spin_colors(state))
    # The user's backend and look stay, and no figure is left open.
    assert (plt.get_backend(), dict(plt.rcParams), plt.get_fignums()) == (backend, parameters, figures)

"""Files of thermal averages: the same bits after kills, for any workers and machines; damage is noticed."""

import dataclasses
import os
import signal

import numpy as np
import pytest

from keras_evae.dataset import thermal_specification
from keras_evae.dataset.cluster import connect
from keras_evae.dataset.thermal_averages import sample
from keras_evae.dataset.thermal_chains import run_segment
from keras_evae.dataset.thermal_file import ensure_thermal, read_thermal
from keras_evae.dataset.thermal_specification import ThermalSpecification
from keras_evae.errors import DataError, MismatchError
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.commands import run_python
from tests.helpers.damage import random_flips
from tests.helpers.dataset_cases import digest

SPECIFICATION = ThermalSpecification(
    (Hamiltonian(), Hamiltonian(B=0.1)), (8, 16), (0.4, 0.6), 80, 10, seed=3, charge_interval=20, keep=2
)
# Two blocks in a segment: three segments a chain with the first.
UPDATES = 2 * 20 * 6 * 8 * 16


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(thermal_specification, "SEGMENT_UPDATES", UPDATES)


@pytest.mark.parametrize("exchange", [False, True])
def test_killed_and_started_again_it_has_the_same_bits(exchange, tmp_path):
    specification = dataclasses.replace(SPECIFICATION, exchange=exchange)
    assert specification.segments == (3 if not exchange else 5)
    ensure_thermal(tmp_path / "whole.h5", specification, workers=1)
    code = (
        "import os, signal\nfrom keras_evae.dataset import thermal_file, thermal_specification\n"
        "from keras_evae.dataset.thermal_specification import ThermalSpecification\n"
        "from keras_evae.hamiltonian import Hamiltonian\n"
        f"thermal_specification.SEGMENT_UPDATES = {UPDATES}\nwrite, written = thermal_file.PartsFolder.write, []\n"
        "def writing(self, *arguments):\n    write(self, *arguments)\n    written.append(1)\n"
        "    if len(written) == 4:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "thermal_file.PartsFolder.write = writing\n"
        f"thermal_file.ensure_thermal('cut.h5', {specification!r}, workers=2)\n"
    )
    assert run_python(tmp_path, "-c", code).returncode == -signal.SIGKILL
    # A finished segment that is damaged is made again.
    part = min((tmp_path / "cut.h5.parts").glob("*.npz"))
    part.write_bytes(part.read_bytes()[:-100])
    ensure_thermal(tmp_path / "cut.h5", specification, workers=2)
    assert digest(tmp_path / "cut.h5") == digest(tmp_path / "whole.h5")
    assert sorted(os.listdir(tmp_path)) == ["cut.h5", "whole.h5"]


def test_segments_go_on_with_new_random_numbers():
    states = [run_segment(SPECIFICATION, 0, 0, None)]
    for segment in (1, 2):
        states.append(run_segment(SPECIFICATION, 0, segment, states[-1]))
    assert len({state["words"].tobytes() for state in states}) == 3


def test_file_and_memory_agree(tmp_path):
    arrays = ensure_thermal(tmp_path / "thermal.h5", SPECIFICATION)
    result = sample(Hamiltonian(), (8, 16), (0.4, 0.6), 80, 10, seed=3, charge_interval=20, keep=2)
    for name in vars(result):
        np.testing.assert_array_equal(arrays[name][0], getattr(result, name))
    assert arrays["energy"].shape == (2, 2) and np.all(arrays["magnetization"][1, :, 2] > 0)


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bits(tmp_path):
    pytest.importorskip("distributed")
    ensure_thermal(tmp_path / "here.h5", SPECIFICATION)
    with connect("local", 2) as client:
        ensure_thermal(tmp_path / "there.h5", SPECIFICATION, client=client)
    assert digest(tmp_path / "here.h5") == digest(tmp_path / "there.h5")


def test_mismatch_and_damage(tmp_path):
    path = tmp_path / "thermal.h5"
    ensure_thermal(path, SPECIFICATION)
    with pytest.raises(MismatchError, match="thermal.seed: expected 4 as configured, found 3"):
        ensure_thermal(path, dataclasses.replace(SPECIFICATION, seed=4))
    content, whole, damaged = path.read_bytes(), read_thermal(path)[1], 0
    for changed in random_flips(content, 200):
        path.write_bytes(changed)
        try:
            _, arrays = read_thermal(path)
            # What lies between the arrays is not read.
            assert all(np.array_equal(arrays[name], whole[name], equal_nan=True) for name in whole)
        except DataError:
            damaged += 1
    assert damaged > 100
    path.write_bytes(content[:5000])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_thermal(path)

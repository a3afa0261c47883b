"""Slow anneals fill a CPU time, go on from their file, and start over where it is of no use."""

import dataclasses

import numpy as np
import pytest

from keras_evae.annealing import anneal
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.minima import slow_anneals
from keras_evae.minima.slow_anneals import FILE, Anneals, anneal_for
from keras_evae.monte_carlo.schedule import SLOW_SCHEDULE

SHAPE = (8, 12)
# Of several states, the first of which is not the lowest.
H = Hamiltonian(D=1.2, B=0.3)
SHORT = dataclasses.replace(SLOW_SCHEDULE, temperatures=20)


def run(seconds, folder, hamiltonian=H):
    return anneal_for(hamiltonian, SHAPE, seconds, folder, SHORT)


@pytest.fixture
def clock(monkeypatch):
    """One second of CPU time for each look at the clock: two looks, so one second, for each piece."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(slow_anneals.time, "process_time", lambda: float(next(ticks)))


def test_they_fill_the_time_and_not_more(clock, tmp_path):
    found = run(3.0, tmp_path)
    # One lattice in the first second; two fit into the two left, but take one; one more fits into the last.
    assert found.cpu_seconds == 3.0 and len(found.energies) == 1 + 2 + 1
    expected = [anneal(H, SHAPE, SHORT, 1, k) for k in range(4)]
    np.testing.assert_array_equal(found.energies, [H.energy_per_site(s.astype(np.float64)) for s in expected])
    # Of spins that all point the same way, rounding to single precision changes E/N by 2e-7.
    assert found.energy_per_site <= found.energies.min() + 2e-7
    assert found.energy_per_site == H.energy_per_site(found.spins.astype(np.float64))


def test_they_go_on_where_they_stopped(clock, tmp_path):
    first = run(1.0, tmp_path)
    again = run(1.0, tmp_path)
    np.testing.assert_array_equal(again.energies, first.energies)
    assert again.cpu_seconds == first.cpu_seconds
    further = run(3.0, tmp_path)
    np.testing.assert_array_equal(further.energies, run(3.0, tmp_path / "other").energies)


@pytest.mark.parametrize("damage", ["truncated", "empty", "another Hamiltonian"])
def test_useless_file_is_replaced(clock, tmp_path, damage):
    first = run(3.0, tmp_path)
    content, other = (tmp_path / FILE).read_bytes(), H
    if damage == "another Hamiltonian":
        other = Hamiltonian(B=0.2)
    else:
        (tmp_path / FILE).write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    again = run(3.0, tmp_path, other)
    assert np.array_equal(first.energies, again.energies) is (other is H)
    assert len(again.energies) == len(first.energies)


def test_seed_and_time_to_an_energy(tmp_path):
    first = anneal_for(H, SHAPE, 0.0, tmp_path, SHORT)
    assert anneal_for(H, SHAPE, 0.0, tmp_path, SHORT, seed=2).energies != first.energies
    found = Anneals(np.array([-1.0, -2.0, -3.0, -3.0]), np.zeros((8, 12, 3)), -3.0, 8.0)
    assert found.seconds_to(-2.0 - 5e-8) == 4.0
    assert found.seconds_to(-3.0) == 6.0 and found.seconds_to(-3.1) is None

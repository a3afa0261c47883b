"""Statements on angles, and on shapes, on skyrmions of known size."""

import dataclasses

import numpy as np
import pytest

from experiments.reproduction.claims.claim import Numbers
from keras_evae.evaluation.generated_states import measure, sample_tables
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.ladders import verdicts
from tests.helpers.states import skyrmion

ANGLES = ["states-fewer-irregularities", "states-theta-of-reconstructed", "states-theta-of-generated"]
SHAPES = ["states-shapes-of-skyrmions"]


@pytest.mark.parametrize(
    ("angles", "awaits", "holds"),
    [((5.0, 2.0), False, True), ((2.0, 5.0), False, False), ((5.0, 2.0), True, None), ((5.0,), False, None)],
)
def test_smaller_angles_hold_once_their_stages_are_finished(angles, awaits, holds):
    columns = ("theta_mean_degrees", "peak_degrees", "standard_deviation_degrees")
    rows = [{"states": kind, "gamma": gamma, **dict.fromkeys(columns, angle)}
            for gamma, angle in enumerate(angles) for kind in ("X_Out", "X'_Out")]  # fmt: skip
    tables = {(table, "run"): rows for table in ("local_correlation", "theta")}
    assert verdicts(ANGLES, Numbers(tables, {"run": {"awaits_nearer_stages": awaits}})) == [holds] * 3


def shapes(first, last, test, beta=1e-3):
    samples = [dataclasses.replace(sample, name=f"beta = 1e-3, gamma = {gamma}")
               for sample, gamma in ((first, 0), (last, 100)) if sample]  # fmt: skip
    table = sample_tables("analyse", [test, *samples], test)[2]
    rows = table.records
    found = Numbers({("analyse_distances", "run"): rows}, {"run": {"beta_of_ladder_of_gamma": beta}})
    return verdicts(SHAPES, found)


def test_shapes_against_the_data():
    """Skyrmions of the size of the data at gamma = 100 and smaller ones at 0; equal ones; a stage that is missing."""
    data, small = (measure("states", np.stack([skyrmion((32, 32), radius=r) for r in radii]), Hamiltonian())
                   for radii in ((6.0, 6.5), (3.0, 3.5)))  # fmt: skip
    assert shapes(small, data, data) == [True] and shapes(data, small, data) == [False]
    assert shapes(small, small, data) == [False]
    assert shapes(small, None, data) == shapes(small, data, data, beta=None) == [None]

"""Statements on angles, on states with known noise, and on shapes, on skyrmions of known size."""

import dataclasses

import numpy as np
import pytest

from experiments.reproduction.claims.claim import Numbers, read_numbers
from experiments.reproduction.claims.judge_correlation import JUDGES
from keras_evae.evaluation.figure_3_correlation import make_local_correlation, make_theta
from keras_evae.evaluation.measured_samples import measure, sample_tables
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.ladders import verdicts
from tests.helpers.noise import outputs_with_noise
from tests.helpers.states import skyrmion

ANGLES = ["states-fewer-irregularities", "states-theta-of-reconstructed", "states-theta-of-generated"]
SHAPES = ["states-shapes-of-skyrmions"]


def made(run, folder):
    """What both recipes on angles write."""
    sections = [make_local_correlation([run], folder), make_theta([run], folder)]
    for section in sections:
        section.write(folder)
    found = [read_numbers(folder / f"{section.name}.json") for section in sections]
    return Numbers({**found[0].tables, **found[1].tables}, found[0].quantities)


@pytest.mark.parametrize(("noise", "holds"), [((0.05, 0.02), True), ((0.02, 0.05), False)])
def test_less_noise_holds(smoke_run, tmp_path, monkeypatch, noise, holds):
    outputs_with_noise(monkeypatch, smoke_run, dict(zip((0.0, 10.0), noise, strict=True)))
    assert verdicts(ANGLES, made(smoke_run, tmp_path)) == [holds] * 3


def test_without_an_e_vae_stage_nothing_is_decided(smoke_run, tmp_path):
    young = dataclasses.replace(smoke_run, stages=smoke_run.stages[:2])
    assert verdicts(ANGLES, made(young, tmp_path)) == [None] * 3


def test_while_a_nearer_stage_is_in_training_nothing_is_decided():
    rows = [{"states": kind, "gamma": gamma, "theta_mean_degrees": 3.0 - gamma}
            for gamma in (0.0, 1.0) for kind in ("X_Out", "X'_Out")]  # fmt: skip
    for awaits, holds in ((False, True), (True, None)):
        found = Numbers({("local_correlation", "run"): rows}, {"run": {"awaits_nearer_stages": awaits}})
        assert verdicts(ANGLES[:1], found) == [holds]


def shapes(first, last, test, beta=1e-3):
    samples = [dataclasses.replace(sample, name=f"beta 0.001, gamma {gamma}")
               for sample, gamma in ((first, 0), (last, 100)) if sample]  # fmt: skip
    table = sample_tables("analyse", [test, *samples], test)[2]
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    found = Numbers({("analyse_distances", "run"): rows}, {"run": {"beta_of_ladder_of_gamma": beta}})
    return verdicts(SHAPES, found)


def test_shapes_against_the_data():
    """Skyrmions of the size of the data at gamma = 100 and smaller ones at 0; equal ones; a stage that is missing."""
    data, small = (measure("states", np.stack([skyrmion((32, 32), radius=r) for r in radii]), Hamiltonian())
                   for radii in ((6.0, 6.5), (3.0, 3.5)))  # fmt: skip
    assert shapes(small, data, data) == [True] and shapes(data, small, data) == [False]
    assert shapes(small, small, data) == [False]
    assert shapes(small, None, data) == shapes(small, data, data, beta=None) == [None]


def test_every_judge_is_tested():
    assert {*ANGLES, *SHAPES} == set(JUDGES)

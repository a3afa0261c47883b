"""Statements on the standard VAE, on ladders like the paper's and on others."""

import pytest

from experiments.reproduction.claims.judge_vae import JUDGES
from tests.helpers.ladders import VAE, numbers, stage, verdicts

NAMES = ["SMALL", "INPUTS", "RISING", "LARGE", "SIMILAR", "ENERGY", "POSTERIOR", "CONSTANT", "UNIFORM", "VARIOUS"]


def test_statements_on_ladders():
    assert verdicts(JUDGES, numbers(VAE, "beta")) == [True] * 10
    # Every loss constant along the whole ladder.
    flat = [{**VAE[2], "beta": stage["beta"]} for stage in VAE]
    expected = [False, False, False, True, False, False, False, None, None, True]
    assert verdicts(JUDGES, numbers(flat, "beta", data_hamiltonian_loss=-0.05)) == expected


@pytest.mark.parametrize(
    ("stages", "fails"),
    [
        ([*VAE[:-1], stage(1.0, 0, 0.96, 0.01, -0.0499, 3e-13, 0.7)], "UNIFORM"),
        ([*VAE[:-1], stage(1.0, 0, 1.2, 0.01, -0.0499, 3e-13, -1.0)], "LARGE CONSTANT"),
        ([stage(1e-6, 0, 0.02, 400, -0.0520), *VAE[1:]], "INPUTS"),
        ([*VAE[:2], stage(1e-3, 0, 0.18, 107, -0.0530, 1e-8), *VAE[3:]], "VARIOUS"),
    ],
)
def test_each_statement_on_beta_sees_its_loss(stages, fails):
    found = zip(NAMES, verdicts(JUDGES, numbers(stages, "beta")), strict=True)
    assert " ".join(name for name, holds in found if holds is False) == fails

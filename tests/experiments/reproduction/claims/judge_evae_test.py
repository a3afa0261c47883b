"""Statements on the E-VAE's losses, on ladders like the paper's and on others."""

import pytest

from tests.helpers.ladders import EVAE, numbers, stage, verdicts

# In the order of these tests: losses as gamma grows, then the critical transition.
IDS = ["evae-falling-energy", "evae-rise-of-reconstruction", "evae-energy-below-data", "evae-unrelated-outputs",
       "evae-critical-transition", "collapse-constant-energy", "evae-saturated-reconstruction",
       "evae-rising-divergence"]  # fmt: skip


def test_statements_on_ladders():
    assert verdicts(IDS, numbers(EVAE, "gamma")) == [True] * 8
    # Every loss constant along the whole ladder.
    flat = [{**EVAE[0], "gamma": stage["gamma"]} for stage in EVAE]
    assert verdicts(IDS, numbers(flat, "gamma")) == [False, False, False, False, False, None, None, None]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (stage(1e-3, 10000, 2.0, 100, -0.0573, 0.0), [True, True, True, True, True, True, False, False]),
        (stage(1e-3, 10000, 0.9, 444, -0.0573, 0.0), [True, True, True, False, True, True, False, True]),
        (stage(1e-3, 10000, 1.45, 444, -0.0568, 0.0), [False, True, True, True, False, False, True, True]),
    ],
)
def test_each_statement_on_gamma_sees_its_loss(last, expected):
    assert verdicts(IDS, numbers([*EVAE[:-1], last], "gamma")) == expected

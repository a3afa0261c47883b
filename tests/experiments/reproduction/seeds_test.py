"""Claims of several runs in one row."""

import pytest

from experiments.reproduction.claims import registry
from experiments.reproduction.claims.claim import Claim, Numbers
from experiments.reproduction.claims.statements import Statement
from experiments.reproduction.seeds import gather

GROUPS = {"a": "beta 0.001", "b": "beta 0.001", "c": "beta 0.0001", "a and b: c": "beta 0.1"}
STATEMENT = Statement("falls", "3.2", "L_H falls as gamma grows", "the rule", "fall", "falls", "losses")
NUMBERS = {(kind, "losses"): Numbers({}, {}) for kind in ("system", "confined", "changed")}


@pytest.fixture
def row(monkeypatch):
    """The row of the statement with these claims."""

    def gathered(*claims):
        monkeypatch.setitem(registry.JUDGES, "falls", lambda numbers: list(claims))
        return gather([STATEMENT], NUMBERS, GROUPS)[0]

    return gathered


def claim(runs, holds, value=None):
    return Claim("measured", holds, value, runs if isinstance(runs, tuple) else (runs,))


def test_spread_between_seeds_of_each_beta(row):
    found = row(claim("a", True, 1.0), claim("b", True, 2.0), claim("c", True, 5.0))
    assert found.ours == "fall: 1.5 ± 0.5 (beta 0.001), 5 (beta 0.0001)"
    assert [claim.id for claim in found.claims] == ["falls"] * 3


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [
        ((True, True), "holds (2 of 2)"),
        ((True, None), "holds"),
        ((True, False), "differs (1 of 2)"),
        ((False, False, None), "differs (2 of 2)"),
        ((None, None), "not decided"),
        ((), "not decided"),
    ],
)
def test_verdicts_of_several_runs(row, holds, verdict):
    assert row(*(claim(run, value) for run, value in zip("abc", holds, strict=False))).verdict == verdict

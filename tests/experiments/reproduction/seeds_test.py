"""Claims of several runs in one row."""

import dataclasses

import pytest

from experiments.reproduction.claims import registry
from experiments.reproduction.claims.claim import Claim, Numbers
from experiments.reproduction.claims.statements import Statement
from experiments.reproduction.seeds import count_verdicts, gather, gather_changed, seed_groups
from keras_evae.config import Config
from keras_evae.config_sections import EVAEConfig, GeometryConfig
from keras_evae.runs.run import Run

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


def test_claims_on_pairs_of_runs(row):
    """Names of runs are never taken apart."""
    found = row(claim(("a", "b"), True, 1.0), claim(("a", "c"), False, 2.0), claim("a and b: c", True, 3.0))
    assert found.ours == "fall: 1 (beta 0.001), 2 (other pairs), 3 (beta 0.1)"
    assert row(claim((), True, 4.0)).ours == "fall: 4"


def test_a_recipe_that_could_not_be_made(row):
    (found,) = gather([STATEMENT], {}, GROUPS)
    assert (found.ours, found.verdict, found.holds) == ("-", "not decided", None)
    verdicts = count_verdicts([found, row(claim("a", True)), row(claim("a", False))])
    assert verdicts == "statements that hold: 1 of 3; that differ: 1; not decided: 1"


def test_experiments_are_on_statements_of_the_papers_system_that_differ(monkeypatch):
    """Not on those that hold, nor on samples with edges, of which the same sentence says something else."""
    edges = dataclasses.replace(STATEMENT, kind="confined")
    holding = dataclasses.replace(STATEMENT, id="flat", sentence="L_RC hardly changes")
    for id, holds in (("falls", False), ("flat", True)):
        monkeypatch.setitem(registry.JUDGES, id, lambda numbers, holds=holds: [claim("a", holds)])
    found = gather_changed(gather([holding, edges, STATEMENT], NUMBERS, GROUPS), NUMBERS)
    assert [(row.number, row.statement.id, row.statement.kind) for row in found] == [(3, "falls", "changed")]


def test_seeds_of_one_sample_are_one_group(tmp_path):
    """Runs of a square and of a wire are no seeds of each other, nor do equal names of folders mix them."""

    def run(path, config):
        return Run(tmp_path / path, config, (), None)

    evae = EVAEConfig(beta=1e-3)
    square, wire = (GeometryConfig(shape=shape, size=size) for shape, size in (("square", 32), ("wire", (32, 48))))
    runs = [
        run("a/square", Config(geometry=square, evae=evae)),
        run("b/square", Config(geometry=wire, evae=evae)),
        run("plain", Config(evae=evae)),
        run("vae", Config()),
    ]
    groups = seed_groups(runs)
    assert groups[str(tmp_path / "a/square")] == "square 32, beta 0.001"
    assert groups[str(tmp_path / "b/square")] == "wire (32, 48), beta 0.001"
    assert groups["plain"] == "beta 0.001" and groups["vae"] == ""

"""Claims of several runs in one row."""

import dataclasses

import pytest

from keras_evae.config import Config, EVAEConfig, GeometryConfig
from keras_evae.evaluation.sections import Claim, Section
from keras_evae.reproduction.gathering import count_verdicts, gather, gather_changed, seed_groups, spread
from keras_evae.reproduction.statements import STATEMENTS, Statement
from keras_evae.runs import Run

GROUPS = {"a": "beta 0.001", "b": "beta 0.001", "c": "beta 0.0001"}
STATEMENT = Statement("3.2", "L_H falls as gamma grows", "falls", "losses")


def row(*claims):
    section = Section("losses", "Figure 2", "", claims=[Claim("a: something else", "rule", "-", True), *claims])
    return gather([STATEMENT], {("system", "losses"): section}, GROUPS)[0]


def claim(run, holds, value=None):
    return Claim(f"{run}: L_H falls as gamma grows", "the rule", "measured", holds, "fall", value)


def test_spread_between_seeds_of_each_beta():
    found = row(claim("a", True, 1.0), claim("b", True, 2.0), claim("c", True, 5.0))
    assert found.ours == "fall: 1.5 ± 0.5 (beta 0.001), 5 (beta 0.0001)"
    assert found.rule == "the rule" and found.chapter == "3.2" and len(found.claims) == 3


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
def test_verdicts_of_several_runs(holds, verdict):
    assert row(*(claim(run, value) for run, value in zip("abc", holds, strict=False))).verdict == verdict


def test_claims_on_pairs_of_runs():
    found = row(claim("a and b", True, 1.0), claim("a and c", False, 2.0))
    assert found.ours == "fall: 1 (beta 0.001), 2 (other pairs)"


def test_a_recipe_that_could_not_be_made():
    (found,) = gather([STATEMENT], {}, GROUPS)
    assert (found.rule, found.ours, found.verdict, found.holds) == ("-", "-", "not decided", None)
    verdicts = count_verdicts([found, row(claim("a", True)), row(claim("a", False))])
    assert verdicts == "statements that hold: 1 of 3; that differ: 1; not decided: 1"


def test_experiments_are_on_statements_of_the_papers_system_that_differ():
    """Not on those that hold, nor on samples with edges, of which the same sentence says something else."""
    edges = dataclasses.replace(STATEMENT, runs="confined")
    holding = Statement("3.2", "L_RC hardly changes", "flat", "losses")
    claims = [claim("a", False), Claim("a: L_RC hardly changes", "the rule", "measured", True)]
    sections = {
        (kind, "losses"): Section("losses", "", "", claims=claims) for kind in ("system", "confined", "changed")
    }
    found = gather_changed(gather([holding, edges, STATEMENT], sections, GROUPS), sections)
    assert [(row.number, row.statement.sentence) for row in found] == [(3, STATEMENT.sentence)]


def test_spread():
    assert spread([0.25]) == "0.25" and spread([1.0, 2.0, 4.0]) == "2.33 ± 1.5"


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


def test_sections_of_the_paper_are_complete():
    found = {part for statement in STATEMENTS for part in statement.section.split(", ")}
    assert found == {"3.1", "3.2", "3.3", "3.4", "3.5", "S1", "S2"}
    assert len({(s.sentence, s.runs) for s in STATEMENTS}) == len(STATEMENTS)

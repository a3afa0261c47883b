"""The statements and the register of judges are one list."""

import ast
from pathlib import Path

from experiments.reproduction import claims
from experiments.reproduction.claims.registry import JUDGES
from experiments.reproduction.claims.statements import STATEMENTS
from keras_evae.evaluation.recipes import RECIPES


def test_each_statement_has_one_judge():
    ids = [statement.id for statement in STATEMENTS]
    assert len(set(ids)) == len(ids) == 39 and set(ids) == set(JUDGES)
    assert len({(s.sentence, s.kind) for s in STATEMENTS}) == len(STATEMENTS)
    assert {statement.recipe for statement in STATEMENTS} <= set(RECIPES)


def test_judges_know_nothing_of_the_evaluation():
    for file in Path(claims.__file__).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        assert not any(module.startswith("keras_evae.evaluation") for module in modules)

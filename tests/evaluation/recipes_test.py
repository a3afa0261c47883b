"""The register of recipes, and what is written of runs of any name."""

import dataclasses
import json
import logging

import pytest

from keras_evae import __version__
from keras_evae.commands.evae_evaluate import parse_arguments
from keras_evae.errors import DataError
from keras_evae.evaluation.recipes import ALL, evaluate
from keras_evae.evaluation.results import Section, Table, read_section
from tests.helpers.commands import call_here

NAMES = ("a and b: c", "b: c, 100%")


def test_runs_of_any_name(smoke_run, tmp_path):
    """The name stands in a field of its own, and in the names of files."""
    runs = [dataclasses.replace(smoke_run, path=tmp_path / name) for name in NAMES]
    sections = evaluate(runs, ["losses", "fft_mse", "collapse", "convergence"], tmp_path / "out")
    for section in sections:
        read = read_section(tmp_path / "out" / f"{section.name}.json")
        assert [table.run for table in read.tables] == [table.run for table in section.tables]
        assert set(read.numbers) in (set(), set(NAMES), {*NAMES, ""})
        assert all((tmp_path / "out" / table.csv_file).is_file() for table in read.tables)
    assert [(table.name, table.run) for table in sections[0].tables[:2]] == [("losses", name) for name in NAMES]
    assert sections[0].tables[0].csv_file == "losses_a and b: c.csv"


@pytest.mark.parametrize("count", [1, 7])
def test_all_prints_at_most_twenty_lines(smoke_run, tmp_path, caplog, count):
    """A line for each recipe, made or not, the first sentences of the report, and where the rest is."""
    runs = [dataclasses.replace(smoke_run, path=tmp_path / f"run{number}") for number in range(count)]
    made = ["losses", "convergence"]
    with caplog.at_level(logging.INFO, "keras_evae"):
        evaluate(runs, made, tmp_path / "out", report=True, tables=False)
    lines = "\n".join(caplog.messages).splitlines()
    assert len(lines) - len(made) + len(ALL) + 1 <= 20 and "" not in lines
    assert lines[0].split()[-1] == "losses.png" and lines[-1].startswith("report: ")


def test_results_of_an_older_version(tmp_path):
    """They hold verdicts on the paper, and tables without a run."""
    table = {"name": "losses_a", "caption": "c", "header": ["beta"], "rows": [[1.0]]}
    old = {
        "name": "losses",
        "title": "t",
        "text": "",
        "tables": [table],
        "pictures": [],
        "claims": [{}],
        "notes": ["n"],
    }
    (tmp_path / "losses.json").write_text(json.dumps(old))
    section = read_section(tmp_path / "losses.json")
    assert section == Section("losses", "t", "", [Table("losses_a", "c", ["beta"], [[1.0]])], [], ["n"])
    (tmp_path / "losses.json").write_text(json.dumps({**old, "tables": 1}))
    with pytest.raises(DataError, match="run this evaluation again"):
        read_section(tmp_path / "losses.json")


def test_command_says_its_version_and_makes_all_by_default(tmp_path):
    result = call_here(tmp_path, "evaluate.py", "--version")
    assert result.returncode == 0 and result.stdout == f"evae-evaluate {__version__}\n"
    assert parse_arguments([]).all and not parse_arguments(["--losses"]).all and not parse_arguments(["--report"]).all


@pytest.mark.parametrize(
    ("runs", "recipes", "words"),
    [([], ["losses"], "`runs` must be a run"), ("runs/smoke", "losss", "some of losses, ")],
)
def test_arguments_are_checked_before_a_folder_is_made(smoke_run, tmp_path, runs, recipes, words):
    with pytest.raises(ValueError, match=words):
        evaluate(runs, recipes, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_run_and_one_recipe_need_no_list(smoke_run, tmp_path):
    assert [section.name for section in evaluate("runs/smoke", "losses", tmp_path)] == ["losses"]

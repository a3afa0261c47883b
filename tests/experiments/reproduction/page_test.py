"""The part of the page that is written from a smoke run, and what stands beside the page."""

import csv
import re

import pytest

from experiments.reproduction import page, results
from experiments.reproduction.__main__ import main, parse_arguments
from experiments.reproduction.claims.statements import STATEMENTS

TEXT = f"# A page\n\nBefore.\n\n{page.BEGIN}\nAn earlier table.\n{page.END}\n\nAfter.\n"


@pytest.fixture
def make(smoke_folder, tmp_path, monkeypatch):
    """The command with some quick recipes, on the smoke run."""
    monkeypatch.chdir(smoke_folder)
    monkeypatch.setattr(results, "CHANGED", ("losses",))
    monkeypatch.setattr(results, "SYSTEM", ("losses", "reconstructions", "fft_mse", "convergence", "interpolation"))
    (tmp_path / page.PAGE).write_text(TEXT)

    def call(*arguments):
        folders = ["--output", str(tmp_path), "--work", str(tmp_path / "work")]
        main(parse_arguments(["--evae", "runs/smoke", *folders, *arguments]))
        with open(tmp_path / "reproduction" / "claims.csv", newline="") as stream:
            return (tmp_path / page.PAGE).read_text(), list(csv.DictReader(stream))

    return call


def test_page_of_a_smoke_run(make, tmp_path):
    text, claims = make()
    assert text.startswith("# A page\n\nBefore.") and text.endswith("After.\n") and "earlier" not in text
    # A row for each statement, as many cells as the header has.
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \| 3", line)]
    assert len(rows) == len(STATEMENTS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert f"of {len(STATEMENTS)}" in text and "`--fft-mse` |" in text
    assert {claim["run"] for claim in claims} == {"smoke", ""} and {claim["kind"] for claim in claims} == {"system"}
    falls = next(claim for claim in claims if claim["id"] == "evae-falling-energy")
    assert falls["number"] == "11" and "falls by" in falls["measured"] and falls["holds"] != "not decided"
    for file in ("losses.png", "reconstructions.png", "fft_mse.png", "stages.csv", "runs.csv"):
        assert (tmp_path / "reproduction" / file).is_file()

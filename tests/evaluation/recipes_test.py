"""The register of recipes, and what is written of runs of any name."""

import dataclasses

from keras_evae.evaluation.recipes import evaluate
from keras_evae.evaluation.results import read_section

NAMES = ("a and b: c", "b: c, 100%")


def test_runs_of_any_name(smoke_run, tmp_path):
    """The name stands in a field of its own, and in the names of files."""
    runs = [dataclasses.replace(smoke_run, path=tmp_path / name) for name in NAMES]
    sections = evaluate(runs, ["losses", "fft_mse", "convergence"], tmp_path / "out")
    for section in sections:
        read = read_section(tmp_path / "out" / f"{section.name}.json")
        assert [table.run for table in read.tables] == [table.run for table in section.tables]
        assert set(read.numbers) in (set(), set(NAMES), {*NAMES, ""})
        assert all((tmp_path / "out" / table.csv_file).is_file() for table in read.tables)
    assert [(table.name, table.run) for table in sections[0].tables[:2]] == [("losses", name) for name in NAMES]
    assert sections[0].tables[0].csv_file == "losses_a and b: c.csv"

"""The two long files hold every number of the tables, at the stage or at the row where it was found."""

import csv
import dataclasses

from experiments.reproduction.collect import write_tables


@dataclasses.dataclass(frozen=True)
class Rows:
    name: str
    run: str
    header: tuple
    rows: list


TABLES = [
    ("system", Rows("losses", "b", ("beta", "gamma", "L_H"), [(1e-3, 0.0, -0.05), (1e-3, 100.0, -1 / 17)])),
    ("system", Rows("losses", "a", ("beta", "gamma", "L_H"), [(1e-6, 0.0, -0.04)])),
    ("system", Rows("relax", "b", ("beta", "gamma", "charge"), [(1e-3, 100.0, -30)])),
    # Two runs in one table, and a name that another table has.
    ("system", Rows("fft_mse", "", ("run", "beta", "gamma", "charge"), [("b", 1e-3, 0.0, 3.5), ("c", 1e-3, 0.0, 4)])),
    # No beta: that of the E-VAE.
    ("system", Rows("paths", "b", ("gamma", "height"), [(0.0, 7e-4), (100.0, None)])),
    ("changed", Rows("losses", "b", ("beta", "gamma", "L_H"), [(1e-3, 0.0, 8.0)])),
    # Two rows for one stage, and rows that are on no stage.
    ("system", Rows("steps", "b", ("gamma", "R", "left"), [(100.0, 2, 0.75), (100.0, 2, 0.5)])),
    ("system", Rows("pairs", "", ("run", "other_run", "verdict"), [("a", "b", "same, turned")])),
    ("system", Rows("transitions", "a", ("transition", "before", "mark"), [("beta_c", 0.01, None)])),
]


def read(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def test_stages_and_other_numbers(tmp_path):
    write_tables(TABLES, tmp_path)
    stages = {tuple(row[key] for key in ("kind", "run", "beta", "gamma")): row for row in read(tmp_path / "stages.csv")}
    assert [key[1:] for key in stages] == [
        ("b", "0.001", "0.0"), ("b", "0.001", "100.0"), ("a", "1e-06", "0.0"), ("c", "0.001", "0.0"),
        ("b", "0.001", "0.0"),
    ]  # fmt: skip
    first, last = stages["system", "b", "0.001", "0.0"], stages["system", "b", "0.001", "100.0"]
    assert first == {
        "kind": "system", "run": "b", "beta": "0.001", "gamma": "0.0", "L_H": "-0.05", "relax.charge": "",
        "fft_mse.charge": "3.5", "height": "0.0007",
    }  # fmt: skip
    assert float(last["L_H"]) == -1 / 17 and last["relax.charge"] == "-30" and last["height"] == ""
    assert stages["changed", "b", "0.001", "0.0"]["L_H"] == "8.0"
    assert [tuple(row.values()) for row in read(tmp_path / "runs.csv")] == [
        ("system", "b", "steps", "beta 0.001, gamma 100, R 2", "left", "0.75"),
        ("system", "b", "steps", "beta 0.001, gamma 100, R 2 (2)", "left", "0.5"),
        ("system", "a", "pairs", "b", "verdict", "same, turned"),
        ("system", "a", "transitions", "beta_c", "before", "0.01"),
    ]

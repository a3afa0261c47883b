"""Tables of many runs in two CSV files: `stages.csv`, a row for each stage, and `runs.csv`, a line for other numbers.

Tables of one name go into `stages.csv` if none of them has two rows for one stage of a run. Their columns stand there
under their own names, or as `table.column` where two tables use one name. All other tables go into `runs.csv`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

Cell = float | int | str | None
# Which columns say what a row is about; the others are its quantities.
KEYS = (
    "part", "search", "transition", "sample", "state", "states", "other_run", "beta", "gamma", "R", "epochs",
    "longer_epochs",
)  # fmt: skip
STAGE = ("kind", "run", "beta", "gamma")
LONG = ("kind", "run", "table", "row", "quantity", "value")


class RunTable(Protocol):
    """A table of one run, or of several that a column `run` names.

    Args:
        name: What the rows are, without the name of the run, such as "losses".
        run: Name of the run; empty if the rows name it.
        header: A name for each column.
        rows: Numbers and words.
    """

    @property
    def name(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def header(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[Cell]]: ...


Record = dict[str, Cell]
# Kind, name of the table, and its rows, each with its run.
Part = tuple[str, str, list[Record]]


def write_tables(tables: Iterable[tuple[str, RunTable]], folder: Path) -> None:
    """Writes `stages.csv` and `runs.csv` into a folder, with all digits.

    Args:
        tables: Pairs (kind, table); the kinds are "system", "changed", "confined" and "longer".
        folder: The folder, which exists.
    """
    parts = [(kind, table.name, _records(table)) for kind, table in tables]
    betas = _evae_betas(parts)
    for kind, _, records in parts:
        for record in records if all("gamma" in record for record in records) else ():
            record.setdefault("beta", betas.get((kind, record["run"])))
    others = {name for _, name, records in parts if not _is_of_stages(records)}
    _write(folder / "stages.csv", *_side_by_side([part for part in parts if part[1] not in others]))
    _write(folder / "runs.csv", LONG, [line for part in parts if part[1] in others for line in _lines(part)])


def _records(table: RunTable) -> list[Record]:
    return [{"run": table.run, **dict(zip(table.header, row, strict=True))} for row in table.rows]


def _evae_betas(parts: Sequence[Part]) -> dict[tuple[str, Cell], Cell]:
    """The beta of each E-VAE, for tables that have gamma alone: that of the stages with gamma above zero."""
    found: dict[tuple[str, Cell], Cell] = {}
    for kind, _, records in parts:
        for record in records:
            gamma = record.get("gamma")
            if "beta" in record and gamma is not None and gamma != "" and float(gamma) > 0:
                found[kind, record["run"]] = record["beta"]
    return found


def _is_of_stages(records: Sequence[Record]) -> bool:
    stages = [tuple(record.get(key) for key in STAGE[1:]) for record in records]
    # A row without a beta or a gamma is on no stage.
    return all(not {None, ""} & set(stage) for stage in stages) and len(set(stages)) == len(stages)


def _side_by_side(parts: Sequence[Part]) -> tuple[list[str], list[list[Cell]]]:
    """Header and rows: kinds and runs as they come, their stages from the smallest beta and gamma on."""
    names = {name: list(dict.fromkeys(key for _, other, rows in parts if other == name for row in rows for key in row))
             for name in dict.fromkeys(name for _, name, _ in parts)}  # fmt: skip
    uses = Counter(key for columns in names.values() for key in columns)
    titles = {
        (name, key): key if uses[key] == 1 else f"{name}.{key}"
        for name, columns in names.items()
        for key in columns
        if key not in STAGE
    }
    stages: dict[tuple[Cell, ...], Record] = {}
    for kind, name, records in parts:
        for record in records:
            stage = stages.setdefault((kind, *(record[key] for key in STAGE[1:])), {})
            stage.update({titles[name, key]: value for key, value in record.items() if key not in STAGE})
    runs = list(dict.fromkeys(stage[:2] for stage in stages))
    ordered = sorted(stages, key=lambda stage: (runs.index(stage[:2]), stage[2:]))
    columns = list(titles.values())
    return [*STAGE, *columns], [[*stage, *map(stages[stage].get, columns)] for stage in ordered]


def _lines(part: Part) -> list[list[Cell]]:
    """A line for each number of a table that is not on single stages."""
    kind, name, records = part
    lines: list[list[Cell]] = []
    found: Counter[str] = Counter()
    for number, record in enumerate(records, start=1):
        row = _row_in_words(record) or str(number)
        found[row] += 1
        if found[row] > 1:
            row = f"{row} ({found[row]})"
        quantities = [key for key in record if key not in (*KEYS, "run") and record[key] not in (None, "")]
        lines += [[kind, record["run"], name, row, key, record[key]] for key in quantities]
    return lines


def _row_in_words(record: Record) -> str:
    keys = [key for key in KEYS if record.get(key) not in (None, "")]
    return ", ".join(str(record[key]) if isinstance(record[key], str) else f"{key} {record[key]:g}" for key in keys)


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)

"""What a judge says of runs, and the numbers that it reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# A row of a table by the names of its columns, or quantities by their names.
Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """What runs show of a statement of the paper.

    Args:
        measured: The numbers that decide it, in words.
        holds: None where they do not decide it.
        value: The quantity of the statement; None where there is none.
        runs: Labels of the runs that it is on; none if it is on all of them together.
        id: Of the statement.
    """

    measured: str
    holds: bool | None
    value: float | None = None
    runs: Sequence[str] = ()
    id: str = ""

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "does not hold", None: "not decided"}[self.holds]


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The numbers of one recipe.

    Args:
        tables: Rows for (name of the table, label of the run); the label is empty for tables of all runs.
        quantities: What stands in no table, for the label of each run; under "" what is on all runs.
    """

    tables: Mapping[tuple[str, str], Sequence[Row]]
    quantities: Mapping[str, Row]

    @property
    def runs(self) -> list[str]:
        return [run for run in self.quantities if run]

    def rows(self, table: str, label: str = "", /, **wanted: Any) -> list[Row]:
        """The rows of a table in which columns have the wanted values."""
        rows = self.tables.get((table, label), ())
        return [row for row in rows if all(row[column] == value for column, value in wanted.items())]


Judge = Callable[[Numbers], list[Claim]]


def read_numbers(file: Path) -> Numbers:
    """Reads what `evae-evaluate` has written as `<recipe>.json`."""
    section = json.loads(file.read_text(encoding="utf-8"))
    tables = {
        (table["name"], table.get("run", "")): [dict(zip(table["header"], row, strict=True)) for row in table["rows"]]
        for table in section["tables"]
    }
    return Numbers(tables, section.get("numbers", {}))


def each_run(judge: Callable[[Numbers, str], Claim | None]) -> Judge:
    """The judge of all runs, made of that of one."""

    def judge_all(numbers: Numbers) -> list[Claim]:
        found = {run: judge(numbers, run) for run in numbers.runs}
        return [dataclasses.replace(claim, runs=(run,)) for run, claim in found.items() if claim]

    return judge_all


def once_finished(quantities: Row, holds: bool) -> bool | None:
    """A verdict on the last stages of a run: while these are missing, it may be yes, but not yet no."""
    return holds or (False if quantities["last_stage_finished"] else None)

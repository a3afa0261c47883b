"""What a recipe of the evaluation gives: tables, pictures and numbers, on the terminal and in files."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_evae.console import format_csv, format_table
from keras_evae.errors import DataError, validate_json
from keras_evae.evaluation.stage_selection import by_label, file_name
from keras_evae.files import file_checksum, json_text
from keras_evae.runs.manifest import list_file, read_listed, write_listed
from keras_evae.runs.run import Run

logger = logging.getLogger(__name__)

AGAIN = "run this evaluation again"
# None: a value that does not exist.
Cell = float | int | str | None
# A row of a table: its cells by the names of their columns.
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers of a figure: rows of numbers and words under the names of the columns, which tell units.

    `name` is the same for each run. `run` is the label of its run, empty if it is on all of them. `file` is the name of
    its CSV file without the suffix, by default the table's name.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    run: str = ""
    file: str = ""

    @classmethod
    def of_records(cls, name: str, caption: str, records: Sequence[Record]) -> Table:
        """A table of at least one record: its keys, those of all, become the header; NaN and infinity have no value."""
        rows = [
            [None if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in row.values()]
            for row in records
        ]
        return cls(name, caption, list(records[0]), rows)

    @property
    def csv_file(self) -> str:
        return f"{self.file or self.name}.csv"

    def of_run(self, label: str, runs: Sequence[Run]) -> Table:
        """The table with its run, among others, in the caption and in the name of its file."""
        file = file_name(self.name, label, runs)
        return dataclasses.replace(self, caption=f"{label}: {self.caption}", run=label, file=file)

    @property
    def records(self) -> list[Record]:
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]

    @property
    def cells(self) -> list[list[str]]:
        return [[_in_words(cell) for cell in row] for row in self.rows]

    def to_text(self) -> str:
        return f"{self.caption}\n" + format_table(self.header, self.cells)

    def write(self, folder: Path) -> None:
        """Writes its CSV file, with all digits."""
        write_listed(folder / self.csv_file, format_csv(self.header, self.rows))


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file in the folder of the results; `name` says what it is, and is the same for each run."""

    file: str
    caption: str
    name: str = ""

    def of_run(self, label: str) -> Picture:
        return dataclasses.replace(self, caption=f"{label}: {self.caption}")


@dataclasses.dataclass(frozen=True)
class Section:
    """One figure of the paper, made from one or more runs.

    Args:
        name: Key of the recipe, and name of the JSON file.
        title, text: Heading; what is measured, with formula and units, in one paragraph.
        tables, pictures: The results.
        notes: What a reader must know: stages that are missing, substitutes that were taken.
        numbers: What stands in no table: values by their names for the label of each run, and "" for all together.
        made_from: `Run.stages_checksum` of the runs: results of fewer stages are outdated.
    """

    name: str
    title: str
    text: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()
    numbers: Mapping[str, Mapping[str, Cell]] = dataclasses.field(default_factory=dict)
    made_from: Sequence[str] = ()

    @property
    def files(self) -> list[str]:
        """Names of the pictures and tables, and of its own."""
        return [
            *(picture.file for picture in self.pictures),
            *(table.csv_file for table in self.tables),
            f"{self.name}.json",
        ]

    def __repr__(self) -> str:
        return f"<Section {self.name}: {', '.join(self.files)}>"

    def write(self, folder: Path) -> None:
        """Writes the tables as CSV and the whole section as `<name>.json`, from which `read_section` makes it again."""
        for table in self.tables:
            table.write(folder)
        for picture in self.pictures:
            list_file(folder / picture.file, file_checksum(folder / picture.file))
        text = json_text(dataclasses.asdict(self), indent=1)
        write_listed(folder / f"{self.name}.json", text.encode() + b"\n")

    def publish(self, folder: Path, tables: bool = True) -> Section:
        """Writes the section and says it on the terminal, in one line without its tables; returns it."""
        self.write(folder)
        if tables:
            texts = [table.to_text() for table in self.tables] + [f"note: {note}" for note in self.notes]
            written = f"written to {folder}: {', '.join(self.files)}"
            logger.info("%s", "\n".join([f"\n{self.title}", *texts, written]))
        else:
            logger.info("%-54s %s", self.title, self.files[0])
        return self


def for_each_run(make: Callable[..., Section]) -> Callable[..., Section]:
    """Makes a recipe, `(runs, output) -> Section`, of the function for one run, `(run, output, file) -> Section`.

    That function, `make_<recipe>`, has the numbers of its run under "", and writes pictures whose names begin with
    `file`. Captions, tables and numbers get the label of the run; files get it where there are several runs.
    """
    name = make.__name__.removeprefix("_").removeprefix("make_")

    @functools.wraps(make)
    def recipe(runs: Sequence[Run], output: Path, **options: Any) -> Section:
        made = [
            (label, make(run, output, file_name(name, label, runs), **options)) for label, run in by_label(runs).items()
        ]
        return dataclasses.replace(
            made[0][1],
            tables=[table.of_run(label, runs) for label, part in made for table in part.tables],
            pictures=[picture.of_run(label) for label, part in made for picture in part.pictures],
            notes=[note for _, part in made for note in part.notes],
            numbers={label: part.numbers[""] for label, part in made if part.numbers},
        )

    return recipe


def read_section(path: Path) -> Section:
    """Reads what `Section.write` wrote; a `DataError` if the file is missing or is no section."""
    section: Section = validate_json(path, read_listed(path, AGAIN), Section, AGAIN)
    if any(len(row) != len(table.header) for table in section.tables for row in table.rows):
        raise DataError(f"{path}: expected a cell for each column of its tables, found others; {AGAIN}")
    return section


def _in_words(cell: Cell) -> str:
    if cell is None or cell != cell:
        return "-"
    if isinstance(cell, float):
        # Energies per site differ in the fifth decimal.
        return f"{cell:.7g}" if 1 <= abs(cell) < 10 else f"{cell:.4g}"
    return str(cell)

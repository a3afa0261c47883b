"""What a recipe of the evaluation gives: tables, pictures and claims, on the terminal and in files."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_evae.console import format_table
from keras_evae.durable import write_whole
from keras_evae.errors import DataError

logger = logging.getLogger(__name__)

# None: a value that does not exist.
Cell = float | int | str | None


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers of a figure.

    Args:
        name: Name of its CSV file, without the suffix.
        caption: What the rows are, one line.
        header: A name for each column, with its unit where it has one.
        rows: Numbers and words.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def cells(self) -> list[list[str]]:
        """The rows in words, numbers rounded for the eye."""
        return [[_in_words(cell) for cell in row] for row in self.rows]

    def to_text(self) -> str:
        """Aligned columns for the terminal."""
        return f"{self.caption}\n" + format_table(self.header, self.cells)

    def write(self, folder: Path) -> None:
        """Writes `<name>.csv` with all digits."""
        with open(folder / f"{self.name}.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.header)
            writer.writerows(self.rows)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file in the folder of the results.

    Args:
        file: Its name.
        caption: What it shows, for a reader who does not see the code.
    """

    file: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the paper beside what this run shows.

    Args:
        claim: The sentence in short.
        rule: By which numbers it is decided, and from which bound on it holds.
        measured: Those numbers.
        holds: None where the run lacks the stages to decide.
        quantity: What the rule judges in the first place, for a table of several runs.
        value: Its value; None where the run has none.
    """

    claim: str
    rule: str
    measured: str
    holds: bool | None
    quantity: str = ""
    value: float | None = None

    def __post_init__(self) -> None:
        # Comparisons of NumPy numbers are no Python bools.
        object.__setattr__(self, "holds", None if self.holds is None else bool(self.holds))

    def undecided(self) -> Claim:
        """The claim while the stages that decide it are not finished."""
        return dataclasses.replace(self, holds=None)

    @property
    def sentence(self) -> str:
        """The claim without the names of the runs that it is on."""
        return self.claim.partition(": ")[2] or self.claim

    @property
    def runs(self) -> str:
        """The names of the runs that it is on; empty if it is on all of them together."""
        return self.claim.partition(": ")[0] if ": " in self.claim else ""

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "does not hold", None: "not decided"}[self.holds]


@dataclasses.dataclass(frozen=True)
class Section:
    """One figure of the paper, made from one or more runs.

    Args:
        name: Key of the recipe; name of the JSON file.
        title: Heading.
        text: What is measured, with formula and units; one paragraph.
        tables, pictures, claims: The results.
        notes: What a reader must know: stages that are missing, substitutes that were taken.
    """

    name: str
    title: str
    text: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    claims: Sequence[Claim] = ()
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        files = [f"{table.name}.csv" for table in self.tables] + [picture.file for picture in self.pictures]
        return f"<Section {self.name}: {', '.join(files)}>"

    def write(self, folder: Path) -> None:
        """Writes the tables as CSV and the whole section as `<name>.json`, from which `read_section` makes it again."""
        for table in self.tables:
            table.write(folder)
        text = json.dumps(dataclasses.asdict(self), indent=1, default=float)
        write_whole(folder / f"{self.name}.json", text.encode() + b"\n")

    def log(self, folder: Path) -> None:
        """Says the section on the terminal."""
        logger.info("\n%s", self.title)
        for table in self.tables:
            logger.info("%s", table.to_text())
        for note in self.notes:
            logger.info("note: %s", note)
        for claim in self.claims:
            logger.info("%s\n  %s: %s (%s)", claim.claim, claim.measured, claim.verdict, claim.rule)
        files = [picture.file for picture in self.pictures] + [f"{table.name}.csv" for table in self.tables]
        logger.info("written to %s: %s", folder, ", ".join([*files, f"{self.name}.json"]))


def count_claims(sections: Sequence[Section]) -> str:
    """How many claims hold, do not hold and are not decided, in words."""
    verdicts = [claim.holds for section in sections for claim in section.claims]
    held, failed, undecided = (sum(verdict is kind for verdict in verdicts) for kind in (True, False, None))
    return f"{held} hold{'s' * (held == 1)}, {failed} do{'es' * (failed == 1)} not, {undecided} not decided"


def read_section(path: Path) -> Section:
    """Reads what `Section.write` wrote.

    Raises:
        DataError: If the file is missing or is no section.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in {"tables": Table, "pictures": Picture, "claims": Claim}.items():
            values[name] = [kind(**item) for item in values[name]]
        return Section(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: expected the results of an evaluation, found: {error}; run it again") from error


def _in_words(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        # Energies per site differ in the fifth decimal.
        return f"{cell:.7g}" if 1 <= abs(cell) < 10 else f"{cell:.4g}"
    return str(cell)

"""The part of the page that a script writes: the table of verdicts, and the pictures and numbers beside the page."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from experiments.reproduction.collect import write_tables
from experiments.reproduction.seeds import Row, count_verdicts
from keras_evae.errors import DataError
from keras_evae.evaluation.recipes import RECIPES
from keras_evae.evaluation.results import Section, Table
from keras_evae.files import write_whole

PAGE = "reproduction.md"
BEGIN, END = "<!-- verdicts: written by python -m experiments.reproduction -->", "<!-- end of verdicts -->"
HEADER = ["", "§", "the paper says", "rule", "paper", "ours", "verdict", "flag"]
# Recipe and name of each picture of the paper's figures; of several runs the first is shown.
FIGURES = {
    "2": ("losses", "losses"),
    "S1": ("reconstructions", "reconstructions"),
    "3A": ("local_correlation", "local_correlation"),
    "3B": ("theta", "theta"),
    "4A and 4B": ("interpolation", "interpolation"),
    "4C": ("interpolation", "interpolation_states"),
    "5A": ("collapse", "collapse"),
    "5B": ("fft_mse", "fft_mse"),
}
# Largest file of a picture, in bytes, and the steps of 256 in which its channels may be rounded to get there.
LARGEST, STEPS = 200_000, (1, 4, 8, 16)


def write_page(
    output: Path,
    rows: Sequence[Row],
    changed: Sequence[Row],
    sections: Mapping[tuple[str, str], Section],
    others: Sequence[tuple[str, Table]],
    work: Path,
) -> Path:
    """Writes the verdicts into `reproduction.md`; pictures, tables and claims into `reproduction/` beside it.

    Args:
        output: Folder of the page.
        rows: The statements of the paper with their claims.
        changed: Those that differ, with the claims of runs that had one thing changed.
        sections: Results for (kind of the runs, recipe), with their pictures in `work`.
        others: More tables, each with the kind of its runs.
        work: Folder of the results, see `experiments.reproduction.results.make_results`.

    Raises:
        DataError: If there is no page with a place for the verdicts.
    """
    page, folder = output / PAGE, output / "reproduction"
    write_whole(page, with_verdicts(page, verdict_table(rows)).encode())
    folder.mkdir(parents=True, exist_ok=True)
    for recipe, name in FIGURES.values():
        section = sections.get(("system", recipe))
        files = [picture.file for picture in section.pictures if picture.name == name] if section else []
        for file in files[:1]:
            shrink_picture(work / "system" / file, folder / file)
    write_claims([*rows, *changed], folder / "claims.csv")
    made = [(kind, table) for (kind, _), section in sections.items() for table in section.tables]
    write_tables([*made, *others], folder)
    return page


def with_verdicts(page: Path, table: str) -> str:
    """The text of the page with a new table of verdicts.

    Raises:
        DataError: If the page is missing, or the two lines in it between which the table stands.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DataError(f"{page}: expected the lines {BEGIN} and {END}, found no such page; write them into it")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def verdict_table(rows: Sequence[Row]) -> str:
    """How many statements hold, and a row of Markdown for each of them."""
    cells = [HEADER, ["---"] * len(HEADER), *map(_cells, rows)]
    lines = ["| " + " | ".join(line) + " |" for line in cells]
    return f"**{count_verdicts(rows).capitalize()}.**\n\n" + "\n".join(lines)


def _cells(row: Row) -> list[str]:
    statement = row.statement
    edges = " (samples with edges)" if statement.kind == "confined" else ""
    words = [row.number, statement.section, statement.sentence + edges, statement.rule, statement.paper, row.ours]
    verdict = f"**{row.verdict}**" if row.holds is False else row.verdict
    return [*map(markdown_cell, words), verdict, f"`{RECIPES[statement.recipe].flag}`"]


def write_claims(rows: Sequence[Row], file: Path) -> None:
    """A line for each claim of each run, with all digits."""
    header = ["id", "number", "section", "kind", "run", "quantity", "value", "holds", "measured"]
    lines = [
        [claim.id, row.number, row.statement.section, row.statement.kind, " and ".join(claim.runs)]
        + [row.statement.quantity, claim.value, claim.verdict, claim.measured]
        for row in rows
        for claim in row.claims
    ]
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def shrink_picture(source: Path, target: Path) -> None:
    """Copies a PNG picture; where it is large, with channels rounded as far as it takes, which the eye hardly sees."""
    with Image.open(source) as image:
        colors = image.convert("RGB")
    for step in STEPS:
        rounded = [min(255, round(value / step) * step) for value in range(256)]
        colors.point(rounded * 3).save(target, optimize=True)
        if target.stat().st_size <= LARGEST:
            return


def markdown_cell(value: object) -> str:
    """Text in a cell of a Markdown table, where a bar would end the cell and an angle bracket begin a tag."""
    return str(value).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

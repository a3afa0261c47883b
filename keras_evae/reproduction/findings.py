"""What was found where runs differ from the paper: text that takes its numbers from the files beside it."""

from __future__ import annotations

import csv
from pathlib import Path

import jinja2

from keras_evae.errors import DataError

Value = float | str


def write_out_findings(file: Path) -> str:
    """The text of a Jinja template in Markdown; empty if there is no such file.

    In it `lines("FILE.csv", column=value, ...)` are the lines of a CSV file in the same folder that have these values,
    each with its columns by name, numbers as numbers, and `line(...)` is the only one:

        {{ "%.3g" | format(line("tables/system_losses_vae_s0.csv", split="test", beta=1e-3).L_RC) }}

    Raises:
        DataError: If the template does not fit the files.
    """
    if not file.is_file():
        return ""

    def lines(name: str, **wanted: Value) -> list[dict[str, Value]]:
        return [row for row in _read_rows(file.parent / name) if all(row[key] == wanted[key] for key in wanted)]

    def line(name: str, **wanted: Value) -> dict[str, Value]:
        found = lines(name, **wanted)
        if len(found) != 1:
            raise DataError(f"{file}: expected one line of {name} with {wanted}, found {len(found)}")
        return found[0]

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        template = environment.from_string(file.read_text(encoding="utf-8"))
        return template.render(lines=lines, line=line).strip()
    except (jinja2.TemplateError, OSError, KeyError, TypeError) as error:
        raise DataError(f"{file}: expected a template that fits the files beside it, found {error!r}") from error


def _read_rows(file: Path) -> list[dict[str, Value]]:
    with open(file, newline="", encoding="utf-8") as stream:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(stream)]


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text

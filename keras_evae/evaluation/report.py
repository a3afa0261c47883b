"""One HTML page of an evaluation: three sentences on each run, pictures, numbers, and where all of it comes from.

The page holds everything that it shows; it runs no script and asks no server for anything.
"""

import base64
import dataclasses
import datetime
import logging
import shlex
import struct
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from keras_evae.errors import DataError
from keras_evae.evaluation.results import Picture, Section, read_section
from keras_evae.evaluation.stage_selection import by_label
from keras_evae.evaluation.verdict import make_verdict
from keras_evae.machine import describe_environment
from keras_evae.runs.environment import read_environment
from keras_evae.runs.manifest import read_listed, write_listed
from keras_evae.runs.run import Run
from keras_evae.runs.stage_plan import GENERATION_SEED

logger = logging.getLogger(__name__)

TEMPLATE, REPORT = "report.html.jinja", "report.html"
# Of a report that the terminal has a sentence for.
MOST_RUNS = 5
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class Headline:
    """The first lines of a report on a run: what a reader wants to know first, and facts with their names."""

    name: str
    hamiltonian: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]]


def headline(run: Run, name: str, sections: Sequence[Section] = ()) -> Headline:
    """The headline of a run with at least one finished stage; `name` is its label in the tables of the sections."""
    last = run.stages[-1]
    present = "" if run.hamiltonian.mask is None else f", spins on {run.hamiltonian.count_sites(run.shape)} sites"
    facts = [
        ("Lattice", f"{run.shape[0]} × {run.shape[1]}{present}"),
        *([("Data", run.data_origin)] if run.data_kind != "annealed data" else []),
        ("Stages", f"{len(run.stages)} of {len(run.planned)} finished"),
        ("Last stage", f"β = {last.beta:g}, γ = {last.gamma:g}"),
    ]
    # A formula does not break across lines.
    sentences = [sentence.replace(" = ", "\u00a0=\u00a0") for sentence in make_verdict(run, name, sections)]
    return Headline(name, run.hamiltonian.describe(), sentences, facts)


def collect_sections(made: Sequence[Section], names: Iterable[str], output: Path) -> list[Section]:
    """Sections of these recipes, in their order: those just made, and for the others those that are in the folder.

    A `DataError` if a file in the folder is damaged.
    """
    new = {section.name: section for section in made}
    files = {name: output / f"{name}.json" for name in names}
    return [new.get(name) or read_section(file) for name, file in files.items() if name in new or file.is_file()]


def write_report(
    runs: Sequence[Run],
    sections: Sequence[Section],
    gaps: Mapping[str, str],
    output: Path,
    headlines: Sequence[Headline] | None = None,
) -> Path:
    """Writes `<output>/report.html` on results of runs with their pictures there; says its first sentences.

    `gaps` tells why a recipe could not be made. By default each run has a headline, from the sections that are made of
    all its stages. A `DataError` if there is nothing to report, or a picture is missing or damaged.
    """
    if not sections and not gaps:
        raise DataError(f"{output}: expected results to report, found none; make them with: evae-evaluate --all")
    # Those that were made before the last stage of a run was finished.
    now = {run.stages_checksum for run in runs}
    outdated = [section.name for section in sections if section.made_from and not now <= set(section.made_from)]
    path = output / REPORT
    current = [section for section in sections if section.name not in outdated]
    headlines = headlines or [headline(run, name, current) for name, run in by_label(runs).items()]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["number"] = lambda cell: isinstance(cell, int | float)
    template = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        headlines=headlines,
        sections=sections,
        outdated=outdated,
        images={picture.file: _image(picture, section, output) for section in sections for picture in section.pictures},
        gaps={name.replace("_", "-"): reason for name, reason in gaps.items()},
        provenance=[(name, _provenance(run), run.config_text) for name, run in by_label(runs).items()],
        made=_in_words(describe_environment()),
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        generation_seed=GENERATION_SEED,
    )
    write_listed(path, page.encode(errors="replace"))
    lines = [headlines[0].name, *headlines[0].sentences]
    if len(headlines) > 1:
        # What matters most: whether they have collapsed.
        lines = [f"{found.name}: {found.sentences[0]}" for found in headlines[:MOST_RUNS]]
        lines += [f"... and {len(headlines) - MOST_RUNS} runs more"] * (len(headlines) > MOST_RUNS)
    logger.info("%s", "\n".join([*lines, f"report: {path}"]))
    return path


def _image(picture: Picture, section: Section, output: Path) -> dict[str, Any]:
    """The picture inside a URL, and its width in pixels."""
    # Only the name: the page shows no file from outside the folder of the results.
    path, remedy = output / Path(picture.file).name, f"make it again with --{section.name.replace('_', '-')}"
    content = read_listed(path, remedy) if path.is_file() else b""
    if not content.startswith(PNG_SIGNATURE):
        raise DataError(f"{path}: expected a PNG picture, found {'another file' if content else 'none'}; {remedy}")
    # The first chunk of a PNG file begins with width and height.
    width, height = struct.unpack(">II", content[16:24])
    return {"url": "data:image/png;base64," + base64.b64encode(content).decode(), "width": width, "height": height}


def _provenance(run: Run) -> dict[str, str]:
    seeds = {"seeds": ", ".join(f"{name} {seed}" for name, seed in run.seeds.items())}
    return seeds | _in_words(read_environment(run.path) or {"environment": None})


def _in_words(environment: Mapping[str, Any]) -> dict[str, str]:
    words = {}
    for name, value in environment.items():
        if value is None:
            words[name] = "not recorded"
        elif isinstance(value, Mapping):
            words[name] = ", ".join(f"{key} {item}" for key, item in value.items())
        else:
            words[name] = shlex.join(value) if name == "command" else str(value)
    return words

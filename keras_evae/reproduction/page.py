"""The page: Markdown with the pictures and the numbers that it shows, in a folder beside it."""

from __future__ import annotations

import csv
import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import jinja2
from PIL import Image

from keras_evae.config import load_config
from keras_evae.durable import write_whole
from keras_evae.environment import read_environment
from keras_evae.evaluation.sections import Picture, Section, Table
from keras_evae.reproduction.costs import GPU, PEAK, TRAINING_PASSES, Throughput, cost_table
from keras_evae.reproduction.findings import write_out_findings
from keras_evae.reproduction.gathering import Row, count_verdicts
from keras_evae.reproduction.results import Runs, most_alike
from keras_evae.reproduction.statements import FIGURES, Figure
from keras_evae.runs import Run, config_differences, planned_stages

PAGE, TEMPLATE, FINDINGS = "reproduction.md", "reproduction.md.jinja", "findings.md"
# Largest file of a picture, in bytes, and the steps of 256 in which its channels may be rounded to get there.
LARGEST, STEPS = 200_000, (1, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class Costs:
    """Operations of one training sample, what was measured, and the estimates."""

    operations: int
    throughput: Throughput | None

    @property
    def table(self) -> Table:
        return cost_table(self.operations, self.throughput)


def write_page(
    output: Path,
    runs: Runs,
    rows: Sequence[Row],
    experiments: Sequence[Row],
    sections: Mapping[tuple[str, str], Section],
    gaps: Mapping[tuple[str, str], str],
    longer: Sequence[Table],
    costs: Costs,
    work: Path,
) -> Path:
    """Writes `reproduction.md`, and into the folder `reproduction` beside it pictures, tables and claims.

    `reproduction/findings.md`, if it is there, becomes the chapter on what differs; it takes numbers from the files
    beside it, see `keras_evae.reproduction.findings`.

    Args:
        output: Folder of the page.
        runs: What it is made of.
        rows: The statements of the paper with their claims.
        experiments: Those that differ, with the claims of the changed runs.
        sections: Results, with their pictures in the folder `work`.
        gaps: For each (kind of the runs, recipe) that could not be made, why.
        longer: Comparisons with longer stages.
        costs: Operations and samples per second.
        work: Folder of the results, see `keras_evae.reproduction.results.make_results`.
    """
    folder = output / "reproduction"
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    # Of a page made before, from other runs.
    for file in (folder / "tables").glob("*.csv"):
        file.unlink()
    figures = [(figure, _picture(figure, sections)) for figure in FIGURES]
    for _, picture in figures:
        if picture:
            shrink_picture(work / "system" / picture.file, folder / picture.file)
    for (kind, _), section in sections.items():
        for table in section.tables:
            dataclasses.replace(table, name=f"{kind}_{table.name}").write(folder / "tables")
    for content in (*longer, costs.table):
        content.write(folder / "tables")
    _write_claims(rows, folder / "claims")
    _write_claims(experiments, folder / "claims_changed")
    # Each beside a run of the paper's system or one before it in the list.
    alike = [(run, most_alike(run, [*runs.system, *runs.changed[:before]])) for before, run in enumerate(runs.changed)]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["cell"] = markdown_cell
    template = environment.from_string(resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    text = template.render(
        runs=[_describe(run) for run in runs.system],
        confined=[_describe(run) for run in runs.confined],
        example=runs.system[0].config,
        rows=rows,
        experiments=experiments,
        changed=[(_describe(run), other.name, describe_change(run, other)) for run, other in alike],
        verdicts=count_verdicts(rows),
        figures=figures,
        gaps=gaps,
        convergence=sections.get(("system", "convergence")),
        longer=longer,
        findings=write_out_findings(folder / FINDINGS),
        costs=costs,
        gpu=GPU,
        peak=PEAK,
        passes=TRAINING_PASSES,
    )
    write_whole(output / PAGE, text.encode())
    return output / PAGE


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


def _picture(figure: Figure, sections: Mapping[tuple[str, str], Section]) -> Picture | None:
    """The picture of the first run that has one."""
    begin, end = figure.picture
    section = sections.get(("system", figure.recipe))
    others = {other.picture[1] for other in FIGURES if other.recipe == figure.recipe} - {end}
    for picture in section.pictures if section else ():
        longer = any(picture.file.endswith(other) and len(other) > len(end) for other in others)
        if picture.file.startswith(begin) and picture.file.endswith(end) and not longer:
            return picture
    return None


def _describe(run: Run) -> dict[str, object]:
    planned = planned_stages(run.config)
    missing = planned[len(run.stages) :]
    return {
        "name": run.name,
        "kind": f"E-VAE, beta = {run.config.evae.beta:g}" if run.config.evae else "VAE",
        "seed": run.config.training.seed,
        "stages": f"{len(run.stages)} of {len(planned)}",
        "missing": f"from beta = {missing[0].beta:g}, gamma = {missing[0].gamma:g} on" if missing else "nothing",
        "epochs": ", ".join(str(stage.epochs) for stage in planned),
        "command": training_command(run),
        "version": read_environment(run.path).get("training_version", 1),
    }


def training_command(run: Run) -> str:
    """What trains such a run: the file that it began with, as it is now, and each key in which the run differs."""
    given = read_environment(run.path).get("command") or []
    if "--config" not in given:
        return f"{run.name}: no command recorded"
    file = given[given.index("--config") + 1]
    differences = config_differences(run.config, load_config(file))
    changes = [f"{key}={json.dumps(value)}" for key, (value, _) in differences.items()]
    options = [word for change in changes for word in ("--set", change)]
    return shlex.join(["python", "train.py", "--config", file, *options, "--output", f"runs/{run.name}"])


def describe_change(run: Run, other: Run) -> str:
    """What differs from another run: for each key of the configuration its value, and that of the other run."""
    differences = config_differences(run.config, other.config)
    words = [f"{key}: {_in_words(value)} (there {_in_words(before)})" for key, (value, before) in differences.items()]
    return "; ".join(words) or "nothing in the configuration"


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_claims(rows: Sequence[Row], file: Path) -> None:
    """All claims with all digits, as CSV and JSON."""
    header = ["number", "section", "statement", "runs", "quantity", "value", "holds", "measured", "rule", "paper"]
    lines = [
        [
            row.number, row.statement.section, row.statement.sentence, claim.runs, claim.quantity, claim.value,
            claim.verdict, claim.measured, claim.rule, row.statement.paper,
        ]
        for row in rows
        for claim in row.claims
    ]  # fmt: skip
    with open(file.with_suffix(".csv"), "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(lines)
    records = [dict(zip(header, line, strict=True)) for line in lines]
    write_whole(file.with_suffix(".json"), json.dumps(records, indent=1).encode() + b"\n")

"""Claims of several runs in one row: the spread between seeds, and how often they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from keras_evae.evaluation.ladders import labels
from keras_evae.evaluation.sections import Claim, Section
from keras_evae.reproduction.statements import Statement
from keras_evae.runs import Run


@dataclasses.dataclass(frozen=True)
class Row:
    """A statement of the paper beside what the runs show.

    Args:
        number: Of the row.
        statement: The statement.
        claims: The claims that decide it, of all runs; none where the recipe could not be made.
        groups: For the name of each run, the group of runs that differ in their seeds alone.
    """

    number: int
    statement: Statement
    claims: Sequence[Claim]
    groups: Mapping[str, str]

    @property
    def chapter(self) -> str:
        """The first section of the paper that has the statement."""
        return self.statement.section.partition(",")[0]

    @property
    def rule(self) -> str:
        return self.claims[0].rule if self.claims else "-"

    @property
    def ours(self) -> str:
        """The number that decides: for each group its mean and half of the range between seeds."""
        values: dict[str, list[float]] = {}
        for claim in self.claims:
            if claim.value is not None:
                values.setdefault(self._group(claim), []).append(claim.value)
        words = [f"{spread(found)}{f' ({group})' if group else ''}" for group, found in values.items()]
        return f"{self.claims[0].quantity}: {', '.join(words)}" if words else "-"

    @property
    def verdict(self) -> str:
        decided = [claim.holds for claim in self.claims if claim.holds is not None]
        if not decided:
            return "not decided"
        held = sum(decided)
        if held == len(decided):
            return "holds" if len(decided) == 1 else f"holds ({held} of {held})"
        return f"differs ({len(decided) - held} of {len(decided)})"

    @property
    def holds(self) -> bool | None:
        decided = [claim.holds for claim in self.claims if claim.holds is not None]
        return all(decided) if decided else None

    def _group(self, claim: Claim) -> str:
        """The group of its run; for pairs of runs that of both, if it is one."""
        groups = {self.groups.get(name, "") for name in claim.runs.split(" and ")}
        return groups.pop() if len(groups) == 1 else "other pairs"


def gather(
    statements: Sequence[Statement], sections: Mapping[tuple[str, str], Section], groups: Mapping[str, str]
) -> list[Row]:
    """A row for each statement.

    Args:
        statements: In the order of the page.
        sections: Results for (runs, recipe) of the statements, as far as they could be made.
        groups: See `Row`.
    """
    rows = []
    for number, statement in enumerate(statements, start=1):
        section = sections.get((statement.runs, statement.recipe))
        claims = section.claims if section else ()
        # Without a second run, sentences on two runs begin with a capital.
        wanted = statement.sentence.lower()
        rows.append(Row(number, statement, [claim for claim in claims if claim.sentence.lower() == wanted], groups))
    return rows


def gather_changed(rows: Sequence[Row], sections: Mapping[tuple[str, str], Section]) -> list[Row]:
    """The rows on the paper's system that differ, with the claims of runs that had one thing changed."""
    found = []
    for row in (row for row in rows if row.statement.runs == "system"):
        statement = dataclasses.replace(row.statement, runs="changed")
        (changed,) = gather([statement], sections, {})
        if row.holds is False and changed.claims:
            found.append(dataclasses.replace(changed, number=row.number))
    return found


def seed_groups(runs: Sequence[Run]) -> dict[str, str]:
    """For the name of each run, in words, what it shares with those that differ in their seed alone."""
    names = labels(runs)
    return {names[run.path]: _kind_in_words(run) for run in runs}


def _kind_in_words(run: Run) -> str:
    geometry, evae = run.config.geometry, run.config.evae
    words = [f"{geometry.shape} {geometry.size}" if geometry.shape else f"{geometry.file}"] if geometry else []
    return ", ".join([*words, f"beta {evae.beta:g}"] if evae else words)


def spread(values: Sequence[float]) -> str:
    """Mean and half of the range, in words; one value as it is."""
    low, high = min(values), max(values)
    mean = f"{sum(values) / len(values):.3g}"
    return mean if len(values) == 1 else f"{mean} ± {(high - low) / 2:.2g}"


def count_verdicts(rows: Sequence[Row]) -> str:
    """How many statements hold, differ and are not decided, in words."""
    held, differ, undecided = (sum(row.holds is kind for row in rows) for kind in (True, False, None))
    return f"statements that hold: {held} of {len(rows)}; that differ: {differ}; not decided: {undecided}"

"""Claims of several runs in one row: the spread between seeds, and how often they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.reproduction.claims.claim import Claim, Numbers
from experiments.reproduction.claims.registry import judge
from experiments.reproduction.claims.statements import Statement
from keras_evae.evaluation.stage_selection import by_label
from keras_evae.runs.run import Run


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
    def ours(self) -> str:
        """The number that decides: for each group its mean and half of the range between seeds."""
        values: dict[str, list[float]] = {}
        for claim in self.claims:
            if claim.value is not None:
                values.setdefault(self._group(claim), []).append(claim.value)
        words = [f"{spread(found)}{f' ({group})' if group else ''}" for group, found in values.items()]
        return f"{self.statement.quantity}: {', '.join(words)}" if words else "-"

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
        found = {self.groups.get(run, "") for run in claim.runs}
        return found.pop() if len(found) == 1 else "other pairs" if found else ""


def gather(
    statements: Sequence[Statement], numbers: Mapping[tuple[str, str], Numbers], groups: Mapping[str, str]
) -> list[Row]:
    """A row for each statement.

    Args:
        statements: In the order of the page.
        numbers: Of (kind of the runs, recipe), as far as they could be made.
        groups: See `Row`.
    """
    rows = []
    for number, statement in enumerate(statements, start=1):
        found = numbers.get((statement.kind, statement.recipe))
        rows.append(Row(number, statement, judge(statement.id, found) if found else (), groups))
    return rows


def gather_changed(rows: Sequence[Row], numbers: Mapping[tuple[str, str], Numbers]) -> list[Row]:
    """The rows on the paper's system that differ, with the claims of runs that had one thing changed."""
    found = []
    for row in (row for row in rows if row.statement.kind == "system" and row.holds is False):
        statement = dataclasses.replace(row.statement, kind="changed")
        (changed,) = gather([statement], numbers, {})
        if changed.claims:
            found.append(dataclasses.replace(changed, number=row.number))
    return found


def seed_groups(runs: Sequence[Run]) -> dict[str, str]:
    """For the name of each run, in words, what it shares with those that differ in their seed alone."""
    return {name: _kind_in_words(run) for name, run in by_label(runs).items()}


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

"""The judge of each statement, by its id."""

from __future__ import annotations

import dataclasses

from experiments.reproduction.claims import (
    judge_collapse,
    judge_correlation,
    judge_evae,
    judge_interpolation,
    judge_vae,
)
from experiments.reproduction.claims.claim import Claim, Judge, Numbers

JUDGES: dict[str, Judge] = {
    **judge_vae.JUDGES,
    **judge_evae.JUDGES,
    **judge_correlation.JUDGES,
    **judge_interpolation.JUDGES,
    **judge_collapse.JUDGES,
}


def judge(id: str, numbers: Numbers) -> list[Claim]:
    """What the numbers of a recipe say of the statement with this id: a claim for each run, for each pair, or one."""
    return [
        dataclasses.replace(claim, id=id, holds=None if claim.holds is None else bool(claim.holds))
        for claim in JUDGES[id](numbers)
    ]

"""Statements on the path between two lattices, on numbers of each image."""

import pytest

from experiments.reproduction.claims.claim import Numbers
from experiments.reproduction.claims.judge_interpolation import JUDGES
from tests.helpers.ladders import judged, verdicts

COUNT = 4


def image(gamma, share=0.1, plateau=-2.05, left=0.9, height=0.005, reached="yes"):
    """One image of the targets; its second plateau lies 0.001 lower."""
    return {"gamma": gamma, "reached": reached, "barrier_height": height, "fwhm_share": share,
            "plateau_initial": plateau, "plateau_final": plateau - 0.001, "barrier_left_at_R=2": left}  # fmt: skip


def numbers(*stages, compared=100.0, awaits=False):
    """What the recipe writes of stages, each a list of images or one image of which there are four."""
    rows = [row for stage in stages for row in (stage if isinstance(stage, list) else [stage] * COUNT)]
    quantities = {"compared_gamma": compared, "awaits_nearer_stage": awaits}
    return Numbers({("interpolation_images", "run"): rows}, {"run": quantities})


def test_barriers_that_sharpen_or_do_not():
    found = numbers(image(0.0, 0.12), image(10.0, 0.1, -2.051), image(100.0, 0.04, -2.052))
    # Both are several steps wide.
    assert verdicts(JUDGES, found) == [True, True, True, True, True, False]
    claims = judged(JUDGES, found)
    assert claims["path-sharper-barrier"].value == pytest.approx(-0.08)
    assert claims["path-small-difference"].value == pytest.approx(0.2)
    assert claims["path-latent-vectors-found"].measured.startswith("reached: 4 of 4 (gamma = 0)")
    # One image of four is enough to refuse the statement.
    claims = judged(JUDGES, numbers(image(0.0), [image(100.0, 0.2), *[image(100.0, 0.05, -2.06)] * 3]))
    for id in ("path-sharper-barrier", "path-lower-plateaus"):
        assert claims[id].holds is False and "3 of 4" in claims[id].measured

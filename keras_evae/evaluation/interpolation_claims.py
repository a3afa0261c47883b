"""What the paper says of the path between two skyrmion lattices (Section 3.4, Note S1), beside what a run shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_evae.evaluation.passages import IMAGES, Passage
from keras_evae.evaluation.sections import Claim
from keras_evae.stages import FinishedStage

# The stage of the claims and of the second row of states, as in Figure 4C.
COMPARED_GAMMA = 100.0
# Steps from the peak at which Figure 4C finds the interstitial still there at gamma = 0, and gone at gamma = 100.
STEPS_BEYOND = 2

Passages = Mapping[str, Sequence[Passage]]


def interpolation_claims(
    name: str, stages: Sequence[FinishedStage], passages: Passages, awaited: bool = False
) -> list[Claim]:
    """The claims, from the passages of each stage.

    Args:
        name: Of the run.
        stages: Stages that have not collapsed, in the order of gamma.
        passages: For the name of each stage.
        awaited: Whether a stage nearer to that of Figure 4C is not finished yet; what compares it stays undecided.
    """
    pair, images = compared(stages, passages)
    measures = [[passages[stage.name][image].measures() for image in images] for stage in pair]
    plateaus = ["plateau_initial", "plateau_final"]
    first = [
        _mapping(name, stages, passages),
        _barrier(name, stages, passages),
        _small_difference(name, stages, passages),
    ]
    compared_claims = [
        _lower(name, "the barrier sharpens with gamma", ["fwhm_share"], "FWHM as a share of the path", pair, measures),
        _lower(name, "the energies of the plateaus fall with gamma", plateaus, "E/N of both plateaus", pair, measures),
        _beyond_the_peak(name, pair, [[passages[stage.name][image] for image in images] for stage in pair]),
    ]
    return first + [claim.undecided() if awaited else claim for claim in compared_claims]


def compared(stages: Sequence[FinishedStage], passages: Passages) -> tuple[list[FinishedStage], list[int]]:
    """The stages of Figure 4C, gamma = 0 and about 100, and the images that have a barrier in both; else none."""
    with_energy = [stage for stage in stages if stage.gamma > 0]
    if not with_energy or stages[0].gamma > 0:
        return [], []
    nearest = min(with_energy, key=lambda stage: abs(np.log(stage.gamma / COMPARED_GAMMA)))
    pair = [stages[0], nearest]
    return pair, [image for image in range(IMAGES) if all(passages[stage.name][image].barrier for stage in pair)]


def _mapping(name: str, stages: Sequence[FinishedStage], passages: Passages) -> Claim:
    reached = {stage.gamma: [passage.reached for passage in passages[stage.name]] for stage in stages}
    words = ", ".join(f"{sum(found)} of {len(found)} (gamma = {gamma:g})" for gamma, found in reached.items())
    total = [found for values in reached.values() for found in values]
    return Claim(
        f"{name}: the inverse mapping finds latent vectors of both lattices",
        "each image of the targets is reached at each gamma before the collapse: L_T-O below a quarter of the distance "
        "of the two, and the same topological charges",
        f"reached: {words}" if total else "no stage before the collapse",
        all(total) if total else None,
        "share of images that are reached",
        float(np.mean(total)) if total else None,
    )


def _barrier(name: str, stages: Sequence[FinishedStage], passages: Passages) -> Claim:
    heights = [
        [passage.barrier.height if passage.barrier else 0.0 for passage in passages[stage.name] if passage.reached]
        for stage in stages
    ]
    every = [height for values in heights for height in values]
    words = [
        f"{np.mean(values):.2e} (gamma = {stage.gamma:g})"
        for stage, values in zip(stages, heights, strict=True)
        if values
    ]
    return Claim(
        f"{name}: there is an energy barrier between both lattices",
        "a peak of E/N above the plateaus on each path between targets that are reached",
        f"mean height {', '.join(words)}" if every else "no image of the targets is reached",
        min(every) > 0 if every else None,
        "mean height of the barrier, E/N",
        float(np.mean(every)) if every else None,
    )


def _small_difference(name: str, stages: Sequence[FinishedStage], passages: Passages) -> Claim:
    found = [passage.measures() for stage in stages[:1] for passage in passages[stage.name] if passage.barrier]
    differences = [abs(image["plateau_final"] - image["plateau_initial"]) for image in found]
    heights = [image["barrier_height"] for image in found]
    return Claim(
        f"{name}: the energies of both lattices differ little",
        "at gamma = 0, mean difference of the plateaus below the mean height of the barrier",
        f"difference {np.mean(differences):.2e}, height {np.mean(heights):.2e}" if found else "no barrier at gamma = 0",
        np.mean(differences) < np.mean(heights) if found else None,
        "difference of the plateaus over the height",
        float(np.mean(differences) / np.mean(heights)) if found else None,
    )


def _beyond_the_peak(name: str, pair: Sequence[FinishedStage], passages: Sequence[Sequence[Passage]]) -> Claim:
    """The energy that is left two steps beyond the peak, as a share of the barrier."""
    decided = bool(pair) and bool(passages[0])
    left = [np.mean([passage.share_left(STEPS_BEYOND) for passage in stage]) for stage in passages] if decided else []
    words = [f"{share:.2f} at gamma = {stage.gamma:g}" for stage, share in zip(pair, left, strict=False)]
    return Claim(
        f"{name}: at R = {STEPS_BEYOND} the interstitial is still there at gamma = 0, and has gone at gamma = 100",
        f"share of the barrier left at R = {STEPS_BEYOND}: above a half at gamma = 0, below a half at gamma = "
        f"{COMPARED_GAMMA:g} (or the nearest), means over images",
        f"share left {', '.join(words)}" if decided else "no image with a barrier in both stages",
        bool(left[0] > 0.5 > left[1]) if decided else None,
        f"share of the barrier left at R = {STEPS_BEYOND} at the larger gamma",
        float(left[1]) if decided else None,
    )


def _lower(
    name: str,
    claim: str,
    names: Sequence[str],
    label: str,
    pair: Sequence[FinishedStage],
    measures: Sequence[Sequence[Mapping[str, float]]],
) -> Claim:
    rule = f"lower at gamma = {COMPARED_GAMMA:g} (or the nearest) than at gamma = 0 in each image of the targets"
    quantity = f"{label}, gamma = {COMPARED_GAMMA:g} less gamma = 0"
    if not pair or not measures[0]:
        return Claim(f"{name}: {claim}", rule, "no image with a barrier in both stages", None, quantity)
    values = np.array([[[image[key] for key in names] for image in stage] for stage in measures])
    means = values.mean(axis=1)
    words = [
        f"{', '.join(f'{mean:.5g}' if abs(mean) < 1 else f'{mean:.6f}' for mean in row)} at gamma = {stage.gamma:g}"
        for stage, row in zip(pair, means, strict=True)
    ]
    lower = np.all(values[1] < values[0], axis=-1)
    measured = f"{label}: {' and '.join(words)}; lower in {lower.sum()} of {len(lower)} images"
    difference = float((means[1] - means[0]).mean())
    return Claim(f"{name}: {claim}", rule, measured, bool(lower.all()), quantity, difference)

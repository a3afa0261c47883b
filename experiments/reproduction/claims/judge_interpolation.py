"""What the paper says of the path between two skyrmion lattices (Section 3.4, Note S1), beside that of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.reproduction.claims.claim import Claim, Judge, Numbers, Row, each_run

# The gamma that is compared with gamma = 0, and steps from the peak at which Figure 4C finds the interstitial still
# there at gamma = 0, and gone at gamma = 100.
COMPARED_GAMMA, STEPS_BEYOND = 100.0, 2
IMAGES = "interpolation_images"
NO_PAIR = "no image with a barrier in both stages"


def mapping(numbers: Numbers, run: str) -> Claim:
    reached: dict[float, list[bool]] = {}
    for row in numbers.rows(IMAGES, run):
        reached.setdefault(row["gamma"], []).append(row["reached"] == "yes")
    words = ", ".join(f"{sum(found)} of {len(found)} (gamma = {gamma:g})" for gamma, found in reached.items())
    total = [found for values in reached.values() for found in values]
    return Claim(
        f"reached: {words}" if total else "no stage before the collapse",
        all(total) if total else None,
        float(np.mean(total)) if total else None,
    )


def barrier(numbers: Numbers, run: str) -> Claim:
    """A path between targets that are reached has a peak above the plateaus."""
    heights: dict[float, list[float]] = {}
    for row in numbers.rows(IMAGES, run, reached="yes"):
        heights.setdefault(row["gamma"], []).append(row["barrier_height"] or 0.0)
    every = [height for values in heights.values() for height in values]
    words = [f"{np.mean(values):.2e} (gamma = {gamma:g})" for gamma, values in heights.items()]
    return Claim(
        f"mean height {', '.join(words)}" if every else "no image of the targets is reached",
        min(every) > 0 if every else None,
        float(np.mean(every)) if every else None,
    )


def small_difference(numbers: Numbers, run: str) -> Claim:
    rows = numbers.rows(IMAGES, run)
    found = [row for row in rows if row["gamma"] == rows[0]["gamma"] and row["barrier_height"] is not None]
    if not found:
        return Claim("no barrier at gamma = 0", None)
    difference = np.mean([abs(image["plateau_final"] - image["plateau_initial"]) for image in found])
    height = np.mean([image["barrier_height"] for image in found])
    measured = f"difference {difference:.2e}, height {height:.2e}"
    return Claim(measured, bool(difference < height), float(difference / height))


def sharper_barrier(numbers: Numbers, run: str) -> Claim:
    return _lower(numbers, run, "FWHM as a share of the path", ["fwhm_share"])


def lower_plateaus(numbers: Numbers, run: str) -> Claim:
    return _lower(numbers, run, "E/N of both plateaus", ["plateau_initial", "plateau_final"])


def beyond_the_peak(numbers: Numbers, run: str) -> Claim:
    """The energy that is left two steps beyond the peak, as a share of the barrier."""
    pair = _compared(numbers, run)
    if not pair:
        return Claim(NO_PAIR, None)
    left = {stage[0]["gamma"]: np.mean([row[f"barrier_left_at_R={STEPS_BEYOND}"] for row in stage]) for stage in pair}
    words = [f"{share:.2f} at gamma = {gamma:g}" for gamma, share in left.items()]
    before, after = left.values()
    holds = None if numbers.quantities[run]["awaits_nearer_stage"] else bool(before > 0.5 > after)
    return Claim(f"share left {', '.join(words)}", holds, float(after))


def _compared(numbers: Numbers, run: str) -> list[list[Row]]:
    """The images that have a barrier at gamma = 0 and at about 100, at each of the two; nothing if there are none."""
    gamma = numbers.quantities[run]["compared_gamma"]
    if gamma is None:
        return []
    stages = [numbers.rows(IMAGES, run, gamma=wanted) for wanted in (0.0, gamma)]
    images = [pair for pair in zip(*stages, strict=True) if all(row["barrier_height"] is not None for row in pair)]
    return [list(stage) for stage in zip(*images, strict=True)]


def _lower(numbers: Numbers, run: str, label: str, columns: Sequence[str]) -> Claim:
    """Whether quantities are lower at the larger gamma in each image."""
    pair = _compared(numbers, run)
    if not pair:
        return Claim(NO_PAIR, None)
    values = np.array([[[row[column] for column in columns] for row in stage] for stage in pair])
    means = values.mean(axis=1)
    words = [
        f"{', '.join(f'{mean:.5g}' if abs(mean) < 1 else f'{mean:.6f}' for mean in row)} at gamma = "
        f"{stage[0]['gamma']:g}"
        for stage, row in zip(pair, means, strict=True)
    ]
    lower = np.all(values[1] < values[0], axis=-1)
    measured = f"{label}: {' and '.join(words)}; lower in {lower.sum()} of {len(lower)} images"
    holds = None if numbers.quantities[run]["awaits_nearer_stage"] else bool(lower.all())
    return Claim(measured, holds, float((means[1] - means[0]).mean()))


JUDGES: dict[str, Judge] = {
    "path-latent-vectors-found": each_run(mapping),
    "path-energy-barrier": each_run(barrier),
    "path-small-difference": each_run(small_difference),
    "path-sharper-barrier": each_run(sharper_barrier),
    "path-lower-plateaus": each_run(lower_plateaus),
    "path-interstitial-gone": each_run(beyond_the_peak),
}

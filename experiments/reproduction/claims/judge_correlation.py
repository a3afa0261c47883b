"""What the paper says of single states (Section 3.3, Figure 3), beside angles and radii of a run."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.reproduction.claims.claim import Claim, Judge, Numbers, each_run
from keras_evae.runs.stage_plan import weights_in_words

OUTPUTS = ("X_Out", "X'_Out")
# Stages of the statement on shapes: those of Figure 3A i and iii.
SHAPE_GAMMAS = (0.0, 100.0)


def local_irregularities(numbers: Numbers, run: str) -> Claim:
    """The maps become smoother with gamma."""
    means = {
        kind: [(row["gamma"], row["theta_mean_degrees"]) for row in numbers.rows("local_correlation", run, states=kind)]
        for kind in OUTPUTS
    }
    words = [
        f"{kind} " + ", ".join(f"{mean:.3g} (gamma = {gamma:g})" for gamma, mean in values)
        for kind, values in means.items()
    ]
    enough = all(len(values) > 1 for values in means.values())
    holds = all(values[-1][1] < values[0][1] for values in means.values()) if enough else None
    return Claim(
        f"mean theta in degrees: {'; '.join(words)}",
        None if numbers.quantities[run]["awaits_nearer_stages"] else holds,
        means["X_Out"][-1][1] / means["X_Out"][0][1] if enough else None,
    )


def angles(kind: str) -> Judge:
    """The judge of the densities of theta of X_Out or X'_Out."""

    def judge(numbers: Numbers, run: str) -> Claim:
        rows = numbers.rows("theta", run, states=kind)
        peaks, widths = ([row[f"{name}_degrees"] for row in rows] for name in ("peak", "standard_deviation"))
        words = [
            f"{peak:.3g} and {width:.3g} (gamma = {row['gamma']:g})"
            for row, peak, width in zip(rows, peaks, widths, strict=True)
        ]
        holds = _falls(peaks) and _falls(widths) if len(rows) > 1 else None
        return Claim(
            f"peak and standard deviation in degrees: {', '.join(words)}",
            None if numbers.quantities[run]["awaits_nearer_stages"] else holds,
            widths[-1] / widths[0] if len(rows) > 1 else None,
        )

    return each_run(judge)


def shapes_of_skyrmions(numbers: Numbers, run: str) -> Claim:
    """Truncated and stretched skyrmions disappear; their sizes come closer to those of the data."""
    beta = numbers.quantities[run]["beta_of_ladder_of_gamma"]
    found = {
        gamma: (row["radius"], row["radius_error"])
        for gamma in SHAPE_GAMMAS
        for row in (
            [] if beta is None else numbers.rows("analyse_distances", run, sample=weights_in_words(beta, gamma))
        )
        if None not in (row["radius"], row["radius_error"])
    }
    decided = len(found) == len(SHAPE_GAMMAS)
    (plain, error), (stable, stable_error) = found.values() if decided else ((0.0, 0.0), (0.0, 0.0))
    words = [f"{value:.3f} +- {error:.3f} sites (gamma = {gamma:g})" for gamma, (value, error) in found.items()]
    return Claim(
        ", ".join(words) or "needs skyrmions at gamma = 0 and 100",
        plain - stable > error + stable_error if decided else None,
        stable - plain if decided else None,
    )


def _falls(values: Sequence[float]) -> bool:
    return all(later < earlier for earlier, later in zip(values, values[1:], strict=False))


JUDGES: dict[str, Judge] = {
    "states-fewer-irregularities": each_run(local_irregularities),
    "states-theta-of-reconstructed": angles("X_Out"),
    "states-theta-of-generated": angles("X'_Out"),
    "states-shapes-of-skyrmions": each_run(shapes_of_skyrmions),
}

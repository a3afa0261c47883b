"""Statements on the collapse to one state, on numbers of one run and of several."""

import pytest

from experiments.reproduction.claims.claim import Numbers
from experiments.reproduction.claims.registry import judge
from keras_evae.analysis import generation_collapse

GAMMAS = (0.0, 100.0, 1000.0, 1e4)
# FFT-MSE at these gammas.
EARLY, LATE, LAST = (1.0, 1e-2, 1e-3, 1e-3), (1.0, 1.0, 1e-2, 1e-3), (1.0, 1.0, 1.0, 1e-3)
NEVER = (1.0, 1.0, 1.0, 1.0)


def ladder(*runs, alike=True):
    """What the recipe writes of runs (label, beta, FFT-MSE at the values of GAMMAS, E/N of the last stage)."""
    rows, quantities = [], {"": {"runs_alike_in_lattice_energy_and_gammas": alike}}
    for label, beta, values, energy in runs:
        for gamma, value, mean in zip(GAMMAS, values, (-2.05, -2.055, -2.057, energy), strict=False):
            rows.append({"run": label, "beta": beta, "gamma": gamma, "fft_mse": value, "energy_per_site_mean": mean})
        found = generation_collapse(GAMMAS[: len(values)], values)
        ends = (("_before", "before"), ("_after", "after"), ("", "mark"))
        quantities[label] = {f"gamma_c{end}": getattr(found, name, None) for end, name in ends}
        quantities[label] |= {"last_stage_finished": len(values) == 4, "lowest_annealed_energy_per_site": -2.06}
    return Numbers({("fft_mse", ""): rows}, quantities)


def holds(id, numbers):
    return [claim.holds for claim in judge(id, numbers)]


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        ((LAST, LAST), (EARLY, EARLY), [True, True]),
        # Neighbours on the ladder: both may be at the gamma between.
        ((LATE, LATE), (EARLY, EARLY), [None, True]),
        ((LATE, LATE), (LATE, LATE), [False, True]),
        # As much scatter between the seeds of one beta as between the means of two.
        ((LATE, EARLY), (EARLY, LATE), [False, True]),
        # One seed says nothing of scatter, nor does a run in training, nor one that has ended without collapse.
        ((LATE,), (EARLY,), [None, True]),
        ((LATE, NEVER[:3]), (EARLY, EARLY), [None, None]),
        ((LATE, NEVER), (EARLY, EARLY), [None, False]),
    ],
)
def test_dependence_on_beta_against_scatter_between_seeds(high, low, expected):
    runs = [(f"beta {beta}: seed {seed}", beta, values, -2.06)
            for beta, seeds in ((1e-3, high), (1e-4, low)) for seed, values in enumerate(seeds)]  # fmt: skip
    numbers = ladder(*runs)
    assert [*holds("collapse-depends-on-beta", numbers), *holds("collapse-at-each-beta", numbers)] == expected


def ends(*runs, pairs=()):
    """What the recipe writes of the last stages (label, gamma, distance of aligned states, collapsed, finished)."""
    states = [
        {"run": label, "gamma": gamma, "largest_distance": 0.1, "largest_aligned_distance": distance,
         "largest_slide": 1.0, "energy_per_site": -2.057, "relaxed_energy_per_site": -2.0573}
        for label, gamma, distance, _, _ in runs
    ]  # fmt: skip
    quantities = {label: {"collapsed": one, "last_stage_finished": end} for label, _, _, one, end in runs}
    return Numbers({("collapse", ""): states, ("collapse_pairs", ""): list(pairs)}, quantities)


@pytest.mark.parametrize(
    ("difference", "distance", "as_generated", "collapsed", "finished", "expected"),
    [
        # A moved copy is the same lattice, another state is not, and one in the same place is no second one.
        (1e-9, 1e-8, 1.5, True, True, [True, True]),
        (-1e-4, 0.5, 1.5, True, True, [False, False]),
        (1e-9, 1e-8, 0.0, True, True, [True, False]),
        (1e-9, 1e-8, 1.5, False, True, [None, None]),
        # A no needs both trainings at their end.
        (1.0, 1.0, 1.0, True, False, [None, None]),
    ],
)
def test_trainings_that_end_in_one_lattice(difference, distance, as_generated, collapsed, finished, expected):
    names = ("a and b: c", "d")
    pair = {"run": names[0], "other_run": names[1], "distance": as_generated, "relaxed_distance": distance,
            "energy_difference_per_site": difference, "verdict": "words"}  # fmt: skip
    states = [(names[0], 1e4, 1e-5, True, True), (names[1], 1e4, 1e-5, collapsed, finished)]
    found = ends(*states, pairs=[pair])
    claims = [*judge("collapse-same-energy", found), *judge("collapse-same-lattice", found)]
    assert [claim.holds for claim in claims] == expected and {claim.runs for claim in claims} == {names}
    assert [claim.value for claim in claims] == ([abs(difference), distance] if collapsed else [None, None])


@pytest.mark.parametrize(
    ("gamma", "share", "finished", "expected"),
    [(1e4, 1.0, True, True), (1e4, 0.99, True, False), (1e4, 0.99, False, None), (0.0, 1.0, True, None)],
)
def test_ground_state(gamma, share, finished, expected):
    stages = [{"beta": beta, "gamma": weight, "energy_relaxed": -2.0573, "gap_relaxed": gap,
               "share_at_best_known": reached}
              for beta, weight, gap, reached in ((1e-2, 0.0, 0.5, 0.0), (1e-1, gamma, 1e-9, share))]  # fmt: skip
    quantities = {"last_stage_finished": finished, "best_known_energy_per_site": -2.0573, "states_of_each_stage": 100}
    for id in ("collapse-ground-state", "confined-ground-state"):
        (claim,) = judge(id, Numbers({("relax", "a"): stages}, {"a": quantities}))
        assert claim.holds is expected and claim.value == 1e-9 and f"{share:.0%} of 100 states" in claim.measured

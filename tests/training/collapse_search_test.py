"""The choice of the next gamma, on synthetic collapses."""

import numpy as np
import pytest

from keras_evae.analysis.transitions import Transition
from keras_evae.training.collapse_search import BRACKET, SETTLE, STEP, Outcome, find_collapse, is_collapsed


def drive(probing, collapsed, energy=lambda gamma: -2.0):
    """All probes, with whether they were collapsed, and the result."""
    done = []
    try:
        probe = next(probing)
        while True:
            done.append((probe, bool(collapsed(probe))))
            probe = probing.send(Outcome(done[-1][1], energy(probe.gamma)))
    except StopIteration as stop:
        return done, stop.value


def sharp(critical):
    return lambda probe: probe.gamma >= critical


@pytest.mark.parametrize("critical", [10.5, 33.0, 316.0, 1234.0, 8000.0, 9999.0])
def test_collapse_is_found_from_below_in_small_steps(critical):
    done, found = drive(find_collapse(10, 10000, settle=False), sharp(critical))
    assert found.before < critical <= found.after <= 1.01 * STEP * found.before
    last, collapsed = done[-1]
    assert (last.gamma, last.start, collapsed) == (found.after, found.before, True)
    assert len(done) <= 12


@pytest.mark.parametrize("critical", [50.0, 500.0, 5000.0])
def test_bisection_starts_from_the_nearest_lower_gamma_that_has_not_collapsed(critical):
    done, _ = drive(find_collapse(10, 10000, settle=False), sharp(critical))
    done = [(probe, collapsed) for probe, collapsed in done if probe.purpose == "bracket"]
    for index, (probe, _) in enumerate(done):
        free = [0.0] + [earlier.gamma for earlier, collapsed in done[:index] if not collapsed]
        assert probe.start == max(gamma for gamma in free if gamma < probe.gamma)


@pytest.mark.parametrize("critical", [50.0, 500.0, 5000.0])
def test_approach_is_a_ladder_of_its_own_from_the_vae(critical):
    done, found = drive(find_collapse(10, 10000, settle=False), sharp(critical))
    ladder = [probe for probe, _ in done if probe.purpose == "approach"]
    assert [probe.start for probe in ladder] == [0.0, *(probe.gamma for probe in ladder[:-1])]
    ratios = [probe.gamma / probe.start for probe in ladder[1:]]
    assert ratios[0] == pytest.approx(10**0.5, rel=0.01) and ratios[1] == pytest.approx(10**0.5, rel=0.01)
    assert ratios[2:] == pytest.approx([STEP] * (len(ratios) - 2), rel=0.01)
    assert ladder[0].gamma < critical / 10 and ladder[-1].gamma == found.after


def test_collapse_on_the_way_up():
    """The slow ladder may collapse where the jump did not."""
    done, found = drive(
        find_collapse(10, 10000, settle=False),
        lambda probe: probe.gamma > (100 if probe.purpose == "approach" else 900),
    )
    assert found.after > 100 and found.before == done[-1][0].start < 100


def test_no_collapse_in_the_bracket():
    done, found = drive(find_collapse(10, 10000), lambda probe: False)
    assert found is None
    assert done[-1][0].gamma == 10000 and [probe.gamma for probe, _ in done] == sorted(p.gamma for p, _ in done)


def test_always_collapsed():
    done, found = drive(find_collapse(10, 10000), lambda probe: True)
    assert found == Transition(0.0, 10)
    assert all(probe.start == 0 for probe, _ in done if probe.purpose == "bracket")
    # There is nothing to approach it from; it is left to settle where it is.
    assert [(probe.purpose, probe.start) for probe, _ in done][-2:] == [("settle", 10), ("settle", 20)]


def test_collapse_only_at_the_upper_end():
    done, found = drive(find_collapse(10, 10000, settle=False), sharp(10000))
    assert found.before < 10000 <= found.after


def test_ends_too_close_for_a_bisection():
    """The lower end is tried only when the upper one has collapsed."""
    done, found = drive(find_collapse(1000, 2000), sharp(3000))
    assert found is None and [probe.gamma for probe, _ in done] == [2000]
    done, found = drive(find_collapse(1000, 2000, settle=False), sharp(1500))
    assert [probe.gamma for probe, _ in done][:2] == [2000, 1000] and found.before < 1500 <= found.after
    assert all(probe.start < probe.gamma for probe, _ in done)


def test_known_ladder_saves_probes():
    ladder = [(0.0, False), (10.0, False), (300.0, False), (1000.0, True), (3000.0, True)]
    done, found = drive(find_collapse(10, 10000, ladder, settle=False), sharp(700))
    assert done[0][0].start == 300 and 300 < done[0][0].gamma < 1000
    assert found.before < 700 <= found.after
    assert len(done) < len(drive(find_collapse(10, 10000, settle=False), sharp(700))[0])


def test_stray_collapse_in_a_known_ladder_is_not_believed():
    ladder = [(0.0, False), (10.0, True), (100.0, False), (300.0, False), (1000.0, True)]
    done, _ = drive(find_collapse(10, 10000, ladder, settle=False), sharp(500))
    assert done[0][0].start == 300


def test_known_ladder_without_collapse_leads_upwards():
    done, found = drive(find_collapse(10, 10000, [(0.0, False), (1000.0, False)], settle=False), sharp(6000))
    assert done[0][0].start == 1000 and found.before < 6000 <= found.after


@pytest.mark.parametrize("seed", range(30))
def test_noise_never_makes_it_endless(seed):
    noise = np.random.default_rng(seed)
    done, found = drive(find_collapse(10, 10000), lambda probe: noise.random() < 0.5)
    assert len(done) <= 18
    assert found is None or found.before < found.after <= 10000 * STEP


def test_collapse_that_the_slow_approach_does_not_confirm():
    done, found = drive(find_collapse(10, 10000), lambda probe: probe.purpose == "bracket" and probe.gamma > 1000)
    assert [probe.purpose for probe, _ in done][-1] == "settle" and done[-1][0].start >= found.after
    assert 316 <= found.before < found.after <= BRACKET * 1000


def test_settling_goes_on_while_the_energy_falls():
    falling, still = (
        drive(find_collapse(10, 10000), sharp(500), energy) for energy in (lambda gamma: -gamma, lambda gamma: -2.0)
    )
    settling = [[probe for probe, _ in done if probe.purpose == "settle"] for done, _ in (falling, still)]
    assert [len(probes) for probes in settling] == [2, 1]
    first, second = settling[0]
    assert first.start == falling[1].after and second.start == first.gamma
    assert second.gamma == pytest.approx(SETTLE * first.gamma, rel=0.01)


@pytest.mark.parametrize("lower, upper", [(0.0, 10.0), (10.0, 10.0), (100.0, 10.0), (1.0, np.inf)])
def test_bad_range(lower, upper):
    with pytest.raises(ValueError, match="expected 0 < lower < upper"):
        next(find_collapse(lower, upper))


@pytest.mark.parametrize(
    "fft_mse, spread, collapsed",
    [
        (6e-9, 5e-6, True),
        (1.9e-7, 2e-5, True),
        (3.5e-6, 8e-4, False),
        (6e-9, 8e-4, False),  # One state by its likeness, at various heights.
        (2e-5, 1e-6, False),  # Various states of one energy.
        (0.0, 0.0, True),
    ],
)
def test_rule_of_the_collapse(fft_mse, spread, collapsed):
    vae = {"fft_mse": 2e-5, "energy_per_site_std": 4e-3}
    assert is_collapsed({"fft_mse": fft_mse, "energy_per_site_std": spread}, vae) is collapsed

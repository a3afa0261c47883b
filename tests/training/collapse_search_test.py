"""The choice of the next gamma, on synthetic collapses."""

import dataclasses

import numpy as np
import pytest

from keras_evae.analysis.transitions import Transition, generates_one_state
from keras_evae.runs.stage_folder import FinishedStage
from keras_evae.training.collapse_search import RISE, STEP, Probe, find_collapse


def drive(lower, upper, collapsed, known=(), settle=True, energy=lambda gamma: -2.0):
    """All probes, and the result; `collapsed` sees a probe as if it were."""
    done = []

    def train(purpose, gamma, start):
        stage = FinishedStage(None, None, {"generated": {"energy_per_site_mean": energy(gamma)}})
        probe = Probe(purpose, gamma, start, stage, True)
        done.append(dataclasses.replace(probe, collapsed=bool(collapsed(probe))))
        return done[-1]

    return done, find_collapse(train, lower, upper, known, settle)


def sharp(critical):
    return lambda probe: probe.gamma >= critical


@pytest.mark.parametrize("critical", [10.5, 33.0, 316.0, 1234.0, 8000.0, 9999.0])
def test_collapse_is_found_from_below_in_small_steps(critical):
    done, found = drive(10, 10000, sharp(critical), settle=False)
    assert found.before < critical <= found.after <= 1.01 * STEP * found.before
    assert (done[-1].gamma, done[-1].start, done[-1].collapsed) == (found.after, found.before, True)
    assert len(done) <= 12


@pytest.mark.parametrize("critical", [50.0, 500.0, 5000.0])
def test_bisection_starts_below_and_the_approach_is_a_ladder_of_its_own_from_the_vae(critical):
    done, found = drive(10, 10000, sharp(critical), settle=False)
    bisection = [probe for probe in done if probe.purpose == "bracket"]
    for index, probe in enumerate(bisection):
        free = [0.0] + [earlier.gamma for earlier in bisection[:index] if not earlier.collapsed]
        assert probe.start == max(gamma for gamma in free if gamma < probe.gamma)
    ladder = [probe for probe in done if probe.purpose == "approach"]
    assert [probe.start for probe in ladder] == [0.0, *(probe.gamma for probe in ladder[:-1])]
    ratios = [probe.gamma / probe.start for probe in ladder[1:]]
    assert ratios[0] == pytest.approx(10**0.5, rel=0.01) and ratios[1] == pytest.approx(10**0.5, rel=0.01)
    assert ratios[2:] == pytest.approx([STEP] * (len(ratios) - 2), rel=0.01)
    assert ladder[0].gamma < critical / 10 and ladder[-1].gamma == found.after


def test_no_collapse_and_always_collapsed():
    done, found = drive(10, 10000, lambda probe: False)
    assert found is None
    assert done[-1].gamma == 10000 and [probe.gamma for probe in done] == sorted(p.gamma for p in done)
    done, found = drive(10, 10000, lambda probe: True)
    assert found == Transition(0.0, 10)
    assert all(probe.start == 0 for probe in done if probe.purpose == "bracket")
    # There is nothing to approach it from; it is left to settle where it is.
    assert [(probe.purpose, probe.start) for probe in done][-2:] == [("settle", 10), ("settle", 20)]


@pytest.mark.parametrize("seed", range(30))
def test_noise_never_makes_it_endless(seed):
    noise = np.random.default_rng(seed)
    done, found = drive(10, 10000, lambda probe: noise.random() < 0.5)
    assert len(done) <= 18
    assert found is None or found.before < found.after <= 10000 * STEP


def test_settling_goes_on_while_the_energy_falls():
    falling, still = (
        drive(10, 10000, sharp(500), energy=energy) for energy in (lambda gamma: -gamma, lambda gamma: -2.0)
    )
    settling = [[probe for probe in done if probe.purpose == "settle"] for done, _ in (falling, still)]
    assert [len(probes) for probes in settling] == [2, 1]
    first, second = settling[0]
    assert first.start == falling[1].after and second.start == first.gamma
    assert second.gamma == pytest.approx(RISE * first.gamma, rel=0.01)


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
    generated = {"fft_mse": fft_mse, "energy_per_site_std": spread}
    assert generates_one_state(generated, vae, in_energy=True) is collapsed

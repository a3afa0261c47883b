"""Transitions on ladders that were measured at 64 x 64 and 128 x 128, and on degenerate ones."""

import pytest

from keras_evae.analysis import Transition, generation_collapse, posterior_collapse, reconstruction_rise

BETAS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1]
KL_LOSSES = [244, 107, 26, 6, 0.01]
GAMMAS = [0, 10, 100, 1e3, 3e3, 1e4, 1e5]
RECONSTRUCTION_LOSSES = [0.184, 0.160, 0.773, 1.371, 1.376, 1.456, 1.428]
FFT_MSES = [2.0e-5, 2.7e-5, 2.9e-5, 3.5e-6, 1.9e-7, 6e-9, 5e-10]
LARGE_GAMMAS = [0, 10, 100, 300, 1e3, 3e3, 1e4]
LARGE_RECONSTRUCTION_LOSSES = [0.629, 0.586, 1.184, 1.375, 1.433, 1.458, 1.510]
LARGE_FFT_MSES = [3.1e-6, 5.8e-6, 6.9e-6, 5.5e-6, 5.0e-6, 3.0e-8, 0.0]


def test_measured_ladders():
    assert posterior_collapse(BETAS, KL_LOSSES) == Transition(3e-2, 1e-1)
    assert posterior_collapse([1e-3, 3e-3, 1e-2], [115, 60, 0.09]) == Transition(3e-3, 1e-2)
    assert reconstruction_rise(GAMMAS, RECONSTRUCTION_LOSSES) == Transition(10, 100)
    assert reconstruction_rise(LARGE_GAMMAS, LARGE_RECONSTRUCTION_LOSSES) == Transition(10, 100)
    assert generation_collapse(GAMMAS, FFT_MSES) == Transition(1e3, 3e3)
    assert generation_collapse(LARGE_GAMMAS, LARGE_FFT_MSES) == Transition(1e3, 3e3)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_factor_of_two_in_any_measured_value_moves_no_collapse(factor):
    for index in range(len(BETAS)):
        changed = [value * (factor if i == index else 1) for i, value in enumerate(KL_LOSSES)]
        assert posterior_collapse(BETAS, changed) == Transition(3e-2, 1e-1)
    for gammas, values in ((GAMMAS, FFT_MSES), (LARGE_GAMMAS, LARGE_FFT_MSES)):
        for index in range(len(gammas)):
            changed = [value * (factor if i == index else 1) for i, value in enumerate(values)]
            assert generation_collapse(gammas, changed) == Transition(1e3, 3e3)


def test_ladders_without_a_transition():
    assert posterior_collapse(BETAS[:4], KL_LOSSES[:4]) is None
    assert reconstruction_rise([0, 1, 10], [0.2, 0.15, 0.19]) is None
    assert generation_collapse(GAMMAS[:4], FFT_MSES[:4]) is None
    # Ladders of one point or none.
    assert posterior_collapse([], []) is None
    assert posterior_collapse([1e-3], [107]) is None
    assert posterior_collapse([1.0], [0.0]) == Transition(0.0, 1.0)
    # One bit is 0.693 nats.
    assert posterior_collapse([1.0, 2.0], [0.70, 0.69]) == Transition(1.0, 2.0)
    assert reconstruction_rise([0], [0.2]) is None
    assert generation_collapse([0], [2e-5]) is None
    assert generation_collapse([0, 10], [0.0, 0.0]) is None
    assert reconstruction_rise([0, 1, 10, 100], [1.0, 0.5, 0.4, 0.7]) == Transition(10, 100)
    assert posterior_collapse([1, 2, 3, 4], [50, 0.1, 20, 0.1]) == Transition(3, 4)
    assert posterior_collapse([1, 2, 3], [50, 0.1, 20]) is None
    assert Transition(1e3, 1e5).mark == pytest.approx(1e4)
    assert Transition(0.0, 10.0).mark == 10.0

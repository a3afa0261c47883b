import numpy as np
import pytest

from keras_evae.analysis.barrier import find_barrier, plateau_energies

STEPS = np.arange(201.0)


@pytest.mark.parametrize(("sigma", "peak"), [(4.0, 100), (9.0, 80)])
def test_gaussian_on_a_slope(sigma, peak):
    gaussian = 0.006 * np.exp(-((STEPS - peak) ** 2) / (2 * sigma**2))
    barrier = find_barrier(gaussian - 2.055 - 2e-6 * STEPS)
    assert barrier.peak == peak
    assert barrier.height == pytest.approx(0.006, rel=1e-6)
    # Linear interpolation between the points is wrong by the curvature: about (1 step / width)^2 / 8.
    assert barrier.width == pytest.approx(2 * np.sqrt(2 * np.log(2)) * sigma, rel=2e-3)


def test_triangle_the_way_back_and_plateaus():
    triangle = np.maximum(0.0, 3.0 - np.abs(np.arange(40.0) - 20) / 2.5)
    barrier = find_barrier(triangle)
    assert (barrier.peak, barrier.height) == (20, 3.0)
    assert barrier.width == pytest.approx(7.5)
    curve = np.exp(-((STEPS - 70) ** 2) / 50) + 0.3 * np.tanh((STEPS - 70) / 5)
    forth, back = find_barrier(curve), find_barrier(curve[::-1])
    assert back.peak == 200 - forth.peak
    assert (back.height, back.width) == pytest.approx((forth.height, forth.width))
    curve = np.where(STEPS < 100, -2.0, -3.0)
    curve[100] = 5.0
    assert plateau_energies(curve) == (-2.0, -3.0)


@pytest.mark.parametrize(
    "curve",
    [STEPS, -STEPS, np.sqrt(STEPS), STEPS**2, np.tanh((STEPS - 100) / 9), -np.exp(-((STEPS - 100) ** 2)),
     np.full(201, -2.05), np.exp(-((STEPS - 10) ** 2) / 8)],
)  # fmt: skip
def test_no_barrier_on_monotone_curves_in_valleys_and_where_the_peak_lies_on_a_plateau(curve):
    assert find_barrier(curve) is None

import numpy as np
import pytest

from keras_evae.analysis import angle_distribution


def rayleigh(deviation, size=200_000, seed=0):
    """Angles in radians of spins with Gaussian noise across the field; `deviation` in degrees."""
    return np.deg2rad(np.random.default_rng(seed).rayleigh(deviation, size))


@pytest.mark.parametrize("deviation", [0.5, 2.0, 8.0])
def test_noise_across_the_field(deviation):
    found = angle_distribution([rayleigh(deviation)])
    assert np.sum(found.density * np.diff(found.edges)) == pytest.approx(1.0)
    assert found.mean == pytest.approx(deviation * np.sqrt(np.pi / 2), rel=0.01)
    assert found.deviation == pytest.approx(deviation * np.sqrt(2 - np.pi / 2), rel=0.01)
    assert found.peak == pytest.approx(deviation, rel=0.1)
    assert found.percentile(99) == pytest.approx(deviation * np.sqrt(2 * np.log(100)), rel=0.02)


def test_pieces_equal_angles_and_none():
    angles = rayleigh(3.0, 1000)
    whole, pieces = angle_distribution([angles]), angle_distribution([angles[:10], angles[10:].reshape(-1, 10)])
    np.testing.assert_array_equal(whole.density, pieces.density)
    assert whole.mean == pytest.approx(pieces.mean) and whole.deviation == pytest.approx(pieces.deviation)
    for angle in (0.0, 1.0, np.float32(np.pi)):
        found = angle_distribution([np.full((2, 3), angle)])
        assert found.mean == pytest.approx(np.rad2deg(angle), abs=1e-4)
        assert found.deviation == pytest.approx(0.0, abs=1e-4)
        # Half a bin.
        assert found.peak == pytest.approx(found.mean, abs=0.0251)
        assert found.percentile(99) == pytest.approx(found.mean, abs=0.051)
    with_gaps = np.insert(angles, [0, 5, 500], np.nan)
    assert angle_distribution([with_gaps]).mean == pytest.approx(angle_distribution([angles]).mean)
    with pytest.raises(ValueError, match="at least one angle"):
        angle_distribution([np.full(3, np.nan)])

"""Whether stages were long enough, on histories whose end is known."""

import numpy as np
import pytest

from keras_evae.evaluation.convergence import change_on_doubling, extrapolate_energy


def test_change_on_doubling_and_energy_without_noise():
    decay = np.exp(-np.arange(1, 101) / 10.0)
    assert change_on_doubling(1.0 + decay) == pytest.approx(0.0, abs=0.02)
    assert change_on_doubling([2.0] * 5 + [1.0] * 5) == -1.0
    # Negative losses, as L_H: falling is a negative change, too.
    assert change_on_doubling([-1.0, -2.0]) == -0.5
    assert change_on_doubling([1.0]) is None and change_on_doubling([1.0, 0.0]) is None
    # Exact on a straight line, whatever the first half does.
    reconstruction = np.array([9.0, 5.0, 0.4, 0.3, 0.2, 0.1])
    energy = -0.056 + 0.04 * reconstruction
    energy[:3] = 0.0
    assert extrapolate_energy(reconstruction, energy) == pytest.approx(-0.056)
    assert extrapolate_energy([1.0, 1.0], [0.0, 0.1]) is None and extrapolate_energy([1.0], [0.1]) is None

"""What the recipe of train.py refuses."""

import pytest

from keras_evae.errors import NumericalError
from keras_evae.training import _check_finite


def test_stage_that_ends_in_nan_does_not_count_as_finished():
    _check_finite({"train": {"loss": 1.0}})
    with pytest.raises(NumericalError, match="validation kl_loss = inf at the end of the stage"):
        _check_finite({"train": {"loss": 1.0}, "validation": {"loss": 1.0, "kl_loss": float("inf")}})

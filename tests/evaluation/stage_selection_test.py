import dataclasses

import pytest

from keras_evae.errors import DataError
from keras_evae.evaluation import stage_selection


@pytest.mark.parametrize(("wanted", "awaited"), [([0.0], False), ([0.0, 1.0], False), ([1e6], True)])
def test_a_nearer_stage_that_is_not_finished(smoke_run, wanted, awaited):
    """The last stage of gamma is still in training: what is nearest to a large gamma is not final."""
    assert not stage_selection.awaits_nearer(smoke_run, wanted)
    assert (
        stage_selection.awaits_nearer(dataclasses.replace(smoke_run, stages=smoke_run.stages[:-1]), wanted) is awaited
    )


def test_figures_against_gamma_are_made_of_the_runs_that_have_one(smoke_run, vae_run):
    """A VAE beside an E-VAE is left out and named; alone it is an error."""
    fit, reasons = stage_selection.with_ladder_of_gamma([vae_run, smoke_run])
    assert fit == [smoke_run] and len(reasons) == 1 and str(vae_run.path) in reasons[0]
    with pytest.raises(DataError, match="run with an evae section"):
        stage_selection.with_ladder_of_gamma([vae_run])

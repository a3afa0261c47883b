import pytest

from keras_evae.runs.stage_plan import plan_stages


def test_plans_of_the_paper_and_one_epoch_axis():
    stages = plan_stages([10.0**k for k in range(-6, 1)], 100)
    assert [stage.beta for stage in stages] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert all(stage.gamma == 0 for stage in stages)
    assert [stage.first_epoch for stage in stages] == list(range(0, 700, 100))
    stages = plan_stages([1e-4, 1e-3, 1e-2], [5, 6, 7], 1e-3, [1.0, 10.0], [2, 3])
    assert [(s.beta, s.gamma, s.epochs) for s in stages] == [
        (1e-4, 0.0, 5), (1e-3, 0.0, 6), (1e-3, 1.0, 2), (1e-3, 10.0, 3)
    ]  # fmt: skip
    assert [s.first_epoch for s in stages] == [0, 5, 11, 13] and stages[3].last_epoch == 16
    assert stages[3].name == "03_beta_0.001_gamma_10"

import csv
import dataclasses

import pytest

from keras_evae.evaluation.loss_claims import evae_claims, vae_claims
from keras_evae.evaluation.losses import losses
from keras_evae.schedules import Stage
from keras_evae.stages import FinishedStage


def stage(beta, gamma, reconstruction, divergence, energy, fft_mse=1e-5, magnetization=0.5):
    losses = {"reconstruction_loss": reconstruction, "kl_loss": divergence, "hamiltonian_loss": energy}
    generated = {"fft_mse": fft_mse, "magnetization_z": magnetization}
    return FinishedStage(Stage(0, beta, gamma, 0, 1), None, {"validation": losses, "generated": generated})


# As in the paper: the VAE collapses to the uniform state, the E-VAE to the lowest one.
VAE = [
    stage(1e-6, 0, 0.02, 400, -0.0555),
    stage(1e-4, 0, 0.05, 240, -0.0550),
    stage(1e-3, 0, 0.18, 107, -0.0530),
    stage(1e-2, 0, 0.40, 26, -0.0500),
    stage(1e-1, 0, 0.96, 0.01, -0.0499, 3e-13, 1.0),
    stage(1.0, 0, 0.96, 0.01, -0.0499, 3e-13, -1.0),
]
EVAE = [
    stage(1e-3, 0, 0.18, 107, -0.0530, 2e-5),
    stage(1e-3, 1, 0.17, 105, -0.0535, 2e-5),
    stage(1e-3, 10, 0.16, 95, -0.0534, 2.7e-5),
    stage(1e-3, 100, 0.77, 106, -0.0556, 2.9e-5),
    stage(1e-3, 1000, 1.37, 177, -0.0569, 3.5e-6),
    stage(1e-3, 3000, 1.38, 391, -0.0573, 1.9e-7),
    stage(1e-3, 10000, 1.45, 444, -0.0573, 0.0),
]
DATA = -0.0557


def verdicts(claims):
    return [claim.holds for claim in claims]


def test_claims_hold_on_ladders_like_the_papers():
    assert verdicts(vae_claims("run", VAE, 0.03, DATA)) == [True] * 5
    assert verdicts(evae_claims("run", EVAE, DATA)) == [True] * 6


def test_claims_that_do_not_hold():
    """Every loss constant along the whole ladder."""
    flat = [dataclasses.replace(s, metrics=VAE[2].metrics) for s in VAE]
    assert verdicts(vae_claims("run", flat, 0.03, -0.05)) == [False, False, False, None, False]
    flat = [dataclasses.replace(s, metrics=EVAE[0].metrics) for s in EVAE]
    assert verdicts(evae_claims("run", flat, DATA)) == [False, False, False, False, None, None]


def test_each_claim_sees_its_loss():
    tilted = [*VAE[:-1], stage(1.0, 0, 0.96, 0.01, -0.0499, 3e-13, 0.7)]
    assert verdicts(vae_claims("run", tilted, 0.03, DATA)) == [True, True, True, False, True]
    rising = [*EVAE[:-1], stage(1e-3, 10000, 2.0, 100, -0.0573, 0.0)]
    assert verdicts(evae_claims("run", rising, DATA)) == [True, True, True, True, False, False]
    setback = [*EVAE[:2], stage(1e-3, 10, 0.16, 95, -0.0525, 2.7e-5), *EVAE[3:]]
    assert verdicts(evae_claims("run", setback, DATA)) == [False, True, True, True, True, True]


def test_short_ladders_decide_nothing_early():
    assert verdicts(vae_claims("run", VAE[2:3], 0.03, DATA)) == [None] * 5
    assert verdicts(evae_claims("run", EVAE[:1], DATA)) == [None] * 6


def test_recipe(smoke_run, tmp_path):
    section = losses([smoke_run], tmp_path)
    assert [table.name for table in section.tables] == ["losses", "transitions"]
    assert len(section.tables[0].rows) == 4 and (tmp_path / "losses.png").is_file()
    transitions = {row[1]: row[2:] for row in section.tables[1].rows}
    assert transitions["beta_c"] == [None, None, None] and transitions["beta_c estimated"][-1] > 0
    assert len(section.claims) == 11 and "ln 2" in section.text


def test_several_runs_share_one_picture(smoke_run, tmp_path):
    """Without a VAE the longest ladder of beta is shown; with one, the VAE's."""
    only_vae = smoke_run.config.model_copy(update={"evae": None})
    vae = dataclasses.replace(smoke_run, path=tmp_path / "vae", config=only_vae, stages=smoke_run.stages[:1])
    other = dataclasses.replace(smoke_run, path=tmp_path / "other")
    section = losses([smoke_run, other, vae], tmp_path)
    assert [picture.file for picture in section.pictures] == ["losses.png"]
    assert [table.name for table in section.tables] == ["losses_smoke", "losses_other", "losses_vae", "transitions"]
    runs = [(row[0], row[1]) for row in section.tables[-1].rows]
    assert [run for run, symbol in runs if symbol == "beta_c"] == ["vae"]
    assert [run for run, symbol in runs if symbol == "gamma_c"] == ["smoke", "other"]


def test_a_run_that_has_not_reached_the_e_vae(smoke_run, tmp_path):
    young = dataclasses.replace(smoke_run, stages=smoke_run.stages[:1])
    section = losses([young], tmp_path)
    # Those on the E-VAE are left out; those on a ladder of beta lack its stages.
    assert len(section.claims) == 5 and verdicts(section.claims)[1] is None and verdicts(section.claims)[4] is None
    section.write(tmp_path)
    with open(tmp_path / "losses.csv") as file:
        row = next(csv.DictReader(file))
    assert float(row["validation_kl_loss"]) == pytest.approx(young.stages[0].metrics["validation"]["kl_loss"])

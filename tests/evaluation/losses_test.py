import csv
import dataclasses
import sys

import numpy as np
import pytest
from keras_evae.evaluation.evae_claims import evae_claims
from keras_evae.evaluation.vae_claims import vae_claims

from keras_evae.evaluation.loss_claims import DataReference
from keras_evae.evaluation.losses import _reference, losses
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
    stage(1e-2, 0, 0.55, 26, -0.0500),
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
# The mean spin of the data leaves an uninformed output an L_RC of 1.
DATA = DataReference(-0.0557, 0.5)


NAMES = ["SMALL", "INPUTS", "RISING", "LARGE", "ENERGY", "SIMILAR", "POSTERIOR", "CONSTANT", "UNIFORM", "VARIOUS"]


def verdicts(claims):
    return [claim.holds for claim in claims]


def test_claims_hold_on_ladders_like_the_papers():
    assert verdicts(vae_claims("run", VAE, 0.03, DATA)) == [True] * 10
    assert verdicts(evae_claims("run", EVAE, DATA)) == [True] * 8


def test_claims_that_do_not_hold():
    """Every loss constant along the whole ladder."""
    flat = [dataclasses.replace(s, metrics=VAE[2].metrics) for s in VAE]
    below = dataclasses.replace(DATA, hamiltonian_loss=-0.05)
    expected = [False, False, False, True, False, False, False, None, None, True]
    assert verdicts(vae_claims("run", flat, 0.03, below)) == expected
    flat = [dataclasses.replace(s, metrics=EVAE[0].metrics) for s in EVAE]
    assert verdicts(evae_claims("run", flat, DATA)) == [False, False, False, False, False, None, None, None]


@pytest.mark.parametrize(
    ("stages", "fails"),
    [
        ([*VAE[:-1], stage(1.0, 0, 0.96, 0.01, -0.0499, 3e-13, 0.7)], "UNIFORM"),
        ([*VAE[:-1], stage(1.0, 0, 1.2, 0.01, -0.0499, 3e-13, -1.0)], "LARGE CONSTANT"),
        ([stage(1e-6, 0, 0.02, 400, -0.0520), *VAE[1:]], "INPUTS"),
        ([*VAE[:2], stage(1e-3, 0, 0.18, 107, -0.0530, 1e-8), *VAE[3:]], "VARIOUS"),
    ],
)
def test_each_claim_on_beta_sees_its_loss(stages, fails):
    failed = [name for name, holds in zip(NAMES, verdicts(vae_claims("run", stages, 0.03, DATA)), strict=True)
              if holds is False]  # fmt: skip
    assert " ".join(failed) == fails


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (stage(1e-3, 10000, 2.0, 100, -0.0573, 0.0), [True, True, True, True, True, True, False, False]),
        (stage(1e-3, 10000, 0.9, 444, -0.0573, 0.0), [True, True, True, False, True, True, False, True]),
        (stage(1e-3, 10000, 1.45, 444, -0.0568, 0.0), [False, True, True, True, False, False, True, True]),
    ],
)
def test_each_claim_on_gamma_sees_its_loss(last, expected):
    assert verdicts(evae_claims("run", [*EVAE[:-1], last], DATA)) == expected


def test_a_setback_on_the_way_down():
    setback = [*EVAE[:2], stage(1e-3, 10, 0.16, 95, -0.0525, 2.7e-5), *EVAE[3:]]
    assert verdicts(evae_claims("run", setback, DATA)) == [False, *[True] * 7]


def test_short_ladders_decide_nothing_early():
    assert verdicts(vae_claims("run", VAE[2:3], 0.03, DATA)) == [None] * 10
    assert verdicts(evae_claims("run", EVAE[:1], DATA)) == [None] * 8
    assert verdicts(evae_claims("run", EVAE[:2], DATA, complete=False))[0] is None


def test_an_uninformed_output_may_know_the_edges(smoke_run, monkeypatch):
    """With edges its best guess is the mean spin of each site; without, of all sites that translations make equal."""
    y = np.arange(32)[:, None, None] / 32
    row = np.concatenate([np.sin(np.pi * y), 0 * y, np.cos(np.pi * y)], axis=-1)
    spins = np.broadcast_to(row, (4, 32, 32, 3)).astype(np.float32)
    monkeypatch.setattr(sys.modules[_reference.__module__], "read_split", lambda *arguments: spins)

    def mean_spin(boundary):
        section = smoke_run.config.hamiltonian.model_copy(update={"boundary": boundary})
        run = dataclasses.replace(smoke_run, config=smoke_run.config.model_copy(update={"hamiltonian": section}))
        return _reference(run).mean_spin

    assert mean_spin(("open", "open")) == mean_spin(("open", "periodic")) == pytest.approx(1.0)
    whole = np.linalg.norm(row.mean(axis=(0, 1)))
    assert mean_spin(("periodic", "open")) == mean_spin(("periodic", "periodic")) == pytest.approx(whole, rel=1e-6)


def test_each_claim_gives_the_number_that_decides():
    values = {claim.quantity: claim.value for claim in vae_claims("run", VAE, 0.03, DATA)}
    assert values["largest L_RC up to beta = 1e-4"] == 0.05 and values["beta_c"] == pytest.approx(10**-1.5)
    values = {claim.quantity: claim.value for claim in evae_claims("run", EVAE, DATA)}
    assert (
        values["gamma_c"] == pytest.approx(1e3 * 3**0.5)
        and values["L_KL at the last stage over that before"] == 444 / 177
    )
    assert all(claim.value is None for claim in evae_claims("run", EVAE[:1], DATA))


def test_recipe(smoke_run, tmp_path):
    section = losses([smoke_run], tmp_path)
    assert [table.name for table in section.tables] == ["losses", "transitions"]
    assert len(section.tables[0].rows) == 4 and (tmp_path / "losses.png").is_file()
    transitions = {row[1]: row[2:] for row in section.tables[1].rows}
    assert transitions["beta_c"] == [None, None, None] and transitions["beta_c estimated"][-1] > 0
    assert len(section.claims) == 18 and "ln 2" in section.text


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
    assert len(section.claims) == 10 and verdicts(section.claims)[2] is None and verdicts(section.claims)[4] is None
    section.write(tmp_path)
    with open(tmp_path / "losses.csv") as file:
        row = next(csv.DictReader(file))
    assert float(row["validation_kl_loss"]) == pytest.approx(young.stages[0].metrics["validation"]["kl_loss"])

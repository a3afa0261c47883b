"""Ladders of losses as the recipe writes them, with the transitions that the package finds on them."""

from experiments.reproduction.claims.claim import Numbers
from experiments.reproduction.claims.registry import judge
from keras_evae.analysis import generation_collapse, posterior_collapse, reconstruction_rise

# The mean spin of the data leaves an uninformed output an L_RC of 1.
DATA = {"data_hamiltonian_loss": -0.0557, "data_mean_spin": 0.5, "all_stages_finished": True, "beta_c_expected": 0.03}


def stage(beta, gamma, reconstruction, divergence, energy, fft_mse=1e-5, magnetization=0.5):
    losses = {"reconstruction": reconstruction, "kl": divergence, "hamiltonian": energy}
    columns = {f"validation_{loss}_loss": value for loss, value in losses.items()}
    return {"beta": beta, "gamma": gamma, **columns, "fft_mse": fft_mse, "magnetization_z": magnetization}


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


def numbers(stages, weight, run="run", **data):
    """What the recipe writes of a run with these stages, a ladder of beta or of gamma."""
    weights = [stage[weight] for stage in stages]
    reconstruction, divergence = ([stage[f"validation_{loss}_loss"] for stage in stages]
                                  for loss in ("reconstruction", "kl"))  # fmt: skip
    if weight == "beta":
        found = {"beta_c": posterior_collapse(weights, divergence)}
        shown = {"ladder_of_beta_shown": True, "beta_of_ladder_of_gamma": None}
    else:
        likeness = [stage["fft_mse"] for stage in stages]
        found = {"gamma_RC": reconstruction_rise(weights, reconstruction),
                 "gamma_c": generation_collapse(weights, likeness)}  # fmt: skip
        shown = {"ladder_of_beta_shown": False, "beta_of_ladder_of_gamma": stages[0]["beta"]}
    transitions = [
        {"run": run, "transition": symbol, **{key: getattr(where, key, None) for key in ("before", "after", "mark")}}
        for symbol, where in found.items()
    ]
    return Numbers({("losses", run): stages, ("transitions", ""): transitions}, {run: {**DATA, **shown, **data}})


def judged(judges, found):
    """What each of several judges, by their ids, says of one run."""
    return {id: claim for id in judges for claim in judge(id, found)}


def verdicts(judges, found):
    return [claim.holds for claim in judged(judges, found).values()]

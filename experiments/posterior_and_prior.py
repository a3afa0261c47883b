"""What the decoder makes of the posterior and of the prior: outputs may collapse sooner than generated states.

    python -m experiments.posterior_and_prior --run runs/evae_b1e-3_s0 --gammas 2000 10000 --output FILE.csv

At large gamma the energy of the outputs is all that matters, and training knows the outputs of the posterior only.
States are generated from the prior. For each stage and 100 latent vectors of the posterior (of the test split), of
the prior, and of the prior widened to the root mean square of the posterior:

latent_rms        root mean square of the components; 1 for the prior
FFT_MSE           of the states that the decoder makes of them
energy_per_site   of these states, mean and standard deviation
radius_distance   Wasserstein distance, in sites, of the radii of their skyrmions from those of the test split, and its
                  error
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_evae.analysis import fft_mse, wasserstein
from keras_evae.dataset import read_split
from keras_evae.evaluation.generated_states import measure
from keras_evae.evaluation.stage_states import load_stage
from keras_evae.runs.run import load_run

COUNT = 100
HEADER = ["run", "beta", "gamma", "latent", "latent_rms", "FFT_MSE", "energy_per_site", "energy_per_site_std"]
HEADER += ["radius_distance", "radius_distance_error"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, nargs="+", required=True)
    parser.add_argument("--gammas", type=float, nargs="+", required=True, help="stages of the E-VAE")
    parser.add_argument("--output", type=Path, help="CSV file")
    arguments = parser.parse_args()
    rows: list[list[str | float]] = [list(HEADER)]
    for run in map(load_run, arguments.run):
        spins = read_split(run.config.dataset.path, "test", COUNT)
        data = measure("test", spins, run.hamiltonian).values("radius")
        beta = run.config.evae.beta if run.config.evae else None
        for stage in run.stages:
            if stage.beta != beta or stage.gamma not in arguments.gammas:
                continue
            load_stage(run, stage)
            posterior = np.asarray(run.model.sampling(run.model.encode(spins)))
            prior = np.random.default_rng(0).standard_normal(posterior.shape, dtype=np.float32)
            width = np.sqrt(np.mean(posterior**2))
            for name, latent in {"posterior": posterior, "prior": prior, "widened": width * prior}.items():
                states = np.asarray(run.model.decode(latent))
                energies = run.hamiltonian.energy_per_site(states)
                rms = float(np.sqrt(np.mean(latent**2)))
                radii = measure(name, states, run.hamiltonian).values("radius")
                found = [rms, fft_mse(states), float(np.mean(energies)), float(np.std(energies))]
                found += wasserstein(radii, data)
                rows.append([run.name, stage.beta, stage.gamma, name, *found])
                print(*rows[-1])
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)


if __name__ == "__main__":
    main()

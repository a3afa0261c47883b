"""Generated states with the decoder's statistics as trained, and estimated anew for each way to draw latent vectors.

    python -m experiments.decoder_statistics --run runs/quickstart --gammas 10 100 10000 --output FILE.csv

The moving statistics of the decoder's batch normalisation are those of posterior vectors. `own` replaces them, with the
weights as they are, by those of vectors that are drawn in the same way as the states.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import keras_evae as ev
from keras_evae.evaluation.generation_measures import measure_set, ratio
from keras_evae.evaluation.stage_states import load_stage
from keras_evae.machine import prepare_tensorflow

HEADER = ["gamma", "vectors", "statistics", "energy_per_site", "error", "psi6", "defects", "diversity"]
PRIORS = ("normal", "posterior", "flow")
# Batches that the statistics are estimated from, and the weight that each leaves to those before.
BATCHES, BATCH, MOMENTUM = 60, 100, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--gammas", type=float, nargs="+", required=True, help="stages of the E-VAE")
    parser.add_argument("--number", type=int, default=200, help="states of each kind")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    prepare_tensorflow()
    import keras

    run = ev.load_run(arguments.run)
    reference = measure_set(np.asarray(run.read_split("test")), run.hamiltonian).mean("fft_mse")
    with open(arguments.output, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        for stage in run.stages:
            if stage.gamma not in arguments.gammas:
                continue
            for prior in PRIORS:
                model = load_stage(run, stage)
                priors = run.priors(stage, model)
                vectors = priors.draw(arguments.number, prior, seed=1)
                for statistics in ("trained", "own"):
                    if statistics == "own":
                        for layer in model.decoder.layers:
                            if isinstance(layer, keras.layers.BatchNormalization):
                                layer.momentum = MOMENTUM
                        others = priors.draw(BATCHES * BATCH, prior, seed=2)
                        for start in range(0, len(others), BATCH):
                            model.decoder(others[start : start + BATCH], training=True)
                    found = measure_set(model.decode_many(vectors), run.hamiltonian)
                    energy, psi6, defects = (found.mean(name) for name in ("energy_per_site", "psi6", "defects"))
                    diversity = ratio(found.mean("fft_mse"), reference)[0]
                    numbers = [*energy, psi6[0], defects[0], diversity]
                    rows.writerow([stage.gamma, prior, statistics, *(f"{number:.6g}" for number in numbers)])
                    file.flush()


if __name__ == "__main__":
    main()

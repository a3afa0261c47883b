"""A small run of three stages, and what identifies its result to the last bit."""

import hashlib
import json

import h5py
import tensorflow as tf

# Five steps an epoch, two epochs in each of three stages.
STEPS, EPOCHS = 5, 6
CONFIG = """
dataset:
  path: data/spins.h5
  shape: [16, 16]
  train: 40
  validation: 8
  test: 4
  schedule: {temperatures: 5, max_greedy_sweeps: 50}
network: {latent_dim: 4}
training: {batch_size: 8, augmentation: true, settle_from: 10, checkpoint_minutes: 1e-6}
vae: {betas: [1e-4, 1e-3], epochs: 2}
evae: {beta: 1e-3, gammas: [10], epochs: 2}
"""


def fingerprint(run):
    """For each stage: digest of all variables, optimiser included, history and metrics."""
    return {
        stage.name: (
            weights_digest(stage / "model.weights.h5"),
            (stage / "history.csv").read_text(),
            json.loads((stage / "metrics.json").read_text()),
        )
        for stage in sorted((run / "stages").iterdir())
    }


def weights_digest(path):
    digest = hashlib.sha256()

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            digest.update(name.encode() + item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
        names = []
        file.visit(names.append)
    assert any("optimizer" in name for name in names) and any("seed_state" in name for name in names)
    return digest.hexdigest()


def read_events(folder):
    """Steps and values in TensorBoard's logs."""
    for file in sorted(folder.rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                yield event.step, value

"""Models whose outputs are annealed states with noise that depends on gamma, for the recipes on angles."""

import numpy as np

from keras_evae.dataset import read_split
from keras_evae.evaluation import figure_3_correlation


def outputs_with_noise(monkeypatch, run, noise):
    """Lets the recipes find such outputs: a deviation for each gamma."""
    spins = read_split(run.config.dataset.path, "test")

    def outputs(run, stage, what):
        noisy = spins + noise[stage.gamma] * np.random.default_rng(0).normal(size=spins.shape)
        return (noisy / np.linalg.norm(noisy, axis=-1, keepdims=True)).astype(np.float32)

    for name in ("reconstruct", "generate"):
        monkeypatch.setattr(figure_3_correlation, name, outputs)
    for name in ("stream_reconstructed", "stream_generated"):
        monkeypatch.setattr(figure_3_correlation, name, lambda *arguments: [outputs(*arguments)])

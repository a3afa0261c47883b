"""A small search for low states."""

CONFIG = """
dataset:
  path: {folder}/spins.h5
  shape: [16, 16]
  train: 40
  validation: 8
  test: 4
  schedule: {{temperatures: 5, max_greedy_sweeps: 50}}
network: {{latent_dim: 4}}
training: {{batch_size: 8, augmentation: true, checkpoint_minutes: 1.0e-6}}
vae: {{betas: [1e-4], epochs: 4}}
evae: {{beta: 1e-4, gammas: [100, 100000], epochs: [1, 2]}}
"""

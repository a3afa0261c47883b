"""Spin states with known properties, for the tests."""

import numpy as np


def skyrmion(shape=(32, 40), core=-1.0, radius=6.0, winding=1, helicity=0.0):
    """A skyrmion in the middle of the lattice, core along `core` z, background opposite."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2
    polar = np.pi * np.clip(1.0 - np.hypot(x, y) / (2 * radius), 0.0, 1.0)
    azimuth = winding * np.arctan2(y, x) + helicity
    z = -np.cos(polar) if core > 0 else np.cos(polar)
    return np.stack((np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), z), axis=-1)


def uniform(shape=(16, 24), direction=(0.0, 0.0, 1.0)):
    return np.broadcast_to(np.array(direction), (*shape, 3)).copy()


def random_spins(*shape, seed=0):
    spins = np.random.default_rng(seed).normal(size=(*shape, 3))
    return spins / np.linalg.norm(spins, axis=-1, keepdims=True)

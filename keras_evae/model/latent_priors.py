"""Where latent vectors come from, by the name of their prior: normal vectors, posteriors of training states.

normal       the standard normal, to which L_KL draws the posteriors (the paper)
posterior    the posterior of a random training state
flow         a density that was learned from the posteriors of training states, see `keras_evae.model.latent_flow`
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_evae.console import progress_bar
from keras_evae.errors import as_integer
from keras_evae.symmetry import random_symmetry

PRIORS = ("normal", "posterior", "flow")


def normal_vectors(n: int, latent_dim: int, seed: int | None = None) -> np.ndarray:
    """`n` vectors `(n, latent_dim)` float32 of the standard normal; the first ones do not depend on `n`."""
    seed = None if seed is None else as_integer("seed", seed, 0)
    return np.random.default_rng(seed).standard_normal((as_integer("n", n, 1), latent_dim), dtype=np.float32)


def training_posteriors(
    model: Any,
    spins: Sequence[np.ndarray],
    n: int,
    random: np.random.Generator,
    augment: bool = True,
    batch_size: int = 100,
) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors of `n` training states, drawn at random, as training sees them.

    Args:
        spins: Training states `(count, y, x, 3)`, read one by one.
        random: Chooses the states, and with `augment` moves each by a random symmetry of the Hamiltonian.

    Returns:
        Means and standard deviations, each `(n, latent_dim)` float32.
    """
    largest = model.sampling.largest_log_variance
    means, deviations = [], []
    # All of them before one comes again.
    rounds = [random.permutation(len(spins)) for _ in range(-(-n // len(spins)))]
    chosen = np.concatenate(rounds)[:n]
    for start in progress_bar(range(0, n, batch_size), "posteriors", unit_scale=batch_size):
        states = [spins[index] for index in chosen[start : start + batch_size]]
        if augment:
            states = [random_symmetry(state, model.hamiltonian, random) for state in states]
        mean, log_variance = model.encode_quickly(np.stack(states))
        means.append(mean)
        deviations.append(np.exp(0.5 * np.minimum(log_variance, largest)))
    return np.concatenate(means), np.concatenate(deviations)

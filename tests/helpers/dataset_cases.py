"""Small datasets, and what identifies their content."""

import dataclasses
import hashlib

from keras_evae.dataset import DatasetSpecification
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.monte_carlo.schedule import AnnealingSchedule

SPECIFICATION = DatasetSpecification(
    Hamiltonian(), (16, 32), (5, 2, 3), seed=4, schedule=AnnealingSchedule(temperatures=5, max_greedy_sweeps=50)
)
# The same content under the keys of a configuration file.
CONFIG = """
dataset:
  path: data/spins.h5
  shape: [16, 32]
  train: {train}
  validation: 2
  test: 3
  seed: 4
  schedule: {{temperatures: 5, max_greedy_sweeps: 50}}
training: {{batch_size: 1}}
"""


def of_size(train):
    return dataclasses.replace(SPECIFICATION, sizes=(train, 2, 3))


def digest(path):
    """Checksum of a file: the bytes of a finished dataset follow from its specification."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Datasets of annealed spin configurations: made shard by shard, kept in one HDF5 file, read by split.

specification   what fixes the content of a dataset
shards          the unit of work: annealed, as bytes
shard_folder    the shards of an unfinished generation, their checksums, and who is at work on them
own_files       a dataset of a user's own states, from files
generation      makes what is missing, and packs it
cluster         the same on a Dask cluster
hdf5            the finished file: written, checked, read
formats         spins in files of this and of other programs, read and written
thermal_chains    thermal states: what fixes them, their unit of work
thermal_averages  averages with errors: energy, heat capacity, susceptibility, charge
thermal_file      their file, made in parts
"""

from keras_evae.dataset.generation import ensure_dataset, generate_dataset
from keras_evae.dataset.hdf5 import (
    check_dataset,
    check_specification,
    open_dataset,
    read_attributes,
    read_energies,
    read_origin,
    read_split,
    stream_split,
)
from keras_evae.dataset.shard_folder import finished_share
from keras_evae.dataset.specification import SPLITS, STORAGES, DatasetSpecification

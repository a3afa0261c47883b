"""Spins and thermal averages on disk. A dataset is made shard by shard, kept in one HDF5 file, read by split.

specification    what fixes the content of a dataset
shards           the unit of work: annealed, as bytes
shard_folder     the shards of an unfinished generation, their checksums, and who is at work on them
own_files        a dataset of a user's own states, from files
generation       makes what is missing, and packs it
cluster          the same on a Dask cluster
hdf5             the finished file: written, checked, read
reading          any HDF5, NPZ or NPY file, read without trust
formats          spins in files of this and of other programs, read and written

Thermal states, sampled at given temperatures, are made alike: thermal_specification fixes them, thermal_chains samples
them segment by segment, thermal_averages has averages and errors, thermal_file the file of the results.
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
from keras_evae.dataset.specification import SPLITS, DatasetSpecification

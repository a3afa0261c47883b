"""Generates the dataset of a configuration on the nodes of a Slurm cluster.

    pip install ".[distributed]" dask-jobqueue cryptography
    python docs/slurm_annealing.py configs/vae.yaml

Run it where it may stay for as long as the annealing takes, such as in a job of its own or in `tmux`. Adapt the
resources below. Started again after any interruption, it continues after the last finished shard.
"""

import os
import sys

from dask_jobqueue import SLURMCluster
from distributed import Client, Security

from keras_evae.config import load_config
from keras_evae.console import run_command
from keras_evae.dataset import ensure_dataset
from keras_evae.runs.from_config import dataset_specification

JOBS, CORES, MEMORY, WALLTIME = 8, 16, "16GB", "02:00:00"


def main() -> None:
    config = load_config(sys.argv[1])
    # A Dask port is a shell. Certificates made for this run alone keep everyone else out; the jobs read them from a
    # folder that the nodes share and only this user can read.
    secrets = os.path.abspath(".dask-secrets")
    os.makedirs(secrets, mode=0o700, exist_ok=True)
    cluster = SLURMCluster(
        cores=CORES,
        processes=CORES,  # one single-threaded process for each core
        memory=MEMORY,
        walltime=WALLTIME,
        security=Security.temporary(),
        protocol="tls://",
        shared_temp_directory=secrets,
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        # interface="ib0",  # the private network between the nodes; see `ip address`
    )
    with cluster, Client(cluster) as client:
        cluster.scale(jobs=JOBS)
        ensure_dataset(config.dataset.path, dataset_specification(config), client=client)


if __name__ == "__main__":
    sys.exit(run_command(main))

"""Generation on a real Dask cluster of two worker processes."""

import contextlib
import functools
import itertools
import logging
import os
import signal

import pytest

from keras_evae.dataset import cluster, generation
from keras_evae.dataset.shard_folder import ShardFolder
from keras_evae.errors import ClusterError
from tests.helpers.commands import call
from tests.helpers.dataset_cases import CONFIG, SPECIFICATION, digest, of_size

# Workers that start on a busy machine: Dask's own 30 s may be too little. Their processes read it here, too.
os.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "300s"
distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")
SHARDS = 41


# Short shards, so that there are many.
generate_dataset = functools.partial(generation.generate_dataset, longest_shard=5)
ensure_dataset = functools.partial(generation.ensure_dataset, longest_shard=5)


@pytest.fixture(scope="module")
def client():
    with cluster.connect("local", 2) as client:
        yield client


@pytest.fixture
def mortal_client():
    """A client of two workers that a test may kill: Dask does not always start another in their place."""
    with cluster.connect("local", 2) as client:
        yield client


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same dataset made by threads."""
    path = tmp_path_factory.mktemp("data") / "whole.h5"
    generate_dataset(path, of_size(200))
    return digest(path)


def test_only_the_loopback_interface_is_listened_on(client):
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    ports = [port for process in processes for port in process.net_connections("inet") if port.status == "LISTEN"]
    assert len(ports) >= 3
    assert {port.laddr.ip for port in ports} == {"127.0.0.1"}


@contextlib.contextmanager
def at_shard(number, act):
    """Acts when a number of shards are written in the block."""
    write, written = ShardFolder.write, itertools.count(1)

    def counting(self, shard, arrays):
        write(self, shard, arrays)
        if next(written) == number:
            act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShardFolder, "write", counting)
        yield


def test_g1_one_of_two_workers_is_killed_half_way(mortal_client, tmp_path, whole):
    path = tmp_path / "spins.h5"
    processes = mortal_client.run(os.getpid)
    assert len(set(processes.values())) == 2 and os.getpid() not in processes.values()
    victim = next(iter(processes.values()))
    with at_shard(SHARDS // 2, lambda: os.kill(victim, signal.SIGKILL)):
        generate_dataset(path, of_size(200), client=mortal_client)
    assert digest(path) == whole
    assert os.listdir(tmp_path) == ["spins.h5"]


def test_threads_finish_what_a_cluster_began(client, tmp_path, whole, caplog, monkeypatch):
    path = tmp_path / "spins.h5"

    class Stopped(Exception):
        pass

    real, calls = distributed.Client.submit, []

    def submit(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 10:
            raise Stopped
        return real(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(distributed.Client, "submit", submit)
        generate_dataset(path, of_size(200), client=client)
    finished = len(list(tmp_path.glob("*/*.npz")))
    assert 0 < finished <= 10
    caplog.set_level(logging.INFO)
    ensure_dataset(path, of_size(200))
    assert f"Going on: {finished} of {SHARDS} shards are there" in caplog.messages
    assert digest(path) == whole


def test_command_on_an_existing_cluster(client, tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG.format(train=5))
    result = call(tmp_path, "evae-anneal", "--config", "run.yaml", "--scheduler", client.scheduler.address)
    assert result.returncode == 0, result.stderr
    assert f"Annealing on the Dask cluster at {client.scheduler.address}, 2 threads" in result.stdout
    generate_dataset(tmp_path / "threads.h5", SPECIFICATION)
    assert digest(tmp_path / "data" / "spins.h5") == digest(tmp_path / "threads.h5")


def test_shard_that_kills_its_workers(mortal_client, tmp_path, monkeypatch):
    def deadly(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    mortal_client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    monkeypatch.setattr("keras_evae.dataset.generation.anneal_shard", deadly)
    with pytest.raises(ClusterError, match="the Dask cluster was lost .* finished shards are kept") as error:
        generate_dataset(tmp_path / "spins.h5", SPECIFICATION, client=mortal_client)
    assert "\n" not in str(error.value)

"""Generation on a real Dask cluster of two worker processes."""

import contextlib
import functools
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_evae.dataset import cluster, generation, shards
from keras_evae.dataset.shard_folder import ShardFolder
from keras_evae.errors import ClusterError, ConfigError, MismatchError
from tests.helpers.dataset_cases import CONFIG, SPECIFICATION, digest, of_size

ANNEAL = "import sys; from keras_evae.commands.evae_anneal import main; sys.exit(main())"

# Workers that start on a busy machine: Dask's own 30 s may be too little. Their processes read it here, too.
os.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "300s"
distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")
ROOT = Path(__file__).parents[2]
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
    result = subprocess.run(
        [sys.executable, "-c", ANNEAL, "--config", "run.yaml", "--scheduler", client.scheduler.address],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert f"Annealing on the Dask cluster at {client.scheduler.address}, 2 threads" in result.stdout
    generate_dataset(tmp_path / "threads.h5", SPECIFICATION)
    assert digest(tmp_path / "data" / "spins.h5") == digest(tmp_path / "threads.h5")


def test_worker_with_other_kernels_is_refused(client):
    shard = client.submit(shards.anneal_shard, SPECIFICATION, range(1), 999)
    with pytest.raises(MismatchError, match="install the same version of keras_evae everywhere"):
        shard.result()


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:9", "tcp://host.invalid:8786", "nonsense"])
def test_no_scheduler_answers(scheduler):
    with (
        pytest.raises(ConfigError, match=f"--scheduler {scheduler}: expected a Dask scheduler, found none") as error,
        cluster.connect(scheduler, seconds=1),
    ):
        pass
    assert "\n" not in str(error.value)


@pytest.fixture
def late_loops(monkeypatch):
    """Event loops that Dask gives up on, as often as there are items in the list."""
    late, start = [], distributed.utils.LoopRunner.start

    def start_late(self):
        if late:
            # What Dask's bare assertion raises.
            late.pop()
            raise AssertionError
        start(self)

    monkeypatch.setattr(distributed.utils.LoopRunner, "start", start_late)
    return late


def test_event_loop_that_begins_late_is_waited_for(client, late_loops):
    late_loops.append(0)
    with cluster.connect(client.scheduler.address) as other:
        assert len(other.nthreads()) == 2 and not late_loops


def test_event_loop_that_never_begins_is_said(late_loops):
    late_loops.extend(range(100))
    with pytest.raises(ConfigError, match="found none .*too busy"), cluster.connect("tcp://127.0.0.1:9"):
        pass
    assert len(late_loops) == 100 - 6


@pytest.fixture
def scheduler(tmp_path):
    """Process and address of a scheduler with one worker."""
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "stderr": subprocess.DEVNULL}
    file = tmp_path / "scheduler.json"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], ["worker", "--no-nanny", "--nthreads", "1"]]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments, "--no-dashboard"]
            + ["--scheduler-file", str(file)],
            **options,
        )
        for name, *arguments in commands
    ]
    # Dask opens the file first and then fills it.
    while not (file.exists() and file.read_text().endswith("}")) and processes[0].poll() is None:
        time.sleep(0.05)
    yield processes[0], json.loads(file.read_text())["address"]
    for process in processes:
        process.kill()
        process.wait()


def test_lost_scheduler_keeps_finished_shards(tmp_path, whole, scheduler):
    (process, address), path = scheduler, tmp_path / "spins.h5"
    with (
        pytest.raises(ClusterError, match="the Dask cluster was lost .* finished shards are kept") as error,
        cluster.connect(address) as client,
        at_shard(3, process.kill),
    ):
        generate_dataset(path, of_size(200), client=client)
    assert error.value.exit_code == 1
    assert len(list(tmp_path.glob("*/*.npz"))) >= 3
    generate_dataset(path, of_size(200))
    assert digest(path) == whole


def test_shard_that_kills_its_workers(mortal_client, tmp_path, monkeypatch):
    def deadly(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    mortal_client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    monkeypatch.setattr("keras_evae.dataset.generation.anneal_shard", deadly)
    with pytest.raises(ClusterError, match="the Dask cluster was lost .* finished shards are kept") as error:
        generate_dataset(tmp_path / "spins.h5", SPECIFICATION, client=mortal_client)
    assert "\n" not in str(error.value)

"""Training on several devices does what training on one does; what a cluster may look like."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.errors import ConfigError
from keras_evae.runs.run import load_run
from keras_evae.training.replicas import (
    Replicas,
    Share,
    check_cluster,
    choose_strategy,
    describe_strategy,
    is_chief,
    record_strategy,
)
from tests.helpers.replicas import EVALUATED, LARGEST_NORM, STEPS

ROOT = Path(__file__).parents[2]
# Rounding of float64, summed over the steps.
TOLERANCE = 1e-9
CONFIG = """
dataset: {path: data/tiny.h5, shape: [32, 16], train: 24, validation: 9, test: 1,
          schedule: {temperatures: 5, max_greedy_sweeps: 50}}
training: {batch_size: 8}
network: {latent_dim: 8}
vae: {betas: [1e-3], epochs: 2}
evae: {beta: 1e-3, gammas: [10], epochs: 1}
"""


def start(folder, *arguments, worker=None):
    """A process of `tests.helpers.replicas` that works in the folder; with TF_CONFIG if it is one of two workers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_NUM_INTRAOP_THREADS": "1"}
    if worker is not None:
        index, ports = worker
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    line = [sys.executable, "-m", "tests.helpers.replicas", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(line, cwd=folder, env=environment, **streams)


def finish(*processes):
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in outputs]


def free_ports():
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@pytest.fixture(scope="module", params=["mirrored", pytest.param("multiworker", marks=pytest.mark.slow)])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Results of `train_steps` on two logical devices, and on one of them."""
    folder = tmp_path_factory.mktemp("mirrored")
    finish(start(folder, "mirrored", "mirrored.npz", "one.npz"))
    return {kind: dict(np.load(folder / f"{kind}.npz")) for kind in ("one", "mirrored")}


@pytest.fixture(scope="module")
def results(one, kind, tmp_path_factory):
    """Results of `train_steps` on one device, and on several by this strategy."""
    if kind == "mirrored":
        return one
    folder, ports = tmp_path_factory.mktemp("workers"), free_ports()
    finish(*(start(folder, kind, "workers.npz", worker=(index, ports)) for index in range(2)))
    return {"one": one["one"], kind: dict(np.load(folder / "workers.npz"))}


def whole_norm(results, prefix):
    return np.sqrt(sum((value**2).sum() for name, value in results.items() if name.startswith(prefix)))


def select(results, kind, prefix):
    """Pairs of arrays of one device and of the strategy."""
    found = {name: (one, results[kind][name]) for name, one in results["one"].items() if name.startswith(prefix)}
    assert found and set(results["one"]) == set(results[kind])
    return found


def largest_difference(one, other):
    """Relative to the largest element of the array."""
    return np.abs(one - other).max() / np.abs(one).max()


def is_before_normalisation(name):
    """Biases that the batch normalisation after them removes: their gradient is zero, and computed as rounding."""
    # The narrow dense layer and the last convolution have no normalisation after them.
    kept = ("dense_1", "dense_5", "conv2d_8", "conv2d_17")
    layer, _, variable = name.split()[1].removeprefix("adam/").replace("_bias", "/bias").partition("/")
    return variable.startswith("bias") and layer.startswith(("conv2d", "dense")) and layer not in kept


class TestStrategy:
    @pytest.mark.parametrize("prefix", ["gradient", "clipped"])
    def test_gradients(self, results, kind, prefix):
        """Of each variable relative to its largest gradient; zero gradients relative to the largest of all."""
        gradients = select(results, kind, prefix)
        largest = max(np.abs(one).max() for one, _ in gradients.values())
        zeros = [name for name in gradients if is_before_normalisation(name)]
        assert len(zeros) == 11
        for name, (one, other) in gradients.items():
            if name in zeros:
                assert max(np.abs(one).max(), np.abs(other).max()) < TOLERANCE * largest, name
            else:
                assert np.abs(one).max() > 1e-5 * largest and largest_difference(one, other) < TOLERANCE, name

    def test_norm_of_the_whole_gradient_is_clipped(self, results, kind):
        assert whole_norm(results[kind], "gradient") < 0.9 * LARGEST_NORM
        assert whole_norm(results[kind], "clipped") == pytest.approx(LARGEST_NORM, rel=1e-6)

    @pytest.mark.parametrize("prefix", ["moving", "history", "evaluated"])
    def test_statistics_and_metrics(self, results, kind, prefix):
        """Also of a last batch of one sample, which one of the replicas has no part in."""
        for name, (one, other) in select(results, kind, prefix).items():
            assert largest_difference(one, other) < TOLERANCE, name

    def test_weights_after_some_steps(self, results, kind):
        for name, (one, other) in select(results, kind, "weights").items():
            if not is_before_normalisation(name):
                assert largest_difference(one, other) < 1e-8, name

    def test_noise_goes_on_as_on_one_device(self, results, kind):
        for one, other in select(results, kind, "seed").values():
            np.testing.assert_array_equal(one, other)
            # One draw for each batch of the evaluation and each step.
            assert one[1] == -(-EVALUATED // 4) + STEPS


def train_command(folder, kind, *arguments):
    config = folder / "tiny.yaml"
    config.write_text(CONFIG)
    return (kind, ROOT / "train.py", "--config", config, "--strategy", kind, *arguments)


def check_run(folder, stages):
    run = load_run(folder / "runs" / "tiny")
    assert len(run.stages) == stages
    states = run.model.generate(3, seed=0)
    np.testing.assert_allclose(np.linalg.norm(states, axis=-1), 1.0, rtol=1e-5)
    for stage in run.stages:
        assert np.isfinite(list(stage.metrics["validation"].values())).all()
    return {stage.name: stage.metrics for stage in run.stages}


def recorded(folder):
    return json.loads((folder / "runs" / "tiny" / "environment.json").read_text())["strategy"]


@pytest.mark.slow
def test_two_workers_finish_resume_and_load(tmp_path):
    def run():
        ports = free_ports()
        return [start(tmp_path, *train_command(tmp_path, "multiworker"), worker=(index, ports)) for index in range(2)]

    chief, other = finish(*run())
    assert "2 CPU replicas on the workers of TF_CONFIG" in chief and "Run finished" in chief
    assert other == ""
    whole = check_run(tmp_path, 2)
    assert recorded(tmp_path) == {"name": "multiworker", "replicas": 2, "workers": 2}
    # One process has written: one file of scalars for each stage.
    assert len(list((tmp_path / "runs" / "tiny" / "tensorboard" / "train").iterdir())) == 2
    (tmp_path / "runs" / "tiny" / "stages" / "01_beta_0.001_gamma_10").rename(tmp_path / "away")
    finish(*run())
    for name, metrics in check_run(tmp_path, 2).items():
        assert metrics["validation"] == pytest.approx(whole[name]["validation"], rel=1e-3)


TWO = {"worker": ["a:1", "b:2"]}


def cluster(**changes):
    return json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 0}, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected the workers of --strategy multiworker, found none; write"),
        ("{", "expected JSON such as"),
        ("[]", "expected JSON such as"),
        ("{}", "expected JSON such as"),
        (cluster(cluster=3), "expected JSON such as"),
        (cluster(cluster={"worker": ["a:1"]}), "expected two or more workers .* take --strategy mirrored"),
        (cluster(cluster={**TWO, "ps": ["c:3"]}), "expected two or more workers"),
        (cluster(cluster={"chief": ["a:1", "b:2"]}), "at most one chief"),
        (cluster(cluster={"worker": ["a:1", "b"]}), "expected a different host:port"),
        (cluster(cluster={"worker": ["a:1", "a:1"]}), "expected a different host:port"),
        (cluster(task={"type": "worker", "index": 2}), "expected the place of one of"),
        (cluster(task={"type": "worker", "index": "0"}), "expected the place of one of"),
        (cluster(task={"type": "chief", "index": 0}), "expected the place of one of"),
    ],
)
def test_bad_clusters_are_answered_in_one_line(text, message):
    with pytest.raises(ConfigError, match=f"^TF_CONFIG: .*{message}") as error:
        check_cluster(text)
    assert "\n" not in str(error.value)


def test_one_device_shares_nothing_and_three_not_all_batches(monkeypatch):
    strategy = choose_strategy(None, 7)
    assert is_chief(strategy) and describe_strategy(strategy, 7) == "one CPU"
    assert Replicas(tf.distribute.get_strategy()).of_batch(tf.zeros((7, 2))) is None
    assert record_strategy(strategy) == {"name": "none", "replicas": 1, "workers": 1}
    assert record_strategy(choose_strategy("mirrored", 7)) == {"name": "mirrored", "replicas": 1, "workers": 1}
    devices = [tf.config.LogicalDevice(f"/CPU:{number}", "CPU") for number in range(3)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: devices if kind == "CPU" else [])
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names: type("S", (), {"num_replicas_in_sync": 3}))
    with pytest.raises(ConfigError, match="batch_size: expected a multiple of the 3 replicas .*, found 100"):
        choose_strategy("mirrored", 100)


def test_rows_of_a_replica_share_no_memory_with_the_batch():
    batch = tf.random.normal((6, 16, 16, 3))
    share = Share(slice(2, 4), 2, 6)
    shared = [np.shares_memory(memoryview(rows), memoryview(batch)) for rows in (batch[share.rows], share.of(batch))]
    assert shared == [True, False]
    np.testing.assert_array_equal(share.of(batch), batch[share.rows])

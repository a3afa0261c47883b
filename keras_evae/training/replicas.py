"""Training on several devices: the strategy of TensorFlow that a run asks for, and each replica's share of a batch.

Every replica holds the whole model and gets the whole batch, of which it works on its own rows. The noise of the whole
batch is drawn alike on every replica, so that training does not depend on the number of replicas (beyond rounding).
"""

import contextlib
import dataclasses
import json
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keras_evae.errors import ClusterError, ConfigError

WORKER_TYPES = {"chief", "worker"}
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Share:
    """What one replica works on.

    Args:
        rows: The replica's rows of the batch; every row belongs to one replica. Where a batch has fewer rows than there
            are replicas, some compute a row that belongs to the next (layers fail on empty batches) and count none.
        count: Number of rows that count.
        batch_size: Rows of the whole batch.
    """

    rows: slice
    count: Any
    batch_size: Any

    def of(self, batch: Any) -> Any:
        """The replica's rows of a batch, in memory of their own.

        A slice would share that of the batch, which can be an array of the caller, such as a split that is kept:
        TensorFlow takes the slice for memory that nobody else needs, and writes results over it.
        """
        return tf.gather(batch, tf.range(self.rows.start, self.rows.stop))


def choose_strategy(name: str | None, batch_size: int) -> tf.distribute.Strategy:
    """The strategy of `evae-train --strategy`; TensorFlow's default, one device, for None.

    `multiworker` must be chosen before TensorFlow has computed anything; it waits until all workers are there.

    Args:
        name: `mirrored` for the GPUs of this host (without GPUs: its logical CPU devices), `multiworker` for
            the hosts in the environment variable TF_CONFIG.
        batch_size: Size of the whole batch, which the replicas share equally.

    Raises:
        ConfigError: If TF_CONFIG is missing or not valid, or the replicas cannot share a batch.
    """
    if name is None:
        return tf.distribute.get_strategy()
    # One line for each collective operation.
    tf.get_logger().setLevel(logging.WARNING)
    if name == "multiworker":
        check_cluster(os.environ.get("TF_CONFIG"))
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ConfigError(
            f"training.batch_size: expected a multiple of the {replicas} replicas of --strategy {name}, "
            f"found {batch_size}"
        )
    return strategy


def check_cluster(text: str | None) -> None:
    """Checks the content of TF_CONFIG, the cluster and this process' place in it.

    Raises:
        ConfigError: With what was expected and what was found, in one line.
    """
    if not text:
        raise ConfigError(f"TF_CONFIG: expected the workers of --strategy multiworker, found none; write {EXAMPLE}")
    try:
        values = json.loads(text)
        cluster, kind, index = values["cluster"], values["task"]["type"], values["task"]["index"]
        addresses = [address for addresses in cluster.values() for address in addresses]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"TF_CONFIG: expected JSON such as {EXAMPLE}, found {text!r}") from error
    if not set(cluster) <= WORKER_TYPES or len(addresses) < 2 or len(cluster.get("chief", [])) > 1:
        raise ConfigError(
            f"TF_CONFIG: cluster: expected two or more workers (and at most one chief), found {cluster}; "
            f"for one host take --strategy mirrored"
        )
    wrong = [address for address in addresses if not re.fullmatch(r"\S+:\d+", str(address))]
    if wrong or len(set(addresses)) < len(addresses):
        raise ConfigError(f"TF_CONFIG: cluster: expected a different host:port for each worker, found {addresses}")
    if type(index) is not int or kind not in cluster or not 0 <= index < len(cluster[kind]):
        raise ConfigError(f"TF_CONFIG: task: expected the place of one of {cluster}, found {values['task']}")


def spans_hosts(strategy: tf.distribute.Strategy) -> bool:
    """Whether the replicas are in several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes the run folder and makes the dataset."""
    if not spans_hosts(strategy):
        return True
    resolver = strategy.cluster_resolver
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return resolver.task_type == first and resolver.task_id == 0


def record_strategy(strategy: tf.distribute.Strategy) -> dict[str, str | int]:
    """The strategy for the files of a run: its name as in `--strategy`, replicas and workers."""
    workers = 1
    if spans_hosts(strategy):
        name = "multiworker"
        workers = sum(len(addresses) for addresses in strategy.cluster_resolver.cluster_spec().as_dict().values())
    else:
        name = "mirrored" if isinstance(strategy, tf.distribute.MirroredStrategy) else "none"
    return {"name": name, "replicas": strategy.num_replicas_in_sync, "workers": workers}


def describe_strategy(strategy: tf.distribute.Strategy, batch_size: int) -> str:
    """The devices in words, one line."""
    replicas = strategy.num_replicas_in_sync
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    if replicas == 1:
        return f"one {kind}"
    place = "the workers of TF_CONFIG" if spans_hosts(strategy) else "this host"
    return f"{replicas} {kind} replicas on {place}, {batch_size // replicas} samples of a batch each"


def share_batches(batches: tf.data.Dataset, strategy: tf.distribute.Strategy) -> Any:
    """Batches that `fit` and `evaluate` hand to every replica whole; `Replicas.of_batch` gives each its rows.

    The number of batches must be told to `fit` and `evaluate`.
    """
    if strategy.num_replicas_in_sync == 1:
        return batches

    def copies(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
        return batches.flat_map(lambda batch: tf.data.Dataset.from_tensors(batch).repeat(replicas))

    return strategy.distribute_datasets_from_function(copies)


class Replicas:
    """The replicas of a strategy as a model built in its scope needs them, see `keras_evae.model.EVAE`."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.count = strategy.num_replicas_in_sync
        # Keras averages over the first axis where there are several workers, so there has to be one.
        self.result_shape = (1,) if spans_hosts(strategy) else ()

    def of_batch(self, batch: Any) -> Share | None:
        """The share of the replica that calls, of a batch `(n, ...)`; None outside of the strategy's `run`."""
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return None
        size, replicas, index = tf.shape(batch)[0], context.num_replicas_in_sync, context.replica_id_in_sync_group
        start, stop = size * index // replicas, size * (index + 1) // replicas
        return Share(slice(start, tf.maximum(stop, start + 1)), stop - start, size)

    def clip(self, gradients: Any, norm: float | None) -> Any:
        """Bounds the norm of the sum of all replicas' gradients; called on every replica.

        The optimizer would clip the parts before it sums them; what has its N-th of the norm it leaves alone.
        """
        if not norm:
            return gradients
        mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        return tf.clip_by_global_norm(mean, norm / self.count)[0]


def meet_workers(strategy: tf.distribute.Strategy, finished: int) -> None:
    """Waits until all workers are here, and compares what they have found in the run folder.

    Args:
        strategy: The strategy; on one host there is nobody to wait for.
        finished: Number of finished stages that this worker sees.

    Raises:
        ConfigError: If the workers do not see the same run folder.
    """
    if not spans_hosts(strategy):
        return
    seen = strategy.gather(tf.constant([finished]), axis=0).numpy().tolist()
    if len(set(seen)) > 1:
        raise ConfigError(
            f"--output: expected one run folder that all workers see, on a shared file system; found {seen} finished "
            f"stages on the workers"
        )


@contextlib.contextmanager
def report_lost_workers() -> Iterator[None]:
    """Turns TensorFlow's errors on a broken connection into a `ClusterError` of one line."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise ClusterError(
            "another worker has stopped; its own output says why. Finished stages are kept: start all workers again"
        ) from error

"""Dask clusters as a place to anneal. Dask is optional and imported only where it is asked for.

A Dask scheduler or worker executes whatever reaches its port, as a shell would: keep it on the loopback interface, on
a private network, or behind Dask's TLS. Nothing here listens anywhere but on the loopback interface.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import gc
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from keras_evae.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    import distributed

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# Of Dask, which need not be installed.
Client: TypeAlias = "distributed.Client"
Started = TypeVar("Started")


@contextlib.contextmanager
def connect(scheduler: str, workers: int | None = None, seconds: float = 10.0) -> Iterator[Client]:
    """A client of a running scheduler (`tcp://host:8786`), or of single-threaded processes on this machine (`local`).

    Args:
        scheduler: Address, or `local`.
        workers: Number of the processes of `local`; all cores by default.

    Raises:
        ConfigError: If Dask is not installed, or no scheduler answers within so many seconds.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            f"--scheduler {scheduler}: expected Dask, found none ({error}); install it with: pip install distributed"
        ) from error
    # Dask logs pages about what the command says in one line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    local = functools.partial(
        distributed.LocalCluster,
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host=LOOPBACK,
        dashboard_address=f"{LOOPBACK}:0",
        silence_logs=logging.CRITICAL,
    )
    with contextlib.ExitStack() as stack:
        address: str | distributed.LocalCluster = scheduler
        try:
            if scheduler == "local":
                address = stack.enter_context(_start(local))
            client = _start(lambda: distributed.Client(address, timeout=seconds))
        except (OSError, ValueError, TypeError, RuntimeError, AssertionError) as error:
            reason = (str(error).splitlines() or [f"{type(error).__name__}: is this machine too busy?"])[0]
            raise ConfigError(f"--scheduler {scheduler}: expected a Dask scheduler, found none ({reason})") from error
        yield stack.enter_context(client)


def _start(make: Callable[[], Started], attempts: int = 6) -> Started:
    """A cluster or a client, made again where its event loop has not begun in time, up to a number of attempts.

    Dask starts the loop in a thread and asserts that it runs within 10 s. On a machine so busy that a new thread, or
    this whole process, gets no processor time for as long, it does not, and is there at once the next time.
    """
    failed = 0
    while True:
        # Dask closes a client that nobody holds under the lock that it also starts one under. Those that failed before
        # go now: the garbage collector, coming by during the start, would wait for that lock for ever.
        gc.collect()
        try:
            return make()
        except AssertionError:
            failed += 1
            if failed == attempts:
                raise


@contextlib.contextmanager
def cluster_pool(client: Client) -> Iterator[tuple[concurrent.futures.Executor, Callable[[], int]]]:
    """An executor on a cluster, and the number of its threads at the moment, at least one.

    Raises:
        ClusterError: If the cluster is lost, or a shard loses its worker again and again.
    """
    import distributed
    from distributed.comm import CommClosedError

    def threads() -> int:
        try:
            return sum(client.nthreads().values())
        except OSError as error:
            raise CommClosedError(str(error)) from error

    executor = client.get_executor(pure=False)
    try:
        logger.info("Annealing on the Dask cluster at %s, %d threads", client.scheduler.address, threads())
        # With no worker yet, the first shards wait for the first that comes.
        yield executor, lambda: max(1, threads())
    except (distributed.KilledWorker, concurrent.futures.CancelledError, CommClosedError) as error:
        reason = (str(error).splitlines() or ["its scheduler does not answer"])[0]
        raise ClusterError(
            f"the Dask cluster was lost ({reason}); finished shards are kept, the same command goes on from there"
        ) from error
    finally:
        executor.shutdown(wait=False)

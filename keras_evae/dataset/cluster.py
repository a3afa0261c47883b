"""Dask clusters as a place to anneal. Dask is optional and imported only where it is asked for.

A Dask scheduler or worker executes whatever reaches its port, as a shell would: keep it on the loopback interface, on
a private network, or behind Dask's TLS. Nothing here listens anywhere but on the loopback interface.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from keras_evae.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    import distributed
    from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# Time for a scheduler to answer, as long as Dask's own.
CONNECT_SECONDS = 30


@contextlib.contextmanager
def connect(scheduler: str, workers: int | None = None) -> Iterator[distributed.Client]:
    """A client of a running scheduler (`tcp://host:8786`), or of single-threaded processes on this machine (`local`).

    Args:
        scheduler: Address, or `local`.
        workers: Number of the processes of `local`; all cores by default.

    Raises:
        ConfigError: If Dask is not installed, or no scheduler answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            f"--scheduler {scheduler}: expected Dask, found none ({error}); "
            f'install it with: pip install ".[distributed]"'
        ) from error
    # Dask logs pages about what the command says in one line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        loop = _event_loop()
        address: str | distributed.LocalCluster = scheduler
        try:
            if scheduler == "local":
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        host=LOOPBACK,
                        dashboard_address=f"{LOOPBACK}:0",
                        silence_logs=logging.CRITICAL,
                        loop=loop,
                    )
                )
            client = distributed.Client(address, timeout=CONNECT_SECONDS, loop=loop)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConfigError(f"--scheduler {scheduler}: expected a Dask scheduler, found none ({reason})") from error
        yield stack.enter_context(client)


@functools.cache
def _event_loop() -> IOLoop:
    """The event loop of all clients, in a thread of its own as long as this process lives.

    Dask would start one for each, but gives it 10 s to begin and then fails an assertion: too little on a machine so
    busy that a new thread, or the whole process, gets no processor time for as long. Here it may take what it takes.
    """
    from tornado.ioloop import IOLoop

    started: concurrent.futures.Future[IOLoop] = concurrent.futures.Future()

    async def run() -> None:
        started.set_result(IOLoop.current())
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), name="Dask event loop", daemon=True).start()
    return started.result()


@contextlib.contextmanager
def cluster_pool(
    client: distributed.Client,
) -> Iterator[tuple[concurrent.futures.Executor, Callable[[], int]]]:
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

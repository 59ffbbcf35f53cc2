"""Lines of logs as they come, for users with an event loop of their own and without.

Belongs here: the two kinds of generator. Never here: where lines come from (podlogs.py), or whose
they are (looking.py).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from distributed.core import Status
from distributed.deploy import Cluster

if TYPE_CHECKING:
    from dask_kubernetes_helm.reports.podlogs import Following, Line

#: Seconds between two looks whether the cluster has been closed while a line is awaited.
_LOOK = 1.0


async def lines(begin: Callable[[Any], Awaitable[Following]], told: Any) -> AsyncGenerator[Line, None]:
    """Lines in a running event loop.

    Parameters
    ----------
    begin : coroutine function
        Begins to follow.
    told : Any
        What it is told.
    """
    following = await begin(told)
    try:
        while (line := await following.next()) is not None:
            yield line
    finally:
        await following.close()


def lines_in_sync(cluster: Cluster, following: Following) -> Generator[Line, None, None]:
    """Lines in a thread that waits for each.

    Parameters
    ----------
    cluster : Cluster
        Whose loop follows.
    following : Following
        What does.
    """
    try:
        while (line := _next(cluster, following)) is not None:
            yield line
    finally:
        if cluster.status == Status.running:
            cluster.sync(following.close)


def _next(cluster: Cluster, following: Following) -> Line | None:
    """The next line, where another thread may close the cluster meanwhile, and with it end the loop."""
    coming = following.next()
    try:
        future = asyncio.run_coroutine_threadsafe(coming, cluster.loop.asyncio_loop)
    except RuntimeError:  # the loop has ended
        coming.close()
        return None
    while not future.done() and cluster.status != Status.closed:
        concurrent.futures.wait([future], timeout=_LOOK)
    return future.result() if future.done() else None

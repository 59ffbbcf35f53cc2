"""A pod on its way out: its worker is emptied before it ends.

Kubernetes deletes pods for many reasons (kubectl, a drained node, an eviction, a rollout, a spot instance's end), and
always by a SIGTERM and a grace period. Belongs here: using that period, from the nanny or from a worker without one.
Never here: how a worker is emptied (the scheduler does that), or calls of the Kubernetes API.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from time import monotonic
from typing import Any

from distributed.core import Status

from dask_kubernetes_helm_pod.reaching import takes_connections

logger = logging.getLogger("distributed.worker.leaving")

#: Seconds of the grace period that may go by until the worker is told to end.
TIMEOUT = float(os.environ.get("DASKHELM_DRAIN_TIMEOUT", "15"))
#: Seconds of a scheduler's silence after which its machine is asked whether it is there at all.
_ANSWER = 2.0
#: Seconds that a worker may take to end, as long as `dask worker` gives one.
CLOSING = 10.0


async def be_emptied(scheduler: Any, address: str | None) -> None:
    """Ask the scheduler to empty a worker, and wait for it; comes back at once where nobody can help.

    Parameters
    ----------
    scheduler : distributed.core.PooledRPCCall
        The scheduler, over Dask's own comm.
    address : str
        The worker's.
    """
    if not address:
        return
    end = monotonic() + TIMEOUT
    try:
        await _speaks(scheduler, end)
        left = max(1.0, end - monotonic())
        reply = await asyncio.wait_for(scheduler.scaling_leave(worker=address, timeout=left), left + _ANSWER)
    except (OSError, asyncio.TimeoutError) as error:
        logger.warning("Leaving as it is, as the scheduler does not answer: %s", error or type(error).__name__)
        return
    if reply is None:
        logger.warning("Leaving as it is, as the scheduler lacks the chart's preload")
    elif not reply["empty"]:
        logger.warning("Leaving with what is left: %s", reply["why"])


async def _speaks(scheduler: Any, end: float) -> None:
    """Wait until the scheduler speaks: until the end for one that is only busy, or whose process holds the GIL."""
    echo = asyncio.ensure_future(scheduler.echo(data=None))
    try:
        while not (await asyncio.wait({echo}, timeout=min(_ANSWER, max(0.0, end - monotonic()))))[0]:
            if monotonic() >= end or not await takes_connections(scheduler.address, _ANSWER):
                raise asyncio.TimeoutError
        await echo
    finally:
        echo.cancel()


async def give_up_start(nanny: Any) -> bool:
    """End a worker process that is still starting; whether it was.

    Dask waits until it has started before it ends it, which takes until its scheduler answers: where that goes as well,
    as when a release is removed, all of the grace period.
    """
    starting = nanny.process is not None and nanny.process.status == Status.starting
    if starting and nanny.process.process is not None:
        await nanny.process.process.kill()
    return bool(starting)


def apart_from_the_nanny() -> None:
    """Take a nanny's worker out of the nanny's process group.

    An image may start with `tini -g`, which hands a pod's SIGTERM to the whole group of what it has started: the worker
    would end with all that it holds, beside a nanny that is only beginning to have it emptied. The nanny ends it.
    """
    with contextlib.suppress(PermissionError):  # it leads a session, so it is alone already
        os.setpgid(0, 0)


def on_sigterm(worker: Any) -> None:
    """Have a worker without a nanny emptied when its pod is deleted; `dask worker` itself would just end."""
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)

    async def leave() -> None:
        await be_emptied(worker.scheduler, worker.address)
        await worker.close(timeout=CLOSING, executor_wait=False, nanny=False, reason="pod-deleted")
        if callable(previous):
            previous(signal.SIGTERM, None)

    def handle(signum: int, frame: Any) -> None:
        # A second signal ends it at once.
        signal.signal(signum, previous)
        worker.loop.add_callback_from_signal(leave)

    signal.signal(signal.SIGTERM, handle)

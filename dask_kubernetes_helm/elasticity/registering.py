"""Workers awaited until Dask knows them.

Belongs here: waiting for a number of them. Never here: having them made (scaling.py), or what their pods' states mean
(diagnosis).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from distributed.core import Status

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.releases.release import Release
from dask_kubernetes_helm.waiting import showing
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher


async def until_registered(
    release: Release, identity: Callable[[], Awaitable[dict[str, Any]]], number: int, timeout: float, *, quiet: bool
) -> None:
    """Wait, and show how far their pods are.

    Parameters
    ----------
    release : Release
        Whose workers.
    identity : coroutine function
        Asks the scheduler who it is.
    number : int
        How many.
    timeout : float
        Seconds.
    quiet : bool
        Show nothing.

    Raises
    ------
    StartError
        Their pods do not come up, or not in time.
    """

    async def registered() -> bool:
        try:
            info = await identity()
        except OSError:  # it may be starting anew
            return False
        running = [worker for worker in info["workers"].values() if worker["status"] == Status.running.name]
        return len(running) >= number

    async with Watcher(release.kube, release.name) as watcher:
        with Progress(f"Dask release {release.name}", quiet=quiet) as progress:
            await watcher.until(
                registered,
                component=contract.WORKER,
                timeout=timeout,
                what=f"The last of {number} workers",
                tick=functools.partial(showing.pods, watcher, progress, (contract.WORKER,)),
            )
            progress.done("workers", f"{number} registered")

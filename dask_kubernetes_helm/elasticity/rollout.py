"""How a worker group's Deployment gets along, as it tells itself: its rollout, and how many of its pods are Ready.

Belongs here: reading the Deployment and waiting for it. Never here: changing it, or reading pods (thousands of them).

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.deadlines import within
from dask_kubernetes_helm.diagnosis import rollouts
from dask_kubernetes_helm.errors import RolloutInProgressError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.releases.release import Release

Object = dict[str, Any]

#: Seconds for which a count of Ready pods may not fall while it is too high; beyond, a pod of those in service has a
#: trouble of its own. Kubernetes takes a minute to hear of thousands of pods, so no time for all of it would do.
READY_TIMEOUT = 15.0
#: Seconds more after the API server was away: Kubernetes' controllers come back to it up to a minute later, and count
#: the pods as they were until then.
BLIND = 60.0
#: Seconds after which the count is looked at again, as those in service change as well.
_TICK = 0.5


async def deployments(release: Release, group: str, patience: float) -> list[Object]:
    """The group's Deployment, as a list of one.

    Raises
    ------
    WorkloadNotFoundError
        It is gone.
    """
    selector = contract.selector(release.name, contract.WORKER, group)
    items, _ = await release.kube.snapshot("deployments", selector, patience)
    if not items:
        raise _gone(group)
    return items


def _gone(group: str) -> WorkloadNotFoundError:
    return WorkloadNotFoundError(
        f"The Deployment of worker group {group} is gone", cure="Was the release removed by somebody else?"
    )


async def finished(
    release: Release, group: str, timeout: float, patience: float, check: Callable[[], None] = lambda: None
) -> int:
    """Wait until no rollout is under way, and as long as `check` does not raise; the number of pods asked for.

    Raises
    ------
    RolloutInProgressError
        It went on for longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    deployment: Object = {}
    async with contextlib.aclosing(_changes(release, group, patience)) as changes:
        async for deployment, _ in changes:
            check()
            if not _is_rolling(deployment):
                break
            if time.monotonic() > deadline:
                status = deployment.get("status", {})
                raise RolloutInProgressError(
                    f"A rollout of group {group} is under way: {status.get('updatedReplicas', 0)} of "
                    f"{status.get('replicas', 0)} pods are new",
                    cure="Wait for it, or take it back: kubectl rollout undo "
                    f"deployment/{deployment['metadata']['name']}. Then try again.",
                )
    replicas: int = deployment["spec"].get("replicas", 1)
    release.replicas[group] = replicas
    release.ready[group] = deployment.get("status", {}).get("readyReplicas", 0)
    return replicas


def _is_rolling(deployment: Object) -> bool:
    """Whether pods of an older template are there, which Kubernetes would shrink proportionally."""
    status = deployment.get("status", {})
    return not rollouts.is_seen(deployment) or status.get("replicas", 0) > status.get("updatedReplicas", 0)


async def ready(release: Release, group: str, patience: float) -> AsyncGenerator[int, None]:
    """Numbers of Ready pods, whenever that changes and now and then.

    Ends `READY_TIMEOUT` s after they fell last; where the API server was away, not before `BLIND` s more.
    """
    lowest, deadline = math.inf, 0.0
    async with contextlib.aclosing(_changes(release, group, patience)) as changes:
        async for deployment, heard in changes:
            count = deployment.get("status", {}).get("readyReplicas", 0)
            if count < lowest:
                lowest, deadline = count, max(deadline, time.monotonic() + READY_TIMEOUT)
            if not heard:
                deadline = time.monotonic() + BLIND + READY_TIMEOUT
            yield count
            if time.monotonic() > deadline:
                return


async def _changes(release: Release, group: str, patience: float) -> AsyncGenerator[tuple[Object, bool], None]:
    """The group's Deployment, and whether the server answers: whenever they change, and the same again now and then."""
    deployment: Object = {}
    heard = True
    queue: asyncio.Queue[Object] = asyncio.Queue()
    follower = asyncio.ensure_future(_follow(release, group, patience, queue))
    follower.add_done_callback(lambda _: queue.put_nowait({}))
    try:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                news = await within(queue.get(), _TICK)
                deployment, heard = news or deployment, heard and bool(news)
            if follower.done():
                follower.result()
            if deployment:
                yield deployment, heard
                heard = True
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


async def _follow(release: Release, group: str, patience: float, queue: asyncio.Queue[Object]) -> None:
    """Tell of the Deployment, and with an empty one that the server can't be reached."""
    selector = contract.selector(release.name, contract.WORKER, group)
    news = following.follow(release.kube, "deployments", selector, pace=following.WAITING, patience=patience)
    async with contextlib.aclosing(news):
        async for kind, item in news:
            if kind == "DELETED" or item.get("items") == []:
                raise _gone(group)
            listed = item["items"][0] if kind == following.LISTED else item
            if kind != following.HEARD:
                queue.put_nowait({} if kind == following.UNHEARD else listed)

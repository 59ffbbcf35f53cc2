"""What the scheduler knows of a release's pods, as plain data.

Belongs here: reading a live scheduler. Never here: changing it (retiring.py does), or deciding (policy.py does).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

from distributed.core import Status

from dask_kubernetes_helm_pod import policy, retiring

#: Under this key a worker tells the scheduler which pod and which worker group it is of.
KEY = "dask-kubernetes-helm"
#: Characters of a Deployment's name that its pods' names begin with; Kubernetes cuts the rest for five of its own.
_KEPT = 58
IN_SERVICE = {Status.running, Status.paused}


def group(worker: Any) -> str | None:
    """A worker's group; None for one that is not of a release, or lacks the chart's preload."""
    told = worker.extra.get(KEY)
    return str(told["group"]) if told else None


def pod(worker: Any) -> str:
    """The name of a worker's pod."""
    return str(worker.extra[KEY]["pod"])


def members(scheduler: Any, name: str) -> dict[str, list[Any]]:
    """Workers of a group by their pods' names, whatever their state."""
    found: dict[str, list[Any]] = {}
    for worker in scheduler.workers.values():
        if group(worker) == name:
            found.setdefault(pod(worker), []).append(worker)
    return found


def in_service(scheduler: Any, name: str) -> dict[str, list[Any]]:
    """Workers of a group by their pods' names, for pods that are Ready or will be within a second."""
    return {
        name: workers
        for name, workers in members(scheduler, name).items()
        if any(worker.status in IN_SERVICE for worker in workers)
    }


def strangers(scheduler: Any, deployment: str) -> list[str]:
    """Workers of a Deployment that lack the chart's preload, so that readiness tells nothing of them."""
    names = (str(worker.name) for worker in scheduler.workers.values() if group(worker) is None)
    return [name for name in names if name.startswith(f"{deployment}-"[:_KEPT])]


def pods(scheduler: Any, name: str, key: Callable[[Any], Hashable] | None = None) -> list[policy.Pod]:
    """A group's pods that are in service.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose workers.
    name : str
        The worker group.
    key : callable, optional
        Pods whose workers have the same value leave together; see `Scheduler.workers_to_close`.
    """
    free = [worker for worker in scheduler.workers.values() if not worker.long_running]
    for plugin in list(scheduler.plugins.values()):
        free = plugin.valid_workers_downscaling(scheduler, free)
    allowed = {worker.address for worker in free}
    return [
        policy.Pod(
            name=name,
            workers=tuple(worker.address for worker in workers),
            processing=sum(len(worker.processing) for worker in workers),
            long_running=sum(len(worker.long_running) for worker in workers),
            nbytes=sum(worker.nbytes for worker in workers),
            memory_limit=sum(worker.memory_limit or 0 for worker in workers),
            fixed=_fixed(scheduler, workers, allowed),
            together=key(workers[0]) if key else None,
        )
        for name, workers in in_service(scheduler, name).items()
    ]


def _fixed(scheduler: Any, workers: list[Any], allowed: set[str]) -> str:
    """Why a pod can't leave; empty when it can."""
    if any(worker.actors for worker in workers):
        return "it holds an actor, which can't be moved"
    if any(worker.address not in allowed and not worker.long_running for worker in workers):
        return "a plugin of the scheduler keeps it"
    for worker in workers:
        for task in worker.processing:
            bound = task.worker_restrictions or task.host_restrictions or task.resource_restrictions
            if bound and not task.loose_restrictions and retiring.takers(scheduler, task) <= set(workers):
                return f"task {task.key} may run nowhere else"
    return ""


def room_elsewhere(scheduler: Any, name: str) -> float:
    """Bytes that workers in service outside of a group have room for."""
    return sum(
        max(0, worker.memory_limit - worker.nbytes) if worker.memory_limit else math.inf
        for worker in scheduler.running
        if group(worker) != name
    )


def at_stake(scheduler: Any) -> dict[str, int]:
    """What would be lost without any worker: results and their bytes, and tasks that are running."""
    results = [task for task in scheduler.tasks.values() if task.state == "memory"]
    running = sum(len(worker.processing) for worker in scheduler.workers.values())
    return {"results": len(results), "bytes": sum(task.get_nbytes() for task in results), "tasks": running}

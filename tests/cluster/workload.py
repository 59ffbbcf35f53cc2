"""What tests compute on a cluster, and what its scheduler tells of it."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np
from distributed import Client, get_worker

#: Selects worker Deployments and pods.
WORKERS = "app.kubernetes.io/component=worker"
#: Workers that ten of fit two cores.
SMALL = {
    "worker": {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "512Mi"}}}
}


def array(index: int) -> Any:
    """A result that says whose it is."""
    return np.full(1000, index)


def start_noted(index: int, seconds: float = 3) -> int:
    """A task that leaves a note with the scheduler when it starts."""
    get_worker().log_event("started", index)
    time.sleep(seconds)
    return index


def step(state: Any, index: int) -> Any:
    """A step of a computation that holds state."""
    get_worker().log_event("started", index)
    time.sleep(0.02)
    return state * 31 % 1_000_003 + index


def hold_the_gil(index: int) -> int:
    """Nothing else of the worker runs for twenty seconds."""
    ctypes.PyDLL(None).sleep(20)
    return index


# The pods don't have the tests, and what is of `__main__` is sent to them whole.
array.__module__ = start_noted.__module__ = step.__module__ = hold_the_gil.__module__ = "__main__"


def workers(client: Client) -> dict[str, Any]:
    """The scheduler's workers by address."""
    return dict(client.scheduler_info(n_workers=-1)["workers"])


def retired(client: Client) -> int:
    """How many of them are out of service."""
    return sum(worker["status"] == "closing_gracefully" for worker in workers(client).values())


def started(client: Client) -> list[int]:
    """What `start_noted` noted."""
    return sorted(index for _, index in client.get_events("started") or ())


def connections(client: Client) -> int:
    """How many clients have connected to the scheduler so far."""

    def count(dask_scheduler: Any) -> int:
        return int(dask_scheduler._client_connections_added_total)

    return int(client.run_on_scheduler(count))


def recomputed(client: Client) -> int:
    """Results that were lost while somebody wanted them, by the scheduler's own log."""

    def count(dask_scheduler: Any) -> int:
        return sum(
            1
            for key, begin, end, *_ in dask_scheduler.transition_log
            if begin == "memory" and end in {"released", "waiting"} and key in dask_scheduler.tasks
        )

    return int(client.run_on_scheduler(count))

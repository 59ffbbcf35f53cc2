"""When a release is put to sleep or removed: pure decisions on plain data.

Belongs here: comparing how long something has been so with how long it may be. Never here: acting, or clocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from dask_kubernetes_helm_pod.settings import UNINSTALL, Lifecycle


@dataclass(frozen=True)
class Seen:
    """For how many seconds something has been so; age None: not known."""

    idle: float = 0.0
    alone: float = 0.0
    age: float | None = None


def reason_to_remove(lifecycle: Lifecycle, seen: Seen) -> str:
    """Why the release is to be removed now; empty: it is not.

    Examples
    --------
    >>> reason_to_remove(Lifecycle(no_client_timeout=60, owner="o"), Seen(alone=61))
    'no client for 60 s'
    """
    if not lifecycle.owner:
        return ""
    limits = [
        (seen.alone, lifecycle.no_client_timeout, "no client for"),
        (seen.idle, lifecycle.idle_timeout if lifecycle.idle_action == UNINSTALL else None, "nothing to do for"),
        (seen.age or 0.0, lifecycle.ttl, "its time is over after"),
    ]
    for time, limit, words in limits:
        if limit and time >= limit:
            return f"{words} {limit:g} s"
    return ""


def is_time_to_sleep(lifecycle: Lifecycle, seen: Seen) -> bool:
    """Whether all workers go until there is work.

    Examples
    --------
    >>> is_time_to_sleep(Lifecycle(idle_timeout=60), Seen(idle=61))
    True
    """
    limit = lifecycle.idle_timeout
    return bool(limit) and lifecycle.idle_action != UNINSTALL and seen.idle >= (limit or 0)

"""Kubernetes' events, as far as they tell what is wrong or was.

Belongs here: reading one event. Never here: fetching them, or what follows from one.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

Object = dict[str, Any]

_NEVER = datetime.fromtimestamp(0, tz=timezone.utc)


def moment(text: str | None) -> datetime | None:
    """A point in time as Kubernetes writes it.

    Examples
    --------
    >>> moment("2026-11-26T21:00:00Z"), moment(None)
    (datetime.datetime(2026, 11, 26, 21, 0, tzinfo=datetime.timezone.utc), None)
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def began(state: Object) -> datetime | None:
    """When a container in this state started; None where it has not."""
    return moment(((state.get("running") or state.get("terminated")) or {}).get("startedAt"))


def last(event: Object) -> datetime:
    """When it happened last."""
    texts = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        event["metadata"].get("creationTimestamp"),
    )
    return next((found for text in texts if (found := moment(text))), _NEVER)


def concerns(event: Object, kind: str, name: str, uid: str | None = None) -> bool:
    """Whether it is about an object; one of the same name that was there before is another."""
    about = event.get("involvedObject") or {}
    if (about.get("kind"), about.get("name")) != (kind, name):
        return False
    return not uid or about.get("uid") in (None, "", uid)


def newest(events: Iterable[Object], kind: str, item: Object, *reasons: str) -> Object | None:
    """The last event about an object that has one of the reasons."""
    metadata = item["metadata"]
    found = [
        event
        for event in events
        if event.get("reason") in reasons and concerns(event, kind, metadata["name"], metadata.get("uid"))
    ]
    return max(found, key=last, default=None)


def of_release(events: Iterable[Object], deployments: Iterable[str]) -> list[Object]:
    """Events about Deployments, their ReplicaSets and their pods, by how Kubernetes names these, the oldest first.

    Examples
    --------
    >>> about = [{"metadata": {}, "involvedObject": {"name": name}} for name in ("demo-worker-5d4f-x7", "demo-work")]
    >>> [event["involvedObject"]["name"] for event in of_release(about, ["demo-worker"])]
    ['demo-worker-5d4f-x7']
    """
    names = tuple(deployments)
    prefixes = tuple(f"{name}-" for name in names)
    mine = [
        event
        for event in events
        if (name := (event.get("involvedObject") or {}).get("name", "")) in names or name.startswith(prefixes)
    ]
    return sorted(mine, key=last)

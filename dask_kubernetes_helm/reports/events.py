"""What Kubernetes tells of a release's objects: its events, folded and in order.

Belongs here: which events are a release's, on plain data, and how they read. Never here: asking for them
(inventory.py), or what they mean (diagnosis).

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from dask_kubernetes_helm import moments, tables

Object = Mapping[str, Any]

#: What Kubernetes makes names' random ends of.
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
#: Times of events are whole seconds.
_WHOLE = timedelta(seconds=1)
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Event:
    """Something that happened to an object, once or more often.

    Attributes
    ----------
    when : datetime
        When it did last.
    kind, name : str
        The object's.
    reason : str
        In one word.
    message : str
        In a sentence.
    type : str
        ``"Normal"`` or ``"Warning"``.
    count : int
        How often.
    """

    when: datetime
    kind: str
    name: str
    reason: str
    message: str
    type: str = "Normal"
    count: int = 1

    def __str__(self) -> str:
        """In one line."""
        often = f" (x{self.count})" if self.count > 1 else ""
        return f"{_clock(self.when)} {self.type} {self.reason} {self.kind}/{self.name}: {self.message}{often}"

    def to_dict(self) -> dict[str, Any]:
        """As plain data; the time in ISO 8601, UTC."""
        return {**asdict(self), "when": self.when.isoformat()}


class Events(tables.Listing[Event]):
    """Events, the newest last; a table as text and in a notebook."""

    HEADER = ("WHEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE")
    NOTHING = "No events."

    def cells(self, item: Event) -> list[str]:
        """What a row has."""
        about = f"{item.kind}/{item.name}"
        return [_clock(item.when), item.type, item.reason, about, str(item.count), item.message]


def folded(items: Iterable[Object], since: datetime | None = None) -> Events:
    """Events of the API as ours: what was said again is said once, with how often and when last.

    Parameters
    ----------
    items : iterable of dict
        As the API has them.
    since : datetime, optional
        Older ones are left out.
    """
    told: dict[tuple[str, ...], Event] = {}
    for item in items:
        about = item.get("involvedObject", {})
        words = about.get("kind"), about.get("name"), item.get("reason"), item.get("message"), item.get("type")
        kind, name, reason, message, severity = key = tuple(str(word or "").strip() for word in words)
        before, when = told.get(key), happened(item)
        count = int((item.get("series") or {}).get("count") or item.get("count") or 1)
        told[key] = Event(
            max(when, before.when) if before else when,
            kind,
            name,
            reason,
            message,
            severity or "Normal",
            count + (before.count if before else 0),
        )
    return Events(
        sorted((item for item in told.values() if not since or item.when >= since), key=lambda item: item.when)
    )


def of_release(
    items: Iterable[dict[str, Any]], deployments: Iterable[Object], others: Iterable[Object]
) -> list[dict[str, Any]]:
    """Those of a release's objects, pods that are gone included.

    Parameters
    ----------
    items : iterable of dict
        A namespace's events, as the API has them.
    deployments : iterable of dict
        The release's Deployments, whose pods and ReplicaSets are told by their names.
    others : iterable of dict
        Other objects of it, which are told by their uid.
    """
    deployments = list(deployments)
    uids = {item["metadata"]["uid"] for item in [*deployments, *others]}
    names = "|".join(re.escape(item["metadata"]["name"]) for item in deployments)
    replicaset = re.compile(rf"(?:{names})-{_RANDOM}{{1,10}}")
    patterns = {"ReplicaSet": replicaset, "Pod": re.compile(rf"{replicaset.pattern}-{_RANDOM}{{5}}")}
    # A release of the same name before this one had pods of such names too.
    began = min(
        (moments.parse(item["metadata"].get("creationTimestamp")) or _NEVER for item in deployments), default=_NEVER
    )

    def mine(item: Object) -> bool:
        about = item.get("involvedObject", {})
        pattern = patterns.get(about.get("kind", ""))
        if about.get("uid") in uids:
            return True
        return bool(names and pattern and pattern.fullmatch(about.get("name", "")) and happened(item) + _WHOLE > began)

    return [item for item in items if mine(item)]


def happened(item: Object) -> datetime:
    """When an event of the API happened last."""
    series = item.get("series") or {}
    stamps = (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("eventTime"),
        item.get("firstTimestamp"),
    )
    found = [moment for stamp in stamps if (moment := moments.parse(stamp))]
    return max(found) if found else moments.parse(item["metadata"].get("creationTimestamp")) or _NEVER


def _clock(when: datetime) -> str:
    """A point in time, by this machine's clock and zone."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")

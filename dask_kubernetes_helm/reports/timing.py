"""When a release's pods got how far, from what they, their events and the scheduler tell.

Belongs here: reading points in time, on plain data. Never here: what they come to (startup.py), or asking for them
(sights.py). Kubernetes' times are whole seconds, and each machine's clock is its own, so single steps are that exact.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions, and the kubelet's own words
on images: https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/images/image_manager.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dask_kubernetes_helm import contract, moments
from dask_kubernetes_helm.reports.startup import PodStart, StartupReport

Object = Mapping[str, Any]
#: What was shown while waiting: seconds since the beginning, row, text, whether it had got there.
Mark = tuple[float, str, str, bool]


_PULLED = re.compile(r"Successfully pulled image .* in (\S+)(?: \((\S+) including waiting\))?")
_SIZE = re.compile(r"Image size: (\d+) bytes")
_GO = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_EVER = datetime.max.replace(tzinfo=timezone.utc)


def report(
    pods: Iterable[Object],
    events: Iterable[Object],
    registered: Mapping[str, datetime],
    marks: Sequence[Mark] = (),
    *,
    release: str,
    namespace: str,
    missing: Iterable[str] = (),
) -> StartupReport:
    """The account of a start.

    Parameters
    ----------
    pods, events : iterable of dict
        A release's pods and their events, as the API has them.
    registered : mapping
        When workers came to the scheduler, by their names.
    marks : sequence
        What was shown while it started, where this process has waited for it.
    release, namespace : str
        Which release.
    missing : iterable of str
        What could not be had, and why.
    """
    events = list(events)
    starts = [_pod(item, events, registered) for item in pods]
    starts.sort(key=lambda pod: (pod.component != contract.SCHEDULER, pod.component, pod.created or _EVER, pod.name))
    totals = _totals(marks)
    taken = [pod.seconds for pod in starts if pod.component == contract.WORKER and pod.seconds is not None]
    if taken:
        totals["workers"] = max(taken)
    return StartupReport(release, namespace, totals, starts, list(missing))


def registrations(events: Iterable[tuple[float, Any]], workers: Mapping[str, Mapping[str, Any]]) -> dict[str, datetime]:
    """When workers came to the scheduler, by their names.

    Parameters
    ----------
    events : iterable of (float, dict)
        The scheduler's topic ``all``: seconds since the epoch, and what happened.
    workers : mapping
        The scheduler's workers by address.
    """
    found = {}
    for when, told in events:
        if isinstance(told, Mapping) and told.get("action") == "add-worker" and told.get("worker") in workers:
            found[str(workers[told["worker"]].get("name"))] = datetime.fromtimestamp(when, timezone.utc)
    return found


def _totals(marks: Sequence[Mark]) -> dict[str, float]:
    """Seconds by what was done, as it was shown."""

    def first(row: str, text: str = "", *, finished: bool = False) -> float | None:
        found = (at for at, shown, said, reached in marks if (shown, reached) == (row, finished) and text in said)
        return next(found, None)

    checking, installing = first("release", "checking"), first("release", "installing")
    installed, reached = first("release", finished=True), first("scheduler", finished=True)
    spans = {
        "checks": (checking, installing),
        "helm": (installing, installed),
        "scheduler": (0.0 if installed is None else installed, reached),
    }
    return {word: end - begin for word, (begin, end) in spans.items() if begin is not None and end is not None}


def _pod(item: Object, events: Iterable[Object], registered: Mapping[str, datetime]) -> PodStart:
    metadata, status = item["metadata"], item.get("status", {})
    labels, name = metadata.get("labels", {}), metadata["name"]
    component = labels.get(contract.COMPONENT_LABEL, "")
    container: Object = next((some for some in status.get("containerStatuses", []) if some["name"] == component), {})
    running = container.get("state", {}).get("running") or {}
    # Of several workers in a pod each is called after it; it has come up with the last one.
    came = [when for worker, when in registered.items() if f"{worker}-".startswith(f"{name}-")]
    pulled, seconds, size = _pull(item, events)
    return PodStart(
        name,
        component,
        labels.get(contract.GROUP_LABEL, ""),
        item.get("spec", {}).get("nodeName", ""),
        moments.parse(metadata.get("creationTimestamp")),
        _since(status, "PodScheduled"),
        pulled,
        moments.parse(running.get("startedAt")),
        _since(status, "Ready"),
        max(came, default=None),
        seconds,
        size,
        int(container.get("restartCount", 0)),
    )


def _since(status: Object, condition: str) -> datetime | None:
    """When a condition became true."""
    for item in status.get("conditions", []):
        if item["type"] == condition and item["status"] == "True":
            return moments.parse(item.get("lastTransitionTime"))
    return None


def _pull(pod: Object, events: Iterable[Object]) -> tuple[datetime | None, float | None, int | None]:
    """When a pod had its images, how many seconds they took to pull, and how large they are."""
    when, seconds, size = None, None, None
    for item in events:
        if item.get("reason") != "Pulled" or item.get("involvedObject", {}).get("uid") != pod["metadata"].get("uid"):
            continue
        first = moments.parse(item.get("firstTimestamp")) or moments.parse(item.get("eventTime"))
        when = max(filter(None, (when, first)), default=None)
        if match := _PULLED.match(item.get("message", "")):
            seconds = (seconds or 0.0) + go_seconds(match[2] or match[1])
            told = _SIZE.search(item["message"])
            size = (size or 0) + int(told[1]) if told else size
    return when, seconds, size


def go_seconds(duration: str) -> float:
    """A duration as Go writes it, in seconds.

    Examples
    --------
    >>> go_seconds("1m2.5s"), go_seconds("250ms")
    (62.5, 0.25)
    """
    return sum(float(number) * _UNITS[unit] for number, unit in _GO.findall(duration))

"""Why a worker is gone: by what its pod said last, and by events.

Belongs here: reading these. Never here: watching, asking for anything, or whose word counts (accounting.py).

Sources: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions,
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dask_kubernetes_helm import contract, tables
from dask_kubernetes_helm.diagnosis import happenings
from dask_kubernetes_helm.diagnosis.phases import is_over, is_ready
from dask_kubernetes_helm.diagnosis.pods import limit_of

Object = dict[str, Any]

OOM_KILLED, EVICTED, NODE_GONE, PREEMPTED = "OOMKilled", "Evicted", "NodeGone", "Preempted"
SCALED_DOWN, REPLACED, DELETED = "ScaledDown", "Replaced", "Deleted"
#: What was asked for by whoever runs the cluster.
INTENDED = (SCALED_DOWN, REPLACED, DELETED)

#: Reasons of the condition DisruptionTarget.
_DISRUPTIONS = {
    "PreemptionByScheduler": PREEMPTED,
    "DeletionByTaintManager": NODE_GONE,
    "DeletionByPodGC": NODE_GONE,
    "EvictionByEvictionAPI": EVICTED,
    "TerminationByKubelet": EVICTED,
}
#: Reasons of which a pod is lost, not only a container of it.
LOST_AS_A_WHOLE = {*_DISRUPTIONS.values(), *INTENDED}
#: Reasons of pods that a kubelet has ended as a whole.
_FAILURES = {"Evicted": EVICTED, "Preempting": PREEMPTED, "NodeLost": NODE_GONE, "Terminated": NODE_GONE}
#: Said of a pod that was ended as a whole and does not tell why: where its processes end well meanwhile, a kubelet may
#: call it "Succeeded" and leave the reason out. An event tells it then.
UNTOLD = "its node has ended the pod"
#: Reasons of events about a pod.
_EVENTS = {
    "Evicted": EVICTED,
    "Preempted": PREEMPTED,
    "TaintManagerEviction": NODE_GONE,
    "NodeNotReady": NODE_GONE,
    "Killing": DELETED,
}


@dataclass(frozen=True)
class LostWorker:
    """A worker that was lost.

    Attributes
    ----------
    name : str
        As Dask has it, which is the pod's name.
    pod : str
        The pod's name.
    group : str
        Its worker group.
    when : datetime
        When it ended, or was told to.
    reason : str
        One word: ``"OOMKilled"``, ``"Evicted"``, ``"NodeGone"``, ``"Preempted"``, ``"ScaledDown"``, ``"Replaced"`` (by
        a rollout), ``"Deleted"`` (by somebody), else Kubernetes' own for a container that ended: ``"Error"``,
        ``"Completed"``.
    message : str
        More of it, in a sentence without its full stop.

    Examples
    --------
    >>> when = datetime(2026, 11, 26, 21, 0, tzinfo=timezone.utc)
    >>> print(LostWorker("w-1", "w-1", "default", when, "OOMKilled", "its memory limit is 2Gi"))
    2026-11-26 21:00:00+00:00 w-1 OOMKilled: its memory limit is 2Gi
    """

    name: str
    pod: str
    group: str
    when: datetime
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.when.isoformat(' ', 'seconds')} {self.pod} {self.reason}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the time as ISO 8601."""
        return {**dataclasses.asdict(self), "when": self.when.isoformat()}


class LostWorkers(tables.Listing[LostWorker]):
    """Workers that were lost, the newest last; a table as text and in a notebook."""

    HEADER = ("WHEN", "WORKER", "REASON", "MESSAGE")
    NOTHING = "No worker was lost."

    def cells(self, item: LostWorker) -> list[str]:
        """What a row has."""
        return [item.when.isoformat(" ", "seconds"), item.pod, item.reason, item.message]


def _lost(pod: Object, when: datetime, reason: str, message: str) -> LostWorker:
    metadata = pod["metadata"]
    group = metadata.get("labels", {}).get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
    return LostWorker(metadata["name"], metadata["name"], group, when, reason, message)


# By the pod itself --------------------------------------------------------------------------------------


def restarts(pod: Object) -> list[LostWorker]:
    """Workers whose container ended while the pod stayed: as far as its status remembers.

    Told is what a container ran as before (``lastState``). That it has ended (``state``) says nothing yet: where the
    pod is ended as a whole, the container's end comes first and the reason (`removal`) after it.
    """
    if pod["metadata"].get("deletionTimestamp"):
        return []
    found = []
    for status in pod.get("status", {}).get("containerStatuses", []):
        ended = status.get("lastState", {}).get("terminated") or {}
        if status["name"] == contract.WORKER and (when := happenings.moment(ended.get("finishedAt"))):
            reason = ended.get("reason") or "Error"
            killed = f"killed for its memory; {limit_of(pod, status['name'])}"
            message = killed if reason == OOM_KILLED else f"ended with exit code {ended.get('exitCode')}"
            found.append(_lost(pod, when, reason, message))
    return found


def removal(pod: Object, now: datetime) -> LostWorker | None:
    """Why a pod goes, by what it says itself; None where it does not."""
    metadata, status = pod["metadata"], pod.get("status", {})
    deleted = happenings.moment(metadata.get("deletionTimestamp"))
    if deleted and not _has_run(pod):
        return None
    if deleted:  # Kubernetes adds the time that the pod has to end
        when = deleted - timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    elif is_over(pod):
        when = _ended(pod) or now
    else:
        return None
    if not deleted and (said := status.get("reason")):
        reason = _FAILURES.get(said, said)
        return _lost(pod, when, reason, _unstopped(status.get("message")) or f"the pod ended: {reason}")
    for condition in status.get("conditions", []):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            reason = _DISRUPTIONS.get(condition.get("reason", ""), EVICTED)
            return _lost(pod, when, reason, _unstopped(condition.get("message")) or condition.get("reason", ""))
    if deleted:
        return _lost(pod, when, DELETED, "somebody has deleted the pod")
    return _lost(pod, when, EVICTED if status["phase"] == "Succeeded" else "Error", UNTOLD)


def _has_run(pod: Object) -> bool:
    """Whether there was a worker in it, as far as its status tells: who never was is not lost."""
    status = pod.get("status", {})
    states = [item for item in status.get("containerStatuses", []) if item["name"] == contract.WORKER]
    if not states:
        return bool(status.get("phase") != "Pending")
    return any(
        item.get("restartCount")
        or happenings.began(item.get("state", {}))
        or (item.get("lastState") or {}).get("terminated")
        for item in states
    )


def with_event(lost: LostWorker, pod: Object, events: Iterable[Object]) -> LostWorker:
    """The same, with what events about the pod tell of why it was ended."""
    reasons = [reason for reason, word in _EVENTS.items() if word != DELETED]
    event = happenings.newest(events, "Pod", pod, *reasons)
    return dataclasses.replace(lost, reason=_EVENTS[event["reason"]], message=_said(event)) if event else lost


def _unstopped(message: str | None) -> str:
    return (message or "").strip().rstrip(".")


def _ended(pod: Object) -> datetime | None:
    moments = [
        happenings.moment((status.get("state", {}).get("terminated") or {}).get("finishedAt"))
        for status in pod.get("status", {}).get("containerStatuses", [])
    ]
    return max((moment for moment in moments if moment), default=None)


# By events ----------------------------------------------------------------------------------------------


def by_events(events: Iterable[Object], groups: Mapping[str, str], pods: Iterable[Object]) -> list[LostWorker]:
    """Pods that are gone, or out of reach, by what is still told of them.

    Parameters
    ----------
    events : iterable of dict
        Those of the release.
    groups : mapping
        Worker groups by the names of their Deployments.
    pods : iterable of dict
        Those that are there.
    """
    events, living = list(events), {pod["metadata"]["name"]: pod for pod in pods}
    found: dict[str, LostWorker] = {}
    for event in sorted(events, key=happenings.last):
        about = event.get("involvedObject") or {}
        name, reason = about.get("name", ""), event.get("reason", "")
        group = _group(name, groups)
        if about.get("kind") != "Pod" or group is None or reason not in _EVENTS:
            continue
        pod, word = living.get(name), _EVENTS[reason]
        if pod and word != PREEMPTED and (word == DELETED or is_ready(pod) or pod["metadata"].get("deletionTimestamp")):
            continue
        if name not in found or word != DELETED:
            message = "the pod was deleted" if word == DELETED else _said(event)
            found[name] = LostWorker(name, name, group, happenings.last(event), word, message)
    current = _current(living.values())
    return [_owned(lost, events, current) for lost in found.values()]


def _said(event: Object) -> str:
    """What an event says; for whom a pod was displaced it has in a field of its own, where it has that."""
    message, other = _unstopped(event.get("message")) or event["reason"], event.get("related") or {}
    if _EVENTS[event["reason"]] != PREEMPTED or not other.get("name"):
        return message
    return f"displaced by pod {other['name']} of namespace {other.get('namespace')}, which has a higher priority"


def _group(pod: str, groups: Mapping[str, str]) -> str | None:
    """The group of a pod, by its name: that of its Deployment, a hash, and five letters."""
    return groups.get(pod.rsplit("-", 2)[0])


def _current(pods: Iterable[Object]) -> set[str]:
    """ReplicaSets whose pods are there."""
    return {pod["metadata"]["name"].rpartition("-")[0] for pod in pods}


def _owned(lost: LostWorker, events: list[Object], current: set[str]) -> LostWorker:
    """The same, where its ReplicaSet has deleted it: to have fewer, or to have others."""
    owner = lost.pod.rpartition("-")[0]
    if lost.reason != DELETED or not any(
        event.get("reason") == "SuccessfulDelete" and event.get("message", "").endswith(f": {lost.pod}")
        for event in events
    ):
        return lost
    others = {name for name in current if name.rpartition("-")[0] == owner.rpartition("-")[0]}
    if others and owner not in others:
        return dataclasses.replace(lost, reason=REPLACED, message="a rollout has put another pod in its place")
    return dataclasses.replace(lost, reason=SCALED_DOWN, message="the number of pods was lowered")

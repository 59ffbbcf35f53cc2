"""What is wrong with a pod that is there, by its status and the events about it, and where it is on its way.

Belongs here: reading one pod. Never here: pods that were never made (refusals.py), or why one went (losses.py).

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.diagnosis import happenings, images
from dask_kubernetes_helm.diagnosis.finding import Finding, named, role
from dask_kubernetes_helm.diagnosis.phases import containers_of, is_ready
from dask_kubernetes_helm.diagnosis.placing import absent_cure, unscheduled
from dask_kubernetes_helm.errors import (
    CrashLoopError,
    MissingObjectError,
    NodeLostError,
    OutOfMemoryError,
    StartError,
)

Object = dict[str, Any]

_MISCONFIGURED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
#: Reasons of containers whose process never began, so that there is no log; and what a shell ends with where there is
#: no such program, or it may not be run.
_UNBEGUN, _NO_PROGRAM = {"StartError", "ContainerCannotRun"}, {126, 127}
#: Restarts after which a container that keeps failing is called crashing: the first may be a race at start-up.
_CRASHES = 2
#: Seconds after which a container that runs should be Ready.
UNREADY = 60.0


def examine(pod: Object, events: Iterable[Object] = ()) -> Finding | None:
    """The first thing that is wrong with a pod, or None.

    Parameters
    ----------
    pod : dict
        As the API has it.
    events : iterable of dict
        Those of the release: what a pod waits for stands only there.
    """
    events = list(events)
    for container, status in containers_of(pod):
        finding = _waiting(pod, container, status, events) or _crashing(pod, container, status)
        if finding:
            return finding
    return unscheduled(pod) or _preparing(pod, events)


def _role(pod: Object) -> str:
    return role(pod["metadata"].get("labels", {}))


# Containers ---------------------------------------------------------------------------------------------


def _waiting(pod: Object, container: str, status: Object, events: list[Object]) -> Finding | None:
    waiting = status.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if images.concerns(reason):
        return images.unpulled(pod, container, waiting, events)
    if reason in _MISCONFIGURED:
        absent = absent_cure(message)
        where = f"on node {pod['spec'].get('nodeName', '?')}"
        return Finding(
            MissingObjectError if absent else CrashLoopError,
            f"Container {container} of pod {pod['metadata']['name']} can't be started {where}: {reason}: {message}",
            absent or "Check the values that it names (a command, a user id).",
            terminal=reason != "RunContainerError",
            reason=reason,
            cause=message,
            object=named(pod),
        )
    return None


def _crashing(pod: Object, container: str, status: Object) -> Finding | None:
    state = status.get("state", {})
    ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
    restarts, well = status.get("restartCount", 0), ended and ended.get("exitCode") == 0
    # An init container that has ended well is ready. One that runs again may have ended weeks ago: restarts add up.
    if not ended or status.get("ready") or (well and (not restarts or "running" in state or _is_first(pod, container))):
        return None
    back_off = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return _ended(pod, container, status, ended, terminal=back_off or ("running" not in state and restarts >= _CRASHES))


def _is_first(pod: Object, container: str) -> bool:
    """Whether it has to end before others begin."""
    return any(
        item["name"] == container and item.get("restartPolicy") != "Always"
        for item in pod["spec"].get("initContainers", [])
    )


def _ended(pod: Object, container: str, status: Object, ended: Object, *, terminal: bool) -> Finding:
    reason, restarts = ended.get("reason") or "Error", status.get("restartCount", 0)
    after = f" after {restarts} restart{'s' * (restarts != 1)}"
    killed = reason == "OOMKilled"
    which = f"Container {container} of pod {pod['metadata']['name']}"
    how = (
        f"was killed for its memory ({reason}){after}; {limit_of(pod, container)}"
        if killed
        else f"ended with exit code {ended.get('exitCode')} ({reason}){after}"
    )
    unbegun = ended.get("message", "") if reason in _UNBEGUN else ""
    return Finding(
        OutOfMemoryError if killed else CrashLoopError,
        f"{which} could not be started{after}: {unbegun}" if unbegun else f"{which} {how}",
        _cure(pod, container, ended),
        terminal=terminal,
        reason=reason,
        cause=unbegun or f"exit code {ended.get('exitCode')}",
        pod=pod["metadata"]["name"],
        container=container,
        previous="running" in status.get("state", {}),
        object=named(pod),
    )


def _cure(pod: Object, container: str, ended: Object) -> str:
    if ended.get("reason") == "OOMKilled":
        return f"Raise its memory limit ({_role(pod)}.resources.limits.memory), or have it do less at once."
    if container == contract.PACKAGES:
        component = pod["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, contract.WORKER)
        return (
            f"pip could not install what {component}.extraPackages.pip or the variable EXTRA_PIP_PACKAGES names; its "
            "log's end says why. PIP_INDEX_URL names another index, and an image of your own may have the packages."
        )
    if ended.get("reason") in _UNBEGUN or ended.get("exitCode") in _NO_PROGRAM:
        return "Its image lacks the program, or may not run it: look at the values image, command and args."
    return "Its log's end says why."


def limit_of(pod: Object, container: str) -> str:
    """What a container's memory is limited to, in words."""
    limits = (_spec(pod, container).get("resources") or {}).get("limits") or {}
    return f"its limit is {limits['memory']}" if limits.get("memory") else "it has no limit but its node's memory"


def _spec(pod: Object, container: str) -> Object:
    specs = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    return next((item for item in specs if item["name"] == container), {})


def restarted(pod: Object, since: datetime) -> Finding | None:
    """A container that runs again after it ended, later than that; a start that fails is `examine`'s."""
    for container, status in containers_of(pod):
        ended = status.get("lastState", {}).get("terminated") or {}
        finished = happenings.moment(ended.get("finishedAt"))
        if "running" in status.get("state", {}) and status.get("ready") and finished and finished > since:
            return _ended(pod, container, status, ended, terminal=False)
    return None


def unready(pod: Object, now: datetime, events: Iterable[Object] = ()) -> Finding | None:
    """A pod all of whose containers run, but which Kubernetes does not call Ready, and that for a while."""
    status = pod.get("status", {})
    statuses = status.get("containerStatuses", [])
    begun = [happenings.moment((item.get("state", {}).get("running") or {}).get("startedAt")) for item in statuses]
    changed = [
        happenings.moment(item.get("lastTransitionTime"))
        for item in status.get("conditions", [])
        if item["type"] == "Ready"
    ]
    if is_ready(pod) or not statuses or not all(begun):
        return None
    since = max(moment for moment in (*begun, *changed) if moment)
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "?")
    lost = happenings.newest(events, "Pod", pod, "NodeNotReady")
    if lost and happenings.last(lost) >= since - timedelta(seconds=UNREADY):
        return Finding(
            NodeLostError,
            f"Node {node} of pod {name} does not answer",
            "Kubernetes makes another pod once it gives the node up; kubectl describe node tells more.",
            terminal=False,
            reason="NodeNotReady",
            cause=node,
            object=named(pod),
        )
    if now - since < timedelta(seconds=UNREADY):
        return None
    worker = pod["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL) == contract.WORKER
    says = "it is not registered with the scheduler, or is retiring" if worker else "it does not answer"
    return Finding(
        StartError,
        f"Pod {name} runs, but is not Ready: {says}",
        "Its log tells more; a NetworkPolicy or other certificates may be in the way.",
        terminal=False,
        reason="Unready",
        cause=says,
        pod=name,
        container=statuses[0]["name"],
        object=named(pod),
    )


# Before containers --------------------------------------------------------------------------------------


#: What a kubelet reports of a pod whose containers it can't create yet.
_PREPARING = {
    "FailedMount": "can't have its volumes",
    "FailedAttachVolume": "can't have its volumes",
    "FailedMapVolume": "can't have its volumes",
    "FailedCreatePodSandBox": "gets no network",
}


def _preparing(pod: Object, events: list[Object]) -> Finding | None:
    """What the containers wait for, which stands only in events; past once one of them has been created."""
    states = [status.get("state", {}) for _, status in containers_of(pod)]
    if any("waiting" not in state or state["waiting"].get("reason") not in _BEFORE for state in states):
        return None
    event = happenings.newest(events, "Pod", pod, *_PREPARING)
    if event is None or _is_prepared(pod, events, event):
        return None
    reason, message = event["reason"], event.get("message", "")
    absent, mounting = absent_cure(message), reason != "FailedCreatePodSandBox"
    return Finding(
        MissingObjectError if mounting else StartError,
        f"Pod {pod['metadata']['name']} {_PREPARING[reason]} on node {pod['spec'].get('nodeName', '?')}: {message}",
        absent or "Kubernetes goes on trying; kubectl describe the pod tells more.",
        terminal=False,
        reason=reason,
        cause=message,
        object=named(pod),
    )


def _is_prepared(pod: Object, events: list[Object], trouble: Object) -> bool:
    """Whether the kubelet has got over it, and pulls images or makes containers."""
    if any(item["type"] == _SANDBOX and item["status"] == "True" for item in pod["status"].get("conditions", [])):
        return True
    further = happenings.newest(events, "Pod", pod, *_PREPARED)
    return further is not None and happenings.last(further) >= happenings.last(trouble)


#: The condition that a pod has its volumes and its network, and events that come after both.
_SANDBOX, _PREPARED = "PodReadyToStartContainers", ("Pulling", "Pulled", "Created", "Started")
_BEFORE = {"ContainerCreating", "PodInitializing"}

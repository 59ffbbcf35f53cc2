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
    restarts = status.get("restartCount", 0)
    if not ended or (ended.get("exitCode") == 0 and not restarts) or (status.get("ready") and "running" in state):
        return None
    back_off = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return _ended(pod, container, status, ended, terminal=back_off or restarts >= _CRASHES)


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
    return Finding(
        OutOfMemoryError if killed else CrashLoopError,
        f"{which} {how}",
        _cure(pod, container, killed=killed),
        terminal=terminal,
        reason=reason,
        cause=f"exit code {ended.get('exitCode')}",
        pod=pod["metadata"]["name"],
        container=container,
        previous="running" in status.get("state", {}),
        object=named(pod),
    )


def _cure(pod: Object, container: str, *, killed: bool) -> str:
    if killed:
        return f"Raise its memory limit ({_role(pod)}.resources.limits.memory), or have it do less at once."
    if container == contract.PACKAGES:
        component = pod["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, contract.WORKER)
        return (
            f"pip could not install what {component}.extraPackages.pip or the variable EXTRA_PIP_PACKAGES names; its "
            "log's end says why. PIP_INDEX_URL names another index, and an image of your own may have the packages."
        )
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
    statuses = pod.get("status", {}).get("containerStatuses", [])
    begun = [happenings.moment((item.get("state", {}).get("running") or {}).get("startedAt")) for item in statuses]
    begun_all = [moment for moment in begun if moment]
    if is_ready(pod) or not statuses or len(begun_all) < len(statuses):
        return None
    if now - max(begun_all) < timedelta(seconds=UNREADY):
        return None
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "?")
    if happenings.newest(events, "Pod", pod, "NodeNotReady"):
        return Finding(
            NodeLostError,
            f"Node {node} of pod {name} does not answer",
            "Kubernetes makes another pod once it gives the node up; kubectl describe node tells more.",
            terminal=False,
            reason="NodeNotReady",
            cause=node,
            object=named(pod),
        )
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
    if event is None:
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


_BEFORE = {"ContainerCreating", "PodInitializing"}

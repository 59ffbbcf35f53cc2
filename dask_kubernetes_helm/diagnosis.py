"""From what Kubernetes says of pods and Deployments to one sentence and its cure.

Belongs here: reading states, on plain data. Never here: requests, waiting, or knowing Dask. A finding is terminal
when no waiting mends it; others are shown and awaited.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import (
    CrashLoopError,
    ImagePullError,
    PodCreationError,
    StartError,
    UnschedulableError,
)

Object = dict[str, Any]

_NEVER_PULLED = {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
_MISCONFIGURED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_CREATING = "pulling image, creating"
#: Restarts after which a container that keeps failing is called crashing: the first may be a race at start-up.
_CRASHES = 2


@dataclass(frozen=True)
class Finding:
    """What is wrong with a pod or a Deployment.

    Attributes
    ----------
    error : type of StartError
        What to raise when it is terminal.
    sentence, cure : str
        What is wrong, and what to do.
    terminal : bool
        Whether waiting can't mend it.
    pod, container : str
        Whose log tells more; empty when there is none.
    """

    error: type[StartError]
    sentence: str
    cure: str
    terminal: bool
    pod: str = ""
    container: str = ""


def examine(pod: Object) -> Finding | None:
    """The first thing that is wrong with a pod, or None."""
    for container, status in _containers(pod):
        finding = _waiting(pod, container, status) or _crashing(pod, container, status)
        if finding:
            return finding
    return _unscheduled(pod)


def _containers(pod: Object) -> Iterator[tuple[str, Object]]:
    status = pod.get("status", {})
    for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield item["name"], item


def _waiting(pod: Object, container: str, status: Object) -> Finding | None:
    waiting = status.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "?")
    if reason == "ErrImagePull" or reason in _NEVER_PULLED:
        return Finding(
            ImagePullError,
            f"Node {node} can't pull image {_image(pod, container)} for pod {name}: {reason}: {message}",
            "Check its name and tag, and image.pullSecrets for a private registry.",
            terminal=reason in _NEVER_PULLED,
        )
    if reason in _MISCONFIGURED:
        return Finding(
            CrashLoopError,
            f"Container {container} of pod {name} can't be started on node {node}: {reason}: {message}",
            "Check the values that it names (a missing Secret or ConfigMap, a command, a user id).",
            terminal=reason != "RunContainerError",
        )
    return None


def _crashing(pod: Object, container: str, status: Object) -> Finding | None:
    ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    restarts = status.get("restartCount", 0)
    if not ended or (ended.get("exitCode") == 0 and not restarts):
        return None
    back_off = (status.get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return Finding(
        CrashLoopError,
        f"Container {container} of pod {pod['metadata']['name']} ended with exit code {ended.get('exitCode')}"
        f" ({ended.get('reason', 'Error')}) after {restarts} restart{'s' * (restarts != 1)}",
        _cure(pod, container, ended),
        terminal=back_off or restarts >= _CRASHES,
        pod=pod["metadata"]["name"],
        container=container,
    )


def _cure(pod: Object, container: str, ended: Object) -> str:
    if ended.get("reason") == "OOMKilled":
        return "Raise its memory limit."
    if container == contract.PACKAGES:
        role = pod["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, contract.WORKER)
        return (
            f"pip could not install what {role}.extraPackages.pip or the variable EXTRA_PIP_PACKAGES names; its log's "
            "end says why. PIP_INDEX_URL names another index, and an image of your own may have the packages."
        )
    return "Its log's end says why."


def _unscheduled(pod: Object) -> Finding | None:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Finding(
                UnschedulableError,
                f"No node takes pod {pod['metadata']['name']}: {condition.get('message', condition.get('reason'))}",
                "Lower its requests, or add nodes (an autoscaler may be doing so).",
                terminal=False,
            )
    return None


def refused(deployment: Object) -> Finding | None:
    """Why Kubernetes refuses to create a Deployment's pods, or None."""
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Finding(
                PodCreationError,
                f"Kubernetes refuses pods of Deployment {deployment['metadata']['name']}: {condition.get('message')}",
                "Raise the namespace's quota, or change the values to what its policy allows.",
                terminal=True,
            )
    return None


def phase(pod: Object) -> str:
    """Where a pod is on its way, in a few words."""
    if pod["metadata"].get("deletionTimestamp"):
        return "terminating"
    if is_ready(pod):
        return "ready"
    conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions", [])}
    if conditions.get("PodScheduled") != "True":
        return "waiting for a node"
    containers = list(_containers(pod))
    for _, status in containers:
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            return {"ContainerCreating": _CREATING, "PodInitializing": "initializing"}.get(
                waiting.get("reason", ""), str(waiting.get("reason"))
            )
    return "starting" if containers else _CREATING


def is_ready(pod: Object) -> bool:
    """Whether Kubernetes calls the pod Ready."""
    return any(
        item["type"] == "Ready" and item["status"] == "True" for item in pod.get("status", {}).get("conditions", [])
    )


def is_started(pod: Object, container: str) -> bool:
    """Whether a container's process runs, ready or not."""
    return any(name == container and "running" in status.get("state", {}) for name, status in _containers(pod))


def _image(pod: Object, container: str) -> str:
    specs: Iterable[Object] = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    return next((str(item["image"]) for item in specs if item["name"] == container), "?")

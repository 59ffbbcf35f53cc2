"""Where a pod is on its way.

Belongs here: a pod's phase in a few words. Never here: what is wrong with it (pods.py).

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dask_kubernetes_helm.diagnosis.placing import nodes_said

Object = dict[str, Any]

_CREATING = "pulling image, creating"


def containers_of(pod: Object) -> Iterator[tuple[str, Object]]:
    """Names and statuses of a pod's containers, those first that run before the others."""
    status = pod.get("status", {})
    for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield item["name"], item


def phase(pod: Object) -> str:
    """Where a pod is on its way, in a few words."""
    if pod["metadata"].get("deletionTimestamp"):
        return "terminating"
    if is_over(pod):
        return str(pod["status"].get("reason") or {"Succeeded": "ended"}.get(pod["status"]["phase"], "failed")).lower()
    if is_ready(pod):
        return "ready"
    conditions = {item["type"]: item for item in pod.get("status", {}).get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") != "True":
        why = nodes_said(scheduled.get("message", ""), whole=False)
        return f"waiting for a node ({why})" if why else "waiting for a node"
    containers = list(containers_of(pod))
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


def is_over(pod: Object) -> bool:
    """Whether it has ended for good, evicted for one: it stays to be looked at, and another is made in its place.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
    """
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def is_started(pod: Object, container: str) -> bool:
    """Whether a container's process runs, ready or not."""
    return any(name == container and "running" in status.get("state", {}) for name, status in containers_of(pod))

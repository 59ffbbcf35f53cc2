"""Why no node takes a pod, by the scheduler's sentence; and what a pod names that is not there.

Belongs here: reading these texts. Never here: what nodes there are (sizing.py compares).

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/.
"""

from __future__ import annotations

import re
from typing import Any

from dask_kubernetes_helm.diagnosis.finding import Finding, named, role
from dask_kubernetes_helm.errors import MissingObjectError, UnschedulableError

Object = dict[str, Any]

#: What Kubernetes says where something that a pod names is not there.
_ABSENT = re.compile(
    r'(?P<kind>secret|configmap|persistentvolumeclaim) "(?P<name>[^"]+)" not found'
    r"|couldn't find key (?P<key>\S+) in (?P<holder>\S+ \S+)"
    r"|references non-existent (?P<part>\S+ key: \S+)",
    re.IGNORECASE,
)
#: What a scheduler's sentence says of the nodes, without how many there are, and without what preemption would bring.
_NODES = re.compile(r"^\d+/\d+ nodes are available: (?P<why>.+?)\.?(?: (?:preemption: |no new claims).*)?$", re.DOTALL)


def absent_cure(message: str) -> str:
    """What to do where something that a pod names is not there; empty where it is something else."""
    found = _ABSENT.search(message)
    if not found:
        return ""
    if found["kind"]:
        kind = found["kind"].lower()
        return (
            f"Create it in this namespace (kubectl get {kind}s lists those there), or correct its name in the values."
        )
    return "Add that key to it, or correct the key in the values."


def unscheduled(pod: Object) -> Finding | None:
    """That no node takes a pod, or None."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = str(condition.get("message") or condition.get("reason"))
            absent = absent_cure(message)
            return Finding(
                MissingObjectError if absent else UnschedulableError,
                f"No node takes pod {pod['metadata']['name']}: {nodes_said(message, whole=True)}",
                absent or _placed(message, role(pod["metadata"].get("labels", {}))),
                terminal=False,
                reason=condition.get("reason", ""),
                cause=message,
                object=named(pod),
            )
    return None


def nodes_said(message: str, *, whole: bool) -> str:
    """The scheduler's sentence without what it would take to displace others; or only why.

    Examples
    --------
    >>> said = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No victims."
    >>> nodes_said(said, whole=True), nodes_said(said, whole=False)
    ('0/2 nodes are available: 2 Insufficient cpu', '2 Insufficient cpu')
    """
    found = _NODES.match(message)
    if not found:
        return message.rstrip(".")
    return message[: found.end("why")] if whole else found["why"]


def _placed(message: str, values: str) -> str:
    """How a pod gets a node, by what the scheduler has against those there are."""
    cures = {
        "Insufficient ": f"Lower its requests ({values}.resources), or add nodes (an autoscaler may be doing so).",
        "untolerated taint": f"Tolerate the taint ({values}.tolerations), or add nodes without it.",
        "node affinity/selector": f"No node that is free has the labels that it asks for ({values}.nodeSelector, "
        f"{values}.affinity): kubectl get nodes --show-labels.",
        "topology spread": f"{values}.topologySpreadConstraints allows no more pods on the nodes there are.",
        "Too many pods": "The nodes hold as many pods as they may: add nodes (an autoscaler may be doing so).",
        "scheduling gates": "Whoever has gated it (Kueue, for one) has to let it go.",
    }
    given = [cure for words, cure in cures.items() if words in message]
    return " ".join(given) or "kubectl describe the pod; an autoscaler may be adding nodes."

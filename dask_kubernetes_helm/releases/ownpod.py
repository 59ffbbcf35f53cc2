"""The pod that this process runs in, as far as it can be known from inside.

Belongs here: its name, its namespace, asking for it, and whether a release's policies take it for a client. Never here:
what follows from that.

Source: https://kubernetes.io/docs/concepts/containers/container-environment/.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import KubernetesError
from dask_kubernetes_helm.kubeapi.kube import Kube

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def inside() -> bool:
    """Whether this process runs in a pod."""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def name() -> str:
    """The pod's name, which Kubernetes gives it for a host name."""
    return os.environ.get("HOSTNAME") or socket.gethostname()


def namespace() -> str:
    """The pod's namespace; empty where it has no service account that would tell."""
    with contextlib.suppress(OSError):
        return _NAMESPACE.read_text().strip()
    return ""


async def find(kube: Kube) -> dict[str, Any] | None:
    """The pod, where there is one in the release's namespace and these credentials may see it."""
    if inside() and namespace() == kube.namespace:
        with contextlib.suppress(KubernetesError):
            return await kube.get("pods", name())
    return None


async def stranger(kube: Kube, release: str) -> str:
    """How to make this pod a client, where it may be none to the release's NetworkPolicies; else nothing.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose policies.
    """
    if not inside():
        return ""
    own, where = await find(kube), namespace()
    labels = (own or {}).get("metadata", {}).get("labels") or {}
    if labels.get(contract.CLIENT_LABEL) in (release, "true"):
        return ""
    lacks = "has no label" if own else "may have no label"
    label = f"{contract.CLIENT_LABEL}={release}"
    cure = f"`kubectl label pod {name()}{f' --namespace {where}' if where else ''} {label}` makes it one"
    there = f", and networkPolicy.client.namespaceSelector lets namespace {where} in" if where != kube.namespace else ""
    return (
        f"If a NetworkPolicy is in the way: this pod {lacks} {contract.CLIENT_LABEL}, by which the chart's policies "
        f"know clients; {cure}{there}"
    )

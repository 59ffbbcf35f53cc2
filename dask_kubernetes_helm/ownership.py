"""Who a release belongs to: a small object that takes everything along when it is deleted.

Belongs here: making that object, telling Helm's records who owns them, and deleting it. Never here: Helm, or when a
release ends (the agent in the scheduler decides that, see chart/files; or closing does).

Every object of the release refers to a ConfigMap as its owner, so Kubernetes' garbage collector removes them all when
it is deleted, by whomever. Inside the cluster that ConfigMap belongs to the pod that this process runs in.
Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#owners-dependents
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import KubernetesError, WorkloadNotFoundError
from dask_kubernetes_helm.kube import Kube

#: Labels Helm's record of a release with its owner's uid, so that we never remove somebody else's.
OWNER_LABEL = "dask.org/created-by"
_CONFLICT = 409
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Owner:
    """The ConfigMap that a release belongs to."""

    name: str
    uid: str

    @property
    def reference(self) -> dict[str, Any]:
        """As Kubernetes writes it."""
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": self.name, "uid": self.uid}


def of(item: dict[str, Any]) -> Owner | None:
    """The owner that an object of the chart refers to."""
    for reference in item["metadata"].get("ownerReferences", ()):
        if reference["kind"] == "ConfigMap":
            return Owner(reference["name"], reference["uid"])
    return None


async def create(kube: Kube, release: str, *, bound: bool) -> Owner:
    """Make an owner for a release that is to be installed; `bound`: it goes with this process, and so with its pod."""
    metadata: dict[str, Any] = {
        "generateName": f"{release}-owner-",
        "labels": {
            contract.PART_OF_LABEL: contract.PART_OF,
            contract.INSTANCE_LABEL: release,
            contract.COMPONENT_LABEL: contract.OWNER,
        },
    }
    if bound and (pod := await _own_pod(kube)):
        metadata["ownerReferences"] = [pod]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    made = await kube.create("configmaps", body)
    return Owner(made["metadata"]["name"], made["metadata"]["uid"])


async def _own_pod(kube: Kube) -> dict[str, Any] | None:
    """A reference to the pod that this process runs in, where that is in the release's namespace."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return None
    with contextlib.suppress(OSError, KubernetesError):
        if _POD_NAMESPACE.read_text().strip() == kube.namespace:
            pod = await kube.get("pods", os.environ.get("HOSTNAME") or socket.gethostname())
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
    return None


async def tie(kube: Kube, owner: Owner, objects: list[dict[str, Any]]) -> None:
    """Have an owner go when somebody else's `helm uninstall` has removed all of these.

    One that belongs to a pod goes with that pod: Kubernetes removes what has several owners when all of them are gone.
    """
    item = await kube.get("configmaps", owner.name)
    if not item["metadata"].get("ownerReferences"):
        await kube.patch("configmaps", owner.name, {"metadata": {"ownerReferences": objects}})


async def adopt_records(kube: Kube, release: str, owner: Owner) -> None:
    """Have Helm's records of a release go with its owner; Helm itself can't be told."""
    patch = {"metadata": {"ownerReferences": [owner.reference], "labels": {OWNER_LABEL: owner.uid}}}
    records = await kube.names("secrets", f"owner=helm,name={release}")
    await asyncio.gather(*(kube.patch("secrets", record, patch) for record in records))


async def sweep(kube: Kube, release: str) -> None:
    """Delete Helm's records of an earlier release of this name whose owner is gone.

    A process that is killed between Helm's last act and `adopt_records` leaves one, and the name would stay taken.
    """
    for record in await kube.metadata("secrets", f"owner=helm,name={release},{OWNER_LABEL}"):
        uid = record["metadata"]["labels"][OWNER_LABEL]
        selector = contract.selector(release, contract.OWNER)
        if uid not in {owner["metadata"]["uid"] for owner in await kube.metadata("configmaps", selector)}:
            await kube.delete("secrets", record["metadata"]["name"], record["metadata"]["uid"])


async def remove(kube: Kube, owner: Owner) -> None:
    """Delete the owner, and with it whatever it owns; nothing to do where it is gone."""
    try:
        await kube.delete("configmaps", owner.name, owner.uid)
    except WorkloadNotFoundError:
        return
    except KubernetesError as error:
        if error.status != _CONFLICT:  # another object of that name
            raise

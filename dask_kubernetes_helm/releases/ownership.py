"""Who a release belongs to: a small object that takes everything along when it is deleted.

Belongs here: making that object, telling Helm's records who owns them, and deleting it. Never here: Helm, or when a
release ends (the agent in the scheduler decides that, see chart/files; or closing does).

Every object of the release refers to a ConfigMap as its owner, so Kubernetes' garbage collector removes them all when
it is deleted, by whomever. Inside the cluster that ConfigMap belongs to the pod that this process runs in.
Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#owners-dependents
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dask_kubernetes_helm import contract, naming
from dask_kubernetes_helm.errors import KubernetesError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.releases import ownpod

#: Labels Helm's record of a release with its owner's uid, so that we never remove somebody else's.
OWNER_LABEL = "dask.org/created-by"
#: On an owner: the user's name where the release was made, for who finds the name taken.
USER_ANNOTATION = "dask.org/user"
_IS_OWNER = f"{contract.COMPONENT_LABEL}={contract.OWNER}"
#: Seconds that a release may take from its owner to Helm's record.
_INSTALLING = 600.0
_CONFLICT = 409


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
        "annotations": {USER_ANNOTATION: naming.user()},
    }
    if bound and (pod := await ownpod.find(kube)):
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    made = await kube.create("configmaps", body)
    return Owner(made["metadata"]["name"], made["metadata"]["uid"])


async def adopt_records(kube: Kube, release: str, owner: Owner) -> None:
    """Have Helm's records of a release go with its owner; Helm itself can't be told."""
    patch = {"metadata": {"ownerReferences": [owner.reference], "labels": {OWNER_LABEL: owner.uid}}}
    records = await kube.names("secrets", f"owner=helm,name={release}")
    await asyncio.gather(*(kube.patch("secrets", record, patch) for record in records))


async def sweep(kube: Kube, release: str) -> None:
    """Delete what lost its other half: Helm's records of this name whose owner is gone, owners whose records are.

    A process that is killed between Helm's last act and `adopt_records` leaves a record, and the name would stay taken;
    `helm uninstall` by hand leaves an owner that owns nothing.

    Ages are the API server's, by the newest owner, which is that of whoever sweeps: a clock that is wrong here would
    take another's release away while it is being installed.
    """
    owners, records = await asyncio.gather(
        kube.metadata("configmaps", f"{contract.PART_OF_LABEL}={contract.PART_OF},{_IS_OWNER}"),
        kube.metadata("secrets", f"owner=helm,{OWNER_LABEL}"),
    )
    now = max(map(created, owners), default=0.0)
    uids = {owner["metadata"]["uid"] for owner in owners}
    for record in records:
        if record["metadata"]["labels"]["name"] == release and record["metadata"]["labels"][OWNER_LABEL] not in uids:
            await kube.delete("secrets", record["metadata"]["name"], record["metadata"]["uid"])
    recorded = {record["metadata"]["labels"][OWNER_LABEL] for record in records}
    for owner in owners:
        if owner["metadata"]["uid"] not in recorded and now - created(owner) > _INSTALLING:
            await remove(kube, Owner(owner["metadata"]["name"], owner["metadata"]["uid"]))


def created(item: dict[str, Any]) -> float:
    """When an object was made, in seconds since the epoch."""
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"].replace("Z", "+00:00")).timestamp()


async def remove(kube: Kube, owner: Owner) -> None:
    """Delete the owner, and with it whatever it owns; nothing to do where it is gone."""
    try:
        await kube.delete("configmaps", owner.name, owner.uid)
    except WorkloadNotFoundError:
        return
    except KubernetesError as error:
        if error.status != _CONFLICT:  # another object of that name
            raise

"""All that Kubernetes has of a release, and what it tells of it.

Belongs here: asking for every kind of object that a release may have, as far as the credentials allow. Never here: what
is made of the answers (events.py, startup.py, collecting.py).
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import KubernetesError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.reports import events

#: All kinds that the chart may create, or that others create for it.
KINDS = (
    "deployments", "replicasets", "pods", "services", "configmaps", "serviceaccounts", "roles", "rolebindings",
    "networkpolicies", "poddisruptionbudgets", "ingresses", "httproutes", "persistentvolumeclaims", "servicemonitors",
    "podmonitors", "prometheusrules", "certificates",
)  # fmt: skip
#: Kinds, beside pods and what makes them, that Kubernetes has events of.
_EVENTFUL = ("services", "poddisruptionbudgets", "ingresses", "persistentvolumeclaims", "certificates")


async def objects(
    kube: Kube, release: str, kinds: tuple[str, ...] = KINDS
) -> dict[str, list[Object] | KubernetesError]:
    """A release's objects by kind; for a kind that can't be had, why.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose.
    kinds : tuple of str
        Which kinds; one that the cluster does not know has no objects.
    """

    async def one(kind: str) -> list[Object] | KubernetesError:
        try:
            return await kube.find(kind, contract.selector(release))
        except WorkloadNotFoundError:
            return []
        except KubernetesError as error:
            return error

    return dict(zip(kinds, await asyncio.gather(*map(one, kinds)), strict=True))


async def happenings(kube: Kube, release: str) -> list[Object]:
    """Events of a release's objects, as the API has them.

    Raises
    ------
    KubernetesError
        Events or Deployments may not be listed; other kinds are left out then.
    """
    told, deployments, others = await asyncio.gather(
        kube.find("events"),
        kube.find("deployments", contract.selector(release)),
        objects(kube, release, _EVENTFUL),
    )
    found = [item for items in others.values() if isinstance(items, list) for item in items]
    return events.of_release(told, deployments, found)


async def happened(kube: Kube, release: str, since: datetime | None = None) -> events.Events:
    """Events of a release's objects, folded; see `happenings`."""
    return events.folded(await happenings(kube, release), since)

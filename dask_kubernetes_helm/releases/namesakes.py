"""Who has a release's name: what is told where it is taken, and where there is no such release.

Belongs here: looking for that once something went wrong, and the errors that have it. Never here: finding a release
(release.py), or Helm's records of releases that are gone (leftovers.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    HelmClusterError,
    NamespaceNotFoundError,
    ReleaseExistsError,
    ReleaseNotFoundError,
    WorkloadNotFoundError,
    WrongChartError,
)
from dask_kubernetes_helm.helmcli import helmrecord
from dask_kubernetes_helm.kubeapi import kubesaid
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.releases import ownership
from dask_kubernetes_helm.text import did_you_mean

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


async def no_namespace(kube: Kube) -> NamespaceNotFoundError | None:
    """The error for a namespace that there is not, where nothing was found in it; None where there is."""
    if await kube.namespace_exists():
        return None
    return kubesaid.no_namespace(kube.namespace, kube.credentials, await kube.namespaces())


async def absent(kube: Kube, name: str, known: Iterable[str]) -> HelmClusterError:
    """The error for a release that there is not: no such namespace, another chart's, or none that is near.

    Parameters
    ----------
    kube : Kube
        The door to the API, in the namespace that was looked in.
    name : str
        What was looked for.
    known : iterable of str
        The releases of this chart that are there.
    """
    if missing := await no_namespace(kube):
        return missing.concerning(name, None)
    records, names = await _records(kube, name), sorted(known)
    newest = helmrecord.newest(records)
    if newest and not any(map(_owner, records)):
        return WrongChartError(
            f"The release {name!r} in namespace {kube.namespace} is of the chart {_chart(newest)}, and has no "
            "Deployment of this package's chart",
            cure=f"Name a release of ours; there: {', '.join(names) or 'none'}. `dask helm convert` makes values of "
            "another Dask chart's.",
        )
    cure = f"Releases there: {', '.join(names) or 'none'}."
    if newest:
        cure += f" An install of {name} is under way, or came to nothing: see `dask helm status {name}`."
    return ReleaseNotFoundError(
        f"There is no release {name!r} of this chart in namespace {kube.namespace}{did_you_mean(name, names)}",
        cure=cure,
    )


async def taken(kube: Kube, name: str) -> ReleaseExistsError:
    """The error for a release whose name is taken: by what, whose, and since when."""
    records = await _records(kube, name)
    newest, ours = helmrecord.newest(records), [_owner(record) for record in records]
    told = []
    if newest:
        told.append(f"of the chart {_chart(newest)}, {newest['status']}")
    if records:
        age = datetime.now(timezone.utc).timestamp() - min(ownership.created(record) for record in records)
        uid = next(filter(None, ours), "")
        whose = await _maker(kube, uid) if uid else "helm install, so that it belongs to nobody"
        told.append(f"installed {_ago(age)} ago by {whose}")
    attach = f'HelmCluster.from_name("{name}", namespace="{kube.namespace}")'
    remove = f"dask helm delete {name} -n {kube.namespace}"
    if records and not any(ours):
        remove = f"helm uninstall {name} --namespace {kube.namespace}"
    return ReleaseExistsError(
        f"A release of this name exists already{': ' + ', '.join(told) if told else ''}",
        cure=f"Attach to it with {attach}, choose another name, or remove it: {remove}.",
    )


async def _records(kube: Kube, name: str) -> list[Object]:
    """Helm's records of a release; none where they may not be seen."""
    try:
        return await kube.find("secrets", f"owner=helm,name={name}")
    except ForbiddenError:
        return []


def _owner(record: Object) -> str:
    return str(record["metadata"].get("labels", {}).get(ownership.OWNER_LABEL, ""))


async def _maker(kube: Kube, uid: str) -> str:
    """Whom the owner of a release says that it was made by."""
    try:
        owners = await kube.find("configmaps", f"{contract.COMPONENT_LABEL}={contract.OWNER}")
    except (ForbiddenError, WorkloadNotFoundError):
        owners = []
    for owner in owners:
        if owner["metadata"]["uid"] == uid:
            user = owner["metadata"].get("annotations", {}).get(ownership.USER_ANNOTATION, "somebody")
            return f"{user} (owner configmap/{owner['metadata']['name']})"
    return "somebody whose owner object is gone"


def _chart(told: dict[str, Any]) -> str:
    return f"{told['chart']['name']}-{told['chart']['version']}"


def _ago(seconds: float) -> str:
    """A span of time in the unit that people would take.

    Examples
    --------
    >>> _ago(5), _ago(90), _ago(7200), _ago(200000)
    ('5 s', '1 min', '2 h', '2 d')
    """
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"

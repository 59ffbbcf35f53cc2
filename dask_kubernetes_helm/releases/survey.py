"""Asking Kubernetes which releases there are, how they stand, and what is left of those that are gone.

Belongs here: these requests, and removing what is left. Never here: what the answers mean (overview.py, leftovers.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.connections.schedulerpod import SchedulerPod
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError, ReleaseNotFoundError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.releases import leftovers, namesakes, overview, ownership
from dask_kubernetes_helm.releases.leftovers import Leftover
from dask_kubernetes_helm.releases.overview import Overview

_OURS = f"{contract.PART_OF_LABEL}={contract.PART_OF}"
_WARNINGS = "type=Warning"
#: Of a scheduler's page of metrics: seconds since there was a client; see observing.py in chart/files.
_ALONE = re.compile(rb"^dask_agent_alone_seconds (\S+)$", re.MULTILINE)
_PREFIX = "--dashboard-prefix="
#: Seconds that a scheduler's page of metrics may take; how many are asked at once.
_PAGE_TIMEOUT, _AT_ONCE = 10.0, 8


async def releases(kube: Kube, *, everywhere: bool = False) -> list[Overview]:
    """The releases of a namespace, or of all.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    everywhere : bool
        In all namespaces, which takes a right that most users have not; Helm's records are not asked for then.

    Raises
    ------
    NamespaceNotFoundError
        Rather than that there are none.
    KubernetesError
    """
    if everywhere:
        return overview.releases(await kube.find_everywhere("deployments", _OURS))
    deployments, records = await asyncio.gather(kube.find("deployments", _OURS), _records(kube))
    if not deployments and not records and (missing := await namesakes.no_namespace(kube)):
        raise missing
    told = overview.records(records)
    found = overview.releases(deployments, records=told)
    # What is not Ready is looked at closely; a pod tells more than its Deployment.
    pods, events = list[Object](), list[Object]()
    if closer := [one for one in found if one.status != overview.READY]:
        events = await _warnings(kube)
        for one in closer:
            pods += await kube.find("pods", contract.selector(one.name))
    found = overview.releases(deployments, pods, told, events)
    ours = overview.records(record for record in records if ownership.OWNER_LABEL in record["metadata"]["labels"])
    there = {one.name for one in found}
    return found + [
        overview.recorded(name, kube.namespace, record) for name, record in sorted(ours.items()) if name not in there
    ]


async def release(kube: Kube, name: str) -> Overview:
    """One release with its pods.

    Raises
    ------
    ReleaseNotFoundError, NamespaceNotFoundError
        Names those that are near.
    WrongChartError
    """
    selector = contract.selector(name)
    deployments, pods, records, events = await asyncio.gather(
        kube.find("deployments", selector), kube.find("pods", selector), _records(kube, name), _warnings(kube)
    )
    if deployments:
        (found,) = overview.releases(deployments, pods, overview.records(records), events)
        return found
    if any(ownership.OWNER_LABEL in record["metadata"]["labels"] for record in records):
        return overview.recorded(name, kube.namespace, overview.records(records)[name])
    names = [one.name for one in await releases(kube)]
    raise await namesakes.absent(kube, name, names)


async def _records(kube: Kube, name: str = "") -> list[Object]:
    """Metadata of Helm's records; none where they may not be seen, as for who only attaches."""
    try:
        return await kube.metadata("secrets", f"owner=helm,name={name}" if name else "owner=helm")
    except ForbiddenError:
        return []


async def _warnings(kube: Kube) -> list[Object]:
    """Events that tell of trouble, of whatever there is in the namespace; none where they may not be seen."""
    try:
        return (await kube.snapshot("events", fields=_WARNINGS))[0]
    except ForbiddenError:
        return []


# What is left ---------------------------------------------------------------------------------------------


async def left(kube: Kube, *, unused: float | None = None) -> list[Leftover]:
    """What is left in a namespace of releases that nobody wants any more.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    unused : float, optional
        Seconds after which a release counts that had no client for so long; None: none does. Only releases whose
        image has prometheus_client tell.

    Raises
    ------
    KubernetesError
    """
    owners, records, alone = await asyncio.gather(
        _owners(kube),
        kube.metadata("secrets", f"owner=helm,{ownership.OWNER_LABEL}"),
        _alone(kube) if unused is not None else _nothing(),
    )
    # After the records: what has become deployed meanwhile has its Deployments.
    deployments = await kube.find("deployments", _OURS)
    return leftovers.judge(kube.namespace, owners, records, deployments, time.time(), alone=alone, unused=unused)


async def remove_named(kube: Kube, name: str) -> None:
    """Remove all that there is of a release without Deployments: its owners, and Helm's records of it.

    Raises
    ------
    ReleaseNotFoundError
        There is nothing of it that is ours.
    HelmClusterError
        Helm's newest record is somebody else's.
    KubernetesError
        A right is lacking, for one.
    """
    try:
        for leftover in await _named(kube, name):
            await remove(kube, leftover)
    except HelmClusterError as error:
        error.concerning(name, kube.namespace)
        raise


async def _named(kube: Kube, name: str) -> list[Leftover]:
    """What there is of a release without Deployments, if it is ours."""
    owners, records = await asyncio.gather(_owners(kube), kube.metadata("secrets", f"owner=helm,name={name}"))
    if records and leftovers.changed_by_hand(records):
        raise HelmClusterError(
            "Its newest revision is none of this package's, so the release is left in place",
            cure=f"helm uninstall {name} --namespace {kube.namespace}",
        )
    found = leftovers.named(name, kube.namespace, owners, records)
    if not found:
        raise ReleaseNotFoundError(
            "Nothing of the release was there to be removed, as somebody else has removed it",
            cure=f"`dask helm list -n {kube.namespace}` tells what there is.",
        )
    return found


async def _owners(kube: Kube) -> list[Object]:
    """Metadata of what releases of this package belong to."""
    return await kube.metadata("configmaps", f"{_OURS},{contract.COMPONENT_LABEL}={contract.OWNER}")


async def remove(kube: Kube, leftover: Leftover) -> None:
    """Remove what is left of a release; nothing to do where it is gone."""
    if leftover.owner:
        await ownership.remove(kube, leftover.owner)
    for name, uid in leftover.records:
        with contextlib.suppress(WorkloadNotFoundError):
            await kube.delete("secrets", name, uid)


async def _nothing() -> dict[str, float]:
    return {}


async def _alone(kube: Kube) -> dict[str, float]:
    """Seconds for which releases have had no client, as far as their schedulers tell."""
    schedulers = await kube.find("deployments", f"{_OURS},{contract.COMPONENT_LABEL}={contract.SCHEDULER}")
    limit = asyncio.Semaphore(_AT_ONCE)

    async def seconds(deployment: Object) -> tuple[str, float]:
        name = deployment["metadata"]["labels"][contract.INSTANCE_LABEL]
        async with limit:
            with contextlib.suppress(HelmClusterError, OSError, asyncio.TimeoutError, ValueError):
                page = await asyncio.wait_for(_page(kube, name, f"{prefix(deployment)}/metrics"), _PAGE_TIMEOUT)
                if match := _ALONE.search(page):
                    return name, float(match[1])
        return name, 0.0

    return dict(await asyncio.gather(*map(seconds, schedulers)))


def prefix(deployment: Object) -> str:
    """The path that a scheduler's pages are under, by its Deployment; empty where it is the root."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for argument in [*container.get("command", []), *container.get("args", [])]:
            if str(argument).startswith(_PREFIX):
                return "/" + str(argument).removeprefix(_PREFIX).strip("/")
    return ""


async def _page(kube: Kube, release: str, path: str) -> bytes:
    """What a scheduler shows at a path, through the API server; by HTTP 1.0, which ends where the page does."""
    stream = await SchedulerPod(kube, release).dial(contract.DASHBOARD_PORT)
    try:
        await stream.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        parts = []
        while data := await stream.read():
            parts.append(data)
        return b"".join(parts)
    finally:
        stream.abort()

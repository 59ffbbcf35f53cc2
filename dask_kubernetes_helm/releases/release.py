"""A release's objects: found by their labels, reached and scaled. Needs no helm.

Belongs here: what an attached cluster can do. Never here: what is only looked at (sights.py), what needs Helm
(lifecycle.py has it), Dask's own machinery (cluster.py), or details of Kubernetes (its door has them).
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.connections import certificates, dashboards
from dask_kubernetes_helm.connections.connect import IN_CLUSTER, Connection, Router
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    SchedulerUnreachableError,
    TlsSecretError,
    WorkerGroupNotFoundError,
    WorkloadNotFoundError,
)
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.releases import namesakes, ownership, ownpod
from dask_kubernetes_helm.reports.sights import Sights
from dask_kubernetes_helm.text import did_you_mean
from dask_kubernetes_helm.waiting import showing
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

#: Seconds between attempts to reach a scheduler whose container has started; Kubernetes tells nothing in between.
_PROBE_INTERVAL = 0.2
#: Seconds after which a scheduler that is Ready should have answered whoever may talk to it.
_SILENT = 30.0
#: Seconds between looks for a Secret that somebody else is making.
_SECRET_INTERVAL = 1.0


class Release(Sights):
    """One release of the chart, by what Kubernetes has of it.

    Parameters
    ----------
    name : str
        The release's name.
    kube : Kube
        The door to the API, in the release's namespace.
    """

    def __init__(self, name: str, kube: Kube) -> None:
        super().__init__(name, kube)
        self.chart = ""
        #: The scheduler's Service, as it was found.
        self.service: dict[str, Any] = {}
        #: The dashboard's own, where it has one.
        self.dashboard: dict[str, Any] = {}
        self.groups: dict[str, str] = {}
        self.replicas: dict[str, int] = {}
        #: How many pods of a group were Ready when its Deployment was looked at last.
        self.ready: dict[str, int] = {}
        self.owner: ownership.Owner | None = None
        self._client_tls: dict[str, str] = {}

    # Being found ----------------------------------------------------------------------------------------

    async def find(self) -> None:
        """Find the release's objects by their labels.

        Raises
        ------
        ReleaseNotFoundError, NamespaceNotFoundError
            Names those that are near.
        WrongChartError
        """
        deployments = await self.kube.find("deployments", f"{contract.PART_OF_LABEL}={contract.PART_OF}")
        names = {item["metadata"]["labels"].get(contract.INSTANCE_LABEL, "") for item in deployments}
        mine = [item for item in deployments if item["metadata"]["labels"].get(contract.INSTANCE_LABEL) == self.name]
        if not mine:
            raise await namesakes.absent(self.kube, self.name, names)
        self._take(mine)
        if any(item["metadata"]["labels"][contract.COMPONENT_LABEL] == contract.SCHEDULER for item in mine):
            services = {
                item["metadata"]["labels"].get(contract.COMPONENT_LABEL): item
                for item in await self.kube.find("services", contract.selector(self.name))
            }
            if contract.SCHEDULER not in services:
                raise WorkloadNotFoundError(
                    "The release has no scheduler Service", cure="Reinstall it: its objects are incomplete."
                ).concerning(self.name, self.namespace)
            self.service, self.dashboard = services[contract.SCHEDULER], services.get(contract.DASHBOARD, {})

    def _take(self, deployments: list[dict[str, Any]]) -> None:
        self.groups.clear()
        self.replicas.clear()
        for item in deployments:
            self.owner = ownership.of(item)
            labels = item["metadata"]["labels"]
            if labels[contract.COMPONENT_LABEL] == contract.WORKER:
                group = labels[contract.GROUP_LABEL]
                self.groups[group] = item["metadata"]["name"]
                self.replicas[group] = item["spec"].get("replicas", 1)
            else:
                told = item["metadata"].get("annotations", {}).get(contract.CLIENT_TLS)
                self._client_tls = json.loads(told) if told else {}
            self.chart = labels.get(contract.CHART_LABEL, self.chart)

    # Being reached --------------------------------------------------------------------------------------

    async def reach(
        self,
        probe: Callable[[str], Awaitable[bool]],
        progress: Progress,
        timeout: float,
        routing: Routing | None = None,
    ) -> Connection:
        """Open a route to the scheduler and wait until it answers there.

        Parameters
        ----------
        probe : coroutine function
            Whether a scheduler answers at an address.
        progress : Progress
            Where to show what is awaited.
        timeout : float
            Seconds that the scheduler may take; a load balancer has its own.
        routing : Routing, optional
            How to reach it; by default as Dask's configuration says.

        Raises
        ------
        StartError, PortInUseError
        """
        if not self.service:
            raise WorkloadNotFoundError(
                "The release has no scheduler of its own: its workers go to one elsewhere",
                cure="Connect to that one, as the process that has it does.",
            ).concerning(self.name, self.namespace)
        async with Watcher(self.kube, self.name) as watcher:
            tick, wanted = functools.partial(showing.pods, watcher, progress), routing or Routing.configured()
            router = Router(self.kube, self.name, self.service, wanted, watcher, timeout, progress, tick)
            connection = await router.connect()
            try:
                await self._answers(watcher, connection, probe, timeout, tick)
                await dashboards.lead(connection, router, self.dashboard)
            except BaseException:
                await connection.close()
                raise
        progress.done("scheduler", f"reached at {connection.address} by {connection.route}")
        return connection

    async def _answers(
        self,
        watcher: Watcher,
        connection: Connection,
        probe: Callable[[str], Awaitable[bool]],
        timeout: float,
        tick: Callable[[], None],
    ) -> None:
        silent, patience = math.inf, min(_SILENT, timeout / 2)

        async def answers() -> bool:
            nonlocal silent
            pods = watcher.of(contract.SCHEDULER)
            if any(diagnosis.is_started(pod, contract.SCHEDULER) for pod in pods) and await probe(connection.address):
                return True
            silent = min(silent, time.monotonic()) if any(map(diagnosis.is_ready, pods)) else math.inf
            if connection.route == IN_CLUSTER and time.monotonic() - silent > patience:
                await self._raise_for_strangers()
            return False

        await watcher.until(
            answers,
            component=contract.SCHEDULER,
            timeout=timeout,
            what="The scheduler",
            tick=tick,
            interval=_PROBE_INTERVAL,
        )

    async def _raise_for_strangers(self) -> None:
        """A policy lets connections run into nothing, so waiting for one would only take the whole time."""
        if cure := await ownpod.stranger(self.kube, self.name):
            raise SchedulerUnreachableError(
                "The scheduler is Ready, but this pod gets no answer from it",
                cure=cure,
                release=self.name,
                namespace=self.namespace,
            )

    @property
    def client_secret(self) -> str:
        """The Secret with a client's certificates; empty where comms are not encrypted."""
        return self._client_tls.get("secret", "")

    async def certificates(self, timeout: float = 0.0) -> dict[str, str] | None:
        """A client's certificates, as PEM by `ca`, `cert` and `key`; None where comms are not encrypted.

        Parameters
        ----------
        timeout : float
            Seconds that whoever makes them may take.

        Raises
        ------
        ForbiddenError, TlsSecretError
        """
        if not self._client_tls:
            return None
        name, deadline = self._client_tls["secret"], time.monotonic() + timeout
        while True:
            try:
                secret = await self.kube.get("secrets", name)
                return certificates.texts(secret, self._client_tls)
            except ForbiddenError as error:
                raise ForbiddenError(
                    f"These credentials may not get the Secret {name}, which has the certificates for Dask's comms",
                    cure=f"Ask for a Role with get on secrets named {name} (docs/tls.md has one), or give security=.",
                ).concerning(self.name, self.namespace) from error
            except WorkloadNotFoundError as error:
                if time.monotonic() >= deadline:
                    raise TlsSecretError(
                        f"The Secret {name}, which has the certificates for Dask's comms, is not there or not complete",
                        cure="Create it, or see why cert-manager does not: kubectl describe certificate.",
                    ).concerning(self.name, self.namespace) from error
            await asyncio.sleep(_SECRET_INTERVAL)

    # Being scaled -------------------------------------------------------------------------------------

    def deployment(self, group: str | None) -> str:
        """The name of a worker group's Deployment.

        Raises
        ------
        WorkerGroupNotFoundError
        """
        group = group or contract.DEFAULT_GROUP
        if group not in self.groups:
            raise WorkerGroupNotFoundError(
                f"There is no worker group {group!r}{did_you_mean(group, self.groups)}",
                cure=f"Groups are: {', '.join(sorted(self.groups))}.",
            ).concerning(self.name, self.namespace)
        return self.groups[group]

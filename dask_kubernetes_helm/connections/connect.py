"""By which route this process reaches a release's scheduler.

Belongs here: choosing a route, waiting until it is there, and holding it open. Never here: Dask's own protocol, or
retries of it; reading what a Service offers (routing.py).
An address that the user has told comes before all. Inside the cluster the Service's name is enough, whatever its type;
outside, a load balancer or a node's port leads there if the Service has one that can be used from here, else a
port-forward of our own through the API server.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.connections import routing
from dask_kubernetes_helm.connections.connection import Connection
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.connections.schedulerpod import SchedulerPod
from dask_kubernetes_helm.errors import LoadBalancerTimeoutError, SchedulerUnreachableError, StartTimeoutError
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

__all__ = ["IN_CLUSTER", "Connection", "Router", "accepts"]

T = TypeVar("T")

#: The route of a process in a pod: the Service's name.
IN_CLUSTER = "in-cluster DNS"
#: Seconds that the cluster's DNS may take to answer, and between two questions.
_DNS_TIMEOUT, _DNS_INTERVAL = 2.0, 0.5
#: Seconds in which a connection is made once the scheduler listens, or the address can't be reached from here.
_TRIAL = 2.0
#: Seconds that one attempt may take before the scheduler listens, and between attempts.
_ATTEMPT, _INTERVAL = 0.5, 0.2


@dataclass(frozen=True)
class Router:
    """Finds the best route to a release's scheduler while that comes up.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose scheduler.
    service : dict
        The scheduler's Service.
    wanted : Routing
        What was asked for.
    watcher : Watcher
        What Kubernetes has of the release.
    timeout : float
        Seconds that the scheduler may take to listen.
    progress : Progress
        Where to show what is awaited.
    tick : callable
        Called each time round while waiting.
    """

    kube: Kube
    release: str
    service: Object
    wanted: Routing
    watcher: Watcher
    timeout: float
    progress: Progress
    tick: Callable[[], None]

    async def connect(self) -> Connection:
        """Open the best route there is.

        Raises
        ------
        PortInUseError
            A local port that was asked for is taken.
        LoadBalancerTimeoutError
            There was no load balancer in time.
        StartError
            The scheduler's pod does not come up.
        SchedulerUnreachableError
            Nothing answers at the address that was told.
        """
        if self.wanted.address:
            return await self._told()
        found = await self._direct()
        return found if isinstance(found, Connection) else await self._forward(found)

    @property
    def _service_name(self) -> str:
        return str(self.service["metadata"]["name"])

    async def _told(self) -> Connection:
        """The route by the user's own word, which nothing replaces."""
        host, port = self.wanted.place(self.release, self.kube.namespace)
        found = await self._tried("address", lambda _: host, port=port)
        if isinstance(found, str):
            raise SchedulerUnreachableError(
                f"The scheduler is Ready, but nothing answers at {routing.url_host(host)}:{port}, where "
                "kubernetes.scheduler-address has it",
                cure="Correct it, or leave it out: then the Service, or a port-forward, leads there.",
                release=self.release,
                namespace=self.kube.namespace,
            )
        found.reason, found.comm_port = "kubernetes.scheduler-address names it", port
        return found

    async def _direct(self) -> Connection | str:
        """A route without a port-forward, or why there is none."""
        if not routing.ports(self.service)[0]:
            return f"Service {self._service_name} has no port that is named {contract.COMM_PORT_NAME}"
        outside = "this process runs outside the cluster"
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            host = f"{self._service_name}.{self.kube.namespace}.svc"
            if await self._resolves(host):
                return self._open(IN_CLUSTER, "this process runs in a pod", host)
            outside = f"this pod's DNS does not know {host}"
        kind = routing.kind(self.service)
        if kind == routing.LOAD_BALANCER:
            return await self._by_load_balancer()
        return await self._tried("node port", _node, "nodePort") if kind == routing.NODE_PORT else outside

    def _open(self, route: str, reason: str, host: str, ports: str = "port") -> Connection:
        comm, dashboard = routing.ports(self.service, ports)
        return Connection(route, reason, routing.url_host(host), comm, dashboard, self.wanted.scheme)

    async def _resolves(self, host: str) -> bool:
        """Whether the cluster's DNS knows a name, which takes it a while."""
        for attempt in range(self.wanted.resolutions):
            self.tick()
            await asyncio.sleep(_DNS_INTERVAL if attempt else 0)
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo(host, None), _DNS_TIMEOUT)
                return True
        return False

    # By an address of the Service's own -----------------------------------------------------------------

    async def _by_load_balancer(self) -> Connection | str:
        host, seconds = routing.balanced(self.service), self.wanted.load_balancer_timeout
        if seconds is not None:
            host = host or await self._provisioned(seconds)
            return self._open("load balancer", f"Service {self._service_name} has one", host)
        if not host:
            return f"Service {self._service_name} has no load balancer yet"
        return await self._tried("load balancer", lambda _: host)

    async def _provisioned(self, seconds: float) -> str:
        """Where the load balancer is, once there is one."""
        services = self.watcher.follow("services")
        self.progress.show("load balancer", "being provisioned")

        async def host() -> str:
            return routing.balanced(services.get(self._service_name, {}))

        try:
            found = await self._until(host, seconds or math.inf, "The load balancer")
        except StartTimeoutError as error:
            raise LoadBalancerTimeoutError(
                f"Timed out waiting for Load Balancer to be provisioned, after {seconds:g} s",
                cure=f"`kubectl describe service {self._service_name}` tells how far it is. Where nothing provides "
                "load balancers, take Service type ClusterIP; where it takes longer, raise the timeout "
                "(kubernetes.scheduler-service-wait-timeout; 0: as long as it takes).",
                release=self.release,
                namespace=self.kube.namespace,
            ) from error
        self.progress.done("load balancer", f"provisioned at {found}")
        return found

    async def _tried(
        self, route: str, host_for: Callable[[Object], str], ports: str = "port", port: int = 0
    ) -> Connection | str:
        """A route, if it takes connections from here once the scheduler listens; else why not."""
        port, deadline = port or routing.ports(self.service, ports)[0], math.inf

        async def judged() -> Connection | str | None:
            nonlocal deadline
            pod = next((pod for pod in self.watcher.of(contract.SCHEDULER) if _is_started(pod)), None)
            if pod is None:
                return None
            if diagnosis.is_ready(pod):
                deadline = min(deadline, time.monotonic() + _TRIAL)
            host, left = host_for(pod), deadline - time.monotonic()
            if await accepts(host, port, _ATTEMPT if left == math.inf else max(left, _ATTEMPT)):
                return self._open(route, "it takes connections from here", host, ports)
            return f"the {route} {routing.url_host(host)}:{port} takes no connection from here" if left <= 0 else None

        return await self._until(judged, self.timeout, "The scheduler")

    async def _until(self, reached: Callable[[], Awaitable[T | None]], timeout: float, what: str) -> T:
        return await self.watcher.until(
            reached, component=contract.SCHEDULER, timeout=timeout, what=what, tick=self.tick, interval=_INTERVAL
        )

    # By a port-forward ----------------------------------------------------------------------------------

    async def _forward(self, reason: str) -> Connection:
        pod, health = SchedulerPod(self.kube, self.release), Health()
        comm = await pod.comm(self.wanted.comm_port, health)
        try:
            dashboard = await pod.tunnel(contract.DASHBOARD_PORT, self.wanted.dashboard_port)
        except BaseException:
            await comm.close()
            raise
        tunnels, scheme = [comm, dashboard], self.wanted.scheme
        return Connection("port-forward", reason, comm.host, comm.port, dashboard.port, scheme, tunnels, health=health)


def _is_started(pod: Object) -> bool:
    return diagnosis.is_started(pod, contract.SCHEDULER)


def _node(pod: Object) -> str:
    """The address of the node that a pod is on, as the pod tells it: that needs no right on nodes."""
    return str(pod["status"]["hostIP"])


async def accepts(host: str, port: int, timeout: float) -> bool:
    """Whether a connection can be made within so many seconds, as pods ask it of each other."""
    return bool(await contract.pod_module("reaching").accepts(host, port, timeout))

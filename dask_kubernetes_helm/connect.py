"""By which route this process reaches a release's scheduler.

Belongs here: choosing a route and holding it open. Never here: Dask's own protocol, or retries of it.
Inside the cluster the Service's name is enough; outside, a port-forward of our own leads through the API server.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.errors import KubernetesError, SchedulerUnreachableError
from dask_kubernetes_helm.kube import Kube
from dask_kubernetes_helm.portstream import PortStream
from dask_kubernetes_helm.tunnel import Tunnel

#: Seconds that the cluster's DNS may take to know the Service.
_DNS_TIMEOUT = 2.0


@dataclass
class Connection:
    """An open route to a scheduler.

    Attributes
    ----------
    route : str
        ``"in-cluster DNS"`` or ``"port-forward"``.
    reason : str
        Why this one.
    host : str
        Where to reach it.
    comm_port, dashboard_port : int
        Ports there.
    """

    route: str
    reason: str
    host: str
    comm_port: int
    dashboard_port: int
    tunnels: list[Tunnel] = field(default_factory=list, repr=False)

    @property
    def address(self) -> str:
        """The scheduler's address for this process."""
        return f"tcp://{self.host}:{self.comm_port}"

    async def close(self) -> None:
        """Give the route up."""
        for tunnel in self.tunnels:
            await tunnel.close()
        self.tunnels.clear()


class SchedulerPod:
    """Streams to ports of the scheduler's pod, whichever that is at the time.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose scheduler.
    """

    def __init__(self, kube: Kube, release: str) -> None:
        self._kube, self._release, self._name = kube, release, ""

    async def dial(self, port: int) -> PortStream:
        """Open a stream; look for the pod anew where the one known is gone."""
        if self._name:
            try:
                return await self._kube.dial(self._name, port)
            except KubernetesError:
                self._name = ""
        self._name = await self._find()
        return await self._kube.dial(self._name, port)

    async def _find(self) -> str:
        pods = await self._kube.find("pods", contract.selector(self._release, contract.SCHEDULER))
        for pod in pods:
            if not pod["metadata"].get("deletionTimestamp") and diagnosis.is_started(pod, contract.SCHEDULER):
                return str(pod["metadata"]["name"])
        raise SchedulerUnreachableError(
            "The scheduler has no running pod", release=self._release, namespace=self._kube.namespace
        )


async def connect(kube: Kube, release: str, service: str, *, comm_port: int = 0, dashboard_port: int = 0) -> Connection:
    """Open the best route there is.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release, service : str
        Whose scheduler, and the name of its Service.
    comm_port, dashboard_port : int
        Local ports of a port-forward; 0 for any free one.

    Raises
    ------
    PortInUseError
        A local port that was asked for is taken.
    """
    host = f"{service}.{kube.namespace}.svc"
    if "KUBERNETES_SERVICE_HOST" in os.environ and await _resolves(host):
        return Connection(
            "in-cluster DNS", "this process runs in a pod", host, contract.COMM_PORT, contract.DASHBOARD_PORT
        )
    pod = SchedulerPod(kube, release)
    tunnels: list[Tunnel] = []
    try:
        for remote, local in ((contract.COMM_PORT, comm_port), (contract.DASHBOARD_PORT, dashboard_port)):
            tunnels.append(await Tunnel(lambda remote=remote: pod.dial(remote), local).start())  # type: ignore[misc]
    except BaseException:
        for tunnel in tunnels:
            await tunnel.close()
        raise
    reason = "this process runs outside the cluster"
    return Connection("port-forward", reason, tunnels[0].host, tunnels[0].port, tunnels[1].port, tunnels)


async def _resolves(host: str) -> bool:
    try:
        await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo(host, None), _DNS_TIMEOUT)
    except (OSError, asyncio.TimeoutError):
        return False
    return True

"""The scheduler's pod, and ports of it.

Belongs here: finding it, and streams to it. Never here: choosing a route (connect.py), or how a stream is carried.
"""

from __future__ import annotations

from collections.abc import Callable

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.lasting import LastingStream, NoRelayError
from dask_kubernetes_helm.connections.redialing import Redialer
from dask_kubernetes_helm.connections.tunnel import Stream, Tunnel
from dask_kubernetes_helm.errors import KubernetesError, SchedulerUnreachableError
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.kubeapi.portstream import PortStream


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
        #: Where the pod takes lasting streams; 0 where it does not.
        self._relay = 0

    async def dial(self, port: int) -> PortStream:
        """Open a stream; look for the pod anew where the one known is gone."""
        return await self._dial(lambda: port)

    async def _dial(self, port: Callable[[], int]) -> PortStream:
        if self._name:
            try:
                return await self._kube.dial(self._name, port())
            except KubernetesError:
                self._name = ""
        pod = await self._find()
        self._name, self._relay = str(pod["metadata"]["name"]), _relay(pod)
        return await self._kube.dial(self._name, port())

    async def _find(self) -> Object:
        pods = await self._kube.find("pods", contract.selector(self._release, contract.SCHEDULER))
        for pod in pods:
            if not pod["metadata"].get("deletionTimestamp") and diagnosis.is_started(pod, contract.SCHEDULER):
                return pod
        raise SchedulerUnreachableError(
            "The scheduler has no running pod", release=self._release, namespace=self._kube.namespace
        )

    def _port_of_relay(self) -> int:
        if not self._relay:
            raise NoRelayError
        return self._relay

    async def tunnel(self, remote: int, local: int) -> Tunnel:
        """Open a local port (0: any free one) that leads to one of the pod's, and goes on when the pod is replaced."""
        return await Tunnel(Redialer(lambda: self.dial(remote), Health()), local).start()

    async def comm(self, local: int, health: Health) -> Tunnel:
        """Open a local port that leads to the scheduler, by streams that outlive cuts where the pod has a relay."""
        plain = Redialer(lambda: self.dial(contract.COMM_PORT), health)
        first = Redialer(lambda: self._dial(self._port_of_relay), health)
        again = Redialer(lambda: self._dial(self._port_of_relay), health, (SchedulerUnreachableError,), allowed=True)

        async def dial() -> Stream:
            try:
                return await LastingStream(first, again, health).open()
            except NoRelayError:
                stream = await plain()
                health.found()
                return stream

        return await Tunnel(dial, local).start()


def _relay(pod: Object) -> int:
    """The port of the relay that the chart has told a scheduler's pod of."""
    for container in pod["spec"]["containers"]:
        for variable in container.get("env") or []:
            if variable["name"] == contract.RELAY_VARIABLE:
                return int(variable["value"])
    return 0

"""The scheduler's pod, and ports of it.

Belongs here: finding it, and streams to it. Never here: choosing a route (connect.py), or how a stream is carried.
"""

from __future__ import annotations

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.errors import KubernetesError, SchedulerUnreachableError
from dask_kubernetes_helm.kube import Kube
from dask_kubernetes_helm.portstream import PortStream
from dask_kubernetes_helm.tunnel import Tunnel


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

    async def tunnel(self, remote: int, local: int) -> Tunnel:
        """Open a local port (0: any free one) that leads to one of the pod's, and goes on when the pod is replaced."""
        return await Tunnel(lambda: self.dial(remote), local).start()

"""A cluster's scheduler in this process, as classic dask-kubernetes had it first; only workers are in the release.

Belongs here: starting it where pods reach it, and the agent beside it. Never here: what any scheduler is asked
(hosting.py), or what the agent does (see chart/files, which is imported from there).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import logging
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from distributed import Scheduler

from dask_kubernetes_helm import config, contract, moments
from dask_kubernetes_helm.errors import InvalidArgumentError, KubernetesError
from dask_kubernetes_helm.fronts import addresses
from dask_kubernetes_helm.fronts.hosting import RemoteScheduler

if TYPE_CHECKING:
    from distributed.security import Security

    from dask_kubernetes_helm.connections.connect import Connection
    from dask_kubernetes_helm.kubeapi.kube import Kube
    from dask_kubernetes_helm.releases.lifecycle import Plan
    from dask_kubernetes_helm.releases.release import Release
    from dask_kubernetes_helm.reports.excerpt import Excerpt
    from dask_kubernetes_helm.waiting.progress import Progress

logger = logging.getLogger(__name__)

#: Seconds until there is a dashboard: by then the first workers have come.
_DRAWN = 3.0
#: Seconds after the start in which a pod should have reached the scheduler.
_REACHED = 45.0


class LocalScheduler(RemoteScheduler):
    """A scheduler in this process, which the release's workers connect to.

    Parameters
    ----------
    security : distributed.security.Security, optional
        Certificates.
    host, interface : str, optional
        Where it listens; by default everywhere, and workers get the address that leads from here to the API server.
    port : int
        Its port; 0 for any.
    dashboard_address : str
        Where its dashboard listens.
    """

    def __init__(
        self,
        security: Security | None = None,
        *,
        host: str | None = None,
        interface: str | None = None,
        port: int = 0,
        dashboard_address: str = ":8787",
    ) -> None:
        super().__init__(security)
        self._host, self._interface, self._port, self._dashboard = host, interface, port, dashboard_address
        self.scheduler: Any = None
        self._greeted = asyncio.Event()
        #: The uid of the release's owner.
        self._owner: str | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._doubting: asyncio.Task[None] | None = None

    @classmethod
    def configured(
        cls,
        security: Security | None,
        *,
        host: str | None = None,
        port: int | None = None,
        interface: str | None = None,
        protocol: str | None = None,
        dashboard_address: str | None = None,
    ) -> LocalScheduler:
        """What is given; else as Dask's configuration says.

        Raises
        ------
        InvalidArgumentError
            The protocol can't be meant, or does not go with the certificates.
        """
        scheme = str(config.get("protocol", protocol)).removesuffix("://")
        if scheme not in ("tcp", "tls"):
            raise InvalidArgumentError(f"protocol is {protocol!r}", cure="Give 'tcp://' or 'tls://'.")
        if scheme == "tls" and security is None:
            raise InvalidArgumentError(
                "protocol is tls://, but there are no certificates",
                cure="Give security=distributed.security.Security(...), for example Security.temporary().",
            )
        if protocol is not None and scheme == "tcp" and security is not None:
            raise InvalidArgumentError("protocol is tcp://, but security has certificates", cure="Leave protocol out.")
        return cls(
            security,
            host=config.get("host", host),
            interface=config.get("interface", interface),
            port=config.get("port", port),
            dashboard_address=config.get("dashboard_address", dashboard_address),
        )

    async def prepare(self, plan: Plan, kube: Kube) -> Plan:
        """Start it; the release's workers go to its address."""
        from dask_kubernetes_helm.chartvalues.values import Layer  # noqa: PLC0415 - its libraries are slow to import

        pod = _pod_package()
        address = await self._listen(kube.credentials.server)
        self._drawing = asyncio.create_task(pod.drawing.draw(self.scheduler, pod.drawing.SCHEDULER, _DRAWN))
        pod.desk.Desk(self.scheduler).open()
        self.scheduler.handlers[pod.reaper_hello] = self._greet
        values = {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": address}}
        return dataclasses.replace(plan, layers=[*plan.layers, Layer("the local scheduler", values)])

    async def _listen(self, server: str) -> str:
        everywhere = self._host in (None, "", "0.0.0.0", "::") and not self._interface  # noqa: S104 - compared only
        listening = addresses.listenable(self._interface, self._host or "0.0.0.0", self._port)  # noqa: S104 - as classic does
        self.scheduler = Scheduler(
            protocol=f"{self.scheme}://",
            host=listening,
            port=self._port,
            security=self.security,
            dashboard_address=self._dashboard,
            dashboard=None if find_spec("bokeh") is None else False,  # it is drawn later
        )
        await self.scheduler
        host = (
            await asyncio.to_thread(addresses.towards, server)
            if everywhere
            else addresses.host_of(self.scheduler.address)
        )
        return f"{self.scheme}://{host}:{self.scheduler.port}"

    async def reach(self, release: Release, progress: Progress, timeout: float) -> Connection:  # noqa: ARG002 - it is here
        """Have the agent run beside it, by this process's own credentials."""
        from dask_kubernetes_helm.connections.connect import Connection  # noqa: PLC0415 - its libraries are slow to import

        pod = _pod_package()
        self._owner = release.owner.uid if release.owner else None
        for item in await release.kube.find("configmaps", contract.selector(release.name, contract.AGENT)):
            settings = functools.partial(str, _for_process(item["data"][contract.SETTINGS]))
            desk = self.scheduler.plugins[pod.desk.Desk.name]
            pod.agent.Agent(self.scheduler, desk, _Api(release.kube, pod.ApiError), settings).open()
        dashboard = self.scheduler.services.get("dashboard")
        self.connection = Connection(
            "this process",
            "the scheduler runs in it",
            addresses.host_of(self.scheduler.address),
            self.scheduler.port,
            dashboard.port if dashboard else 0,
            self.scheme,
        )
        self._doubting = asyncio.create_task(self._doubt(release))
        progress.done("scheduler", f"listens at {self.connection.address}")
        return self.connection

    async def log(self, release: Release, part: Excerpt) -> str:  # noqa: ARG002 - it is this process's own
        """What it has logged, the newest first; its life before this one was another process."""
        if part.previous or part.tail == 0:
            return ""
        begin = moments.beginning(part.since)
        kept = self.scheduler.get_logs(start=begin.timestamp() if begin else 0, n=part.tail)
        return "\n".join(line for _, line in kept)

    def _greet(self, owner: str) -> str:
        """A reaper says whose it is: that of a process before this one, at the same port, has nobody here."""
        if self._owner not in (None, owner):
            return "not yours"
        self._greeted.set()
        return "OK"

    async def _doubt(self, release: Release) -> None:
        """Say so where a pod runs that can't reach this process: nothing else would tell why workers don't come."""
        from dask_kubernetes_helm import diagnosis  # noqa: PLC0415 - only here

        while not self._greeted.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._greeted.wait(), _REACHED)
                return
            with contextlib.suppress(OSError, KubernetesError):
                pods = await release.kube.find("pods", contract.selector(release.name, contract.REAPER))
                findings = [found for pod in pods if (found := diagnosis.examine(pod))]
                if findings:
                    logger.warning(
                        "release %s: its reaper can't start, so a process that is killed would leave the release: %s",
                        release.name,
                        findings[0].sentence,
                    )
                    return
                if any(diagnosis.is_started(pod, contract.REAPER) for pod in pods):
                    logger.warning(
                        "release %s: no pod has reached the scheduler in this process at %s; give the address by which "
                        "pods reach this machine (host= or interface=), or deploy_mode='remote'",
                        release.name,
                        self.connection.address if self.connection else "",
                    )
                    return

    async def close(self) -> None:
        """End it."""
        for task in filter(None, (self._drawing, self._doubting)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self.scheduler is not None:
            await self.scheduler.close()
        await super().close()


class _Api:
    """The agent's door to the API in this process; see api.py in chart/files."""

    def __init__(self, kube: Kube, error: type[OSError]) -> None:
        self._kube, self._error, self.errors = kube, error, 0

    @property
    def calls(self) -> int:
        return self._kube.calls

    def close(self) -> None:
        """The requests are the cluster's own, so there is nothing to close."""

    async def replicas(self, deployment: str) -> int:
        """A Deployment's number of pods."""
        with self._translated():
            scale = await self._kube.get("deployments", f"{deployment}/scale")
        return int(scale.get("spec", {}).get("replicas", 0))

    async def scale(self, deployment: str, replicas: int, seen: int) -> bool:
        """Set it, if it is what we take it for; whether it was."""
        with self._translated():
            return await self._kube.scale(deployment, replicas, seen)

    async def created(self, owner: str) -> float:
        """When the owner was made, in seconds since the epoch."""
        from dask_kubernetes_helm.releases import ownership  # noqa: PLC0415 - its libraries are slow to import

        with self._translated():
            return ownership.created(await self._kube.get("configmaps", owner))

    async def delete(self, owner: str, uid: str) -> None:
        """Delete the owner, and with it all that it owns."""
        from dask_kubernetes_helm.releases import ownership  # noqa: PLC0415 - its libraries are slow to import

        with self._translated():
            await ownership.remove(self._kube, ownership.Owner(owner, uid))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except KubernetesError as error:
            self.errors += 1
            raise self._error(error.status or 0, str(error)) from error


def _for_process(text: str) -> str:
    """The agent's settings as they are for this process, whose absence only others can notice."""
    settings = json.loads(text)
    settings["lifecycle"]["noClientTimeout"] = None
    return json.dumps(settings)


@dataclasses.dataclass(frozen=True)
class _PodPackage:
    """What this process needs of the package that runs in pods."""

    desk: Any
    agent: Any
    drawing: Any
    ApiError: type[OSError]
    reaper_hello: str


def _pod_package() -> _PodPackage:
    """The package that the chart mounts into pods, from the chart that this package has."""
    folder = str(contract.chart_path() / "files")
    if folder not in sys.path:
        sys.path.append(folder)
    from dask_kubernetes_helm_pod import agent, api, desk, drawing, reaper  # noqa: PLC0415 - the path was made just now

    return _PodPackage(desk, agent, drawing, api.ApiError, reaper.HELLO)

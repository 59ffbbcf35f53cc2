"""A cluster's scheduler, where it runs in the release: reached, asked, and asked to end.

Belongs here: what a front needs of its scheduler, wherever that runs. Never here: one in this process (locally.py),
what Dask's `Cluster` makes of it (base.py), or Kubernetes' part of a route (connect.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from distributed.core import rpc

from dask_kubernetes_helm import contract, versions
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.connections.trust import ReleaseSecurity
from dask_kubernetes_helm.errors import KubernetesError

if TYPE_CHECKING:
    from distributed.security import Security

    from dask_kubernetes_helm.connections.connect import Connection
    from dask_kubernetes_helm.kubeapi.kube import Kube
    from dask_kubernetes_helm.releases.lifecycle import Plan
    from dask_kubernetes_helm.releases.release import Release
    from dask_kubernetes_helm.reports.excerpt import Excerpt
    from dask_kubernetes_helm.waiting.progress import Progress

logger = logging.getLogger(__name__)

#: Seconds between looks for new certificates: less than pods take to show those of another authority (`trust.SPREAD`),
#: and the only request that an idle cluster makes of the API.
_RENEWED = 120.0
#: Seconds that one request of a scheduler may take.
_PROBE_TIMEOUT = 2


class RemoteScheduler:
    """A scheduler in the release.

    Parameters
    ----------
    security : distributed.security.Security, optional
        Certificates; by default those that the release has for clients.
    routing : callable
        Gives how to reach it.

    Attributes
    ----------
    connection : Connection, optional
        The route to it, once it is reached.
    """

    def __init__(self, security: Security | None = None, routing: Callable[[], Routing] = Routing.configured) -> None:
        self.security, self._routing = security, routing
        self.connection: Connection | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def scheme(self) -> str:
        """How addresses of schedulers begin."""
        return "tls" if self.security is not None else "tcp"

    @property
    def connection_args(self) -> dict[str, Any]:
        """What Dask needs to connect."""
        return dict(self.security.get_connection_args("client")) if self.security is not None else {}

    async def prepare(self, plan: Plan, kube: Kube) -> Plan:  # noqa: ARG002 - the local one needs it
        """Do what comes before the release; what to install then."""
        self._routing()  # refuses what can't be meant
        versions.wanted()
        return plan

    async def reach(self, release: Release, progress: Progress, timeout: float) -> Connection:
        """Open a route and wait until the scheduler answers; see `Release.reach`."""
        if self.security is None and (texts := await release.certificates(timeout)) is not None:
            self.security = followed = ReleaseSecurity(texts)
            self._following = asyncio.create_task(_follow(followed, release))
        routing = dataclasses.replace(self._routing(), scheme=self.scheme)
        self.connection = await release.reach(self._answers, progress, timeout, routing)
        return self.connection

    async def log(self, release: Release, part: Excerpt) -> str:
        """The scheduler's log, or a part of it."""
        told = dataclasses.asdict(part)
        return "\n".join((await release.logs(contract.SCHEDULER, **told)).values())

    async def farewell(self) -> None:
        """Ask the scheduler to end, which takes its workers along."""
        if self.connection:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                async with self._rpc(self.connection.address) as scheduler:
                    await asyncio.wait_for(scheduler.terminate(), _PROBE_TIMEOUT)

    async def close(self) -> None:
        """Give the route up."""
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self.connection:
            await self.connection.close()

    def _rpc(self, address: str) -> Any:
        return rpc(address, timeout=_PROBE_TIMEOUT, connection_args=self.connection_args)

    async def _answers(self, address: str) -> bool:
        """Whether a Dask scheduler answers."""
        scheduler = self._rpc(address)
        try:
            await asyncio.wait_for(scheduler.echo(data=None), _PROBE_TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            return False
        finally:
            await scheduler.close_rpc()
        return True


async def _follow(security: ReleaseSecurity, release: Release) -> None:
    """Have new certificates, as the release's pods do."""
    while True:
        await asyncio.sleep(_RENEWED)
        try:
            if texts := await release.certificates():
                security.renew(texts)
        except (OSError, ValueError, KubernetesError) as error:  # the next look may tell more
            logger.debug("release %s: certificates not read: %s", release.name, error)

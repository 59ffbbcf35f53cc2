"""A Dask cluster that keeps in touch with its scheduler.

Belongs here: following the scheduler, also across its restarts, and what a cluster tells of its connection. Never here:
a release's life (base.py), or how a connection is made (hosting.py) and kept (connect.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from distributed.core import Status
from distributed.deploy import Cluster
from distributed.utils import format_dashboard_link

from dask_kubernetes_helm import routing

if TYPE_CHECKING:
    from dask_kubernetes_helm.connect import Connection
    from dask_kubernetes_helm.hosting import RemoteScheduler

#: Seconds between attempts to follow the scheduler again after it was lost.
_RESUBSCRIBE = 1.0


class ConnectedCluster(Cluster):
    """A cluster whose scheduler is elsewhere, and may be away for a while."""

    _host: RemoteScheduler
    status: Status

    async def _watch_worker_status(self, comm: Any) -> None:
        """Follow the scheduler; where it restarts, follow the new one."""
        while self.status in (Status.created, Status.running):
            await super()._watch_worker_status(comm)
            if self.status == Status.running and self.connection:
                self.connection.health.lost(ConnectionError("the scheduler has ended the connection"))
            while self.status == Status.running:
                await asyncio.sleep(_RESUBSCRIBE)
                with contextlib.suppress(OSError):
                    self._watch_worker_status_comm = comm = await self._subscribe()
                    break
            if self.connection:
                self.connection.health.found()

    async def _subscribe(self) -> Any:
        comm = await self.scheduler_comm.live_comm()
        await comm.write({"op": "subscribe_worker_status"})
        self.scheduler_info.clear()
        self.scheduler_info.update(await comm.read())
        return comm

    @property
    def connection(self) -> Connection | None:
        """By which route the scheduler is reached, why, and how that fares; None before it is.

        Examples
        --------
        >>> print(cluster.connection)  # doctest: +SKIP
        port-forward at tls://127.0.0.1:40123 (this process runs outside the cluster)
        >>> cluster.connection.state, cluster.connection.reconnections  # doctest: +SKIP
        ('open', 0)
        """
        return self._host.connection

    #: Certificates for connections, which Dask's Client takes from here; None where there is no encryption.
    security = property(lambda self: self._host.security)

    @property
    def dashboard_link(self) -> str:
        """Link to the dashboard, by the user's `distributed.dashboard.link`, else the release's; empty without one."""
        if self.connection is None or "dashboard" not in self.scheduler_info.get("services", {}):
            return ""
        link, place = self.connection.link, self.connection.dashboard
        return routing.link(link, *place) or str(format_dashboard_link(*place))

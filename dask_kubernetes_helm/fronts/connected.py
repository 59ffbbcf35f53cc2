"""A Dask cluster that keeps in touch with its scheduler.

Belongs here: following the scheduler, also across its restarts, and what a cluster tells of its connection. Never here:
a release's life (base.py), or how a connection is made (hosting.py) and kept (connect.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from distributed.core import Status
from distributed.deploy import Cluster
from distributed.utils import format_dashboard_link
from distributed.versions import get_versions

from dask_kubernetes_helm import versions
from dask_kubernetes_helm.connections import routing
from dask_kubernetes_helm.errors import VersionMismatchError, VersionMismatchWarning

if TYPE_CHECKING:
    from dask_kubernetes_helm.connections.connect import Connection
    from dask_kubernetes_helm.fronts.hosting import RemoteScheduler

#: Seconds between attempts to follow the scheduler again after it was lost.
_RESUBSCRIBE = 1.0


class ConnectedCluster(Cluster):
    """A cluster whose scheduler is elsewhere, and may be away for a while."""

    _host: RemoteScheduler
    status: Status
    #: The comparison of versions with the first worker's, once there is one.
    _compared: asyncio.Future[None] | None = None
    #: The newest attempt to follow a scheduler again.
    _subscribing: asyncio.Future[Any] | None = None

    async def _watch_worker_status(self, comm: Any) -> None:
        """Follow the scheduler; where it restarts, follow the new one."""
        while self.status in (Status.created, Status.running):
            await super()._watch_worker_status(comm)
            if self.status == Status.running and self.connection:
                self.connection.health.lost(ConnectionError("the scheduler has ended the connection"))
            if (comm := await self._return()) is None:
                return
            self._watch_worker_status_comm = comm
            if self.connection:
                self.connection.health.found()

    async def _return(self) -> Any:
        """Follow the scheduler again, once it is there; None where the cluster is closed first."""
        while self.status == Status.running:
            await asyncio.sleep(_RESUBSCRIBE)
            if self.status != Status.running:
                break
            # Closing cancels it: a scheduler that has gone for good would be waited for until the connection times out.
            self._subscribing = asyncio.ensure_future(self._subscribe())
            await asyncio.wait([self._subscribing])
            with contextlib.suppress(OSError, asyncio.CancelledError):
                return self._subscribing.result()
        return None

    async def _start(self) -> None:
        await self._compare_scheduler()
        await super()._start()
        self._meet()

    async def _close(self) -> None:
        for task in filter(None, (self._compared, self._subscribing)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await super()._close()

    def _update_worker_status(self, op: str, msg: Any) -> None:
        super()._update_worker_status(op, msg)
        self._meet()

    def _meet(self) -> None:
        """Compare versions with the first worker there is."""
        if self._compared is None and self.scheduler_info["workers"]:
            self._compared = asyncio.ensure_future(self._compare_worker())

    async def _compare_scheduler(self) -> None:
        """Tell where the scheduler's versions are not this process's.

        Raises
        ------
        VersionMismatchError
            They are known not to work together, and `kubernetes.version-check` is ``error``.
        """
        if (how := versions.wanted()) == versions.OFF:
            return
        found = versions.Comparison("scheduler", _own_versions(), versions.told(await self.scheduler_comm.versions()))
        if found.breaking and how == versions.ERROR:
            namespace = self._cluster_info.get("namespace")
            raise VersionMismatchError(found.sentence, cure=found.cure, release=self.name, namespace=namespace)
        _warn(found)

    async def _compare_worker(self) -> None:
        """Tell where the first worker's versions are not the scheduler's, about which was told."""
        if versions.wanted() == versions.OFF:
            return
        with contextlib.suppress(OSError):
            asked = {"op": "versions"}
            workers = await self.scheduler_comm.broadcast(msg=asked, workers=list(self.scheduler_info["workers"])[:1])
            scheduler = versions.told(await self.scheduler_comm.versions())
            for reply in workers.values():
                if versions.told(reply) != scheduler:
                    _warn(versions.Comparison("worker", _own_versions(), versions.told(reply)))

    async def _subscribe(self) -> Any:
        comm = await self.scheduler_comm.live_comm()
        await comm.write({"op": "subscribe_worker_status"})
        info = await comm.read()  # until it is here the last one is the best there is
        self.scheduler_info.clear()
        self.scheduler_info.update(info)
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


def _own_versions() -> dict[str, str]:
    return versions.told(get_versions())


def _warn(found: versions.Comparison) -> None:
    if found.differing:
        warnings.warn(f"{found.sentence}{found.cure}", VersionMismatchWarning, stacklevel=2)

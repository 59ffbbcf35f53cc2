"""A Dask cluster that is a release of the chart: Dask's `Cluster` contract, bound to a release's life.

Belongs here: what any front has in common: starting, closing, being shown. Never here: a front's own arguments and
verbs (cluster.py), keeping in touch with the scheduler (connected.py), or details of Kubernetes and Helm.

The modules that talk to the outside are imported when a cluster starts, in a thread: the libraries behind them take a
second, which neither `import dask_kubernetes_helm` nor the event loop should.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import dask.widgets
from distributed.core import Status, rpc
from distributed.utils import NoOpAwaitable

from dask_kubernetes_helm import config
from dask_kubernetes_helm.errors import ClusterClosedError, HelmClusterError, NotStartedError
from dask_kubernetes_helm.fronts import ending
from dask_kubernetes_helm.fronts.connected import ConnectedCluster
from dask_kubernetes_helm.fronts.hosting import RemoteScheduler
from dask_kubernetes_helm.fronts.inquiry import Inquiry
from dask_kubernetes_helm.fronts.looking import LookingCluster

if TYPE_CHECKING:
    from tornado.ioloop import IOLoop

    from dask_kubernetes_helm.kubeapi.kube import Kube
    from dask_kubernetes_helm.releases.doctor import Permissions
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease, Plan
    from dask_kubernetes_helm.waiting.progress import Progress


class Arguments(Protocol):
    """What a front was told."""

    @property
    def namespace(self) -> str | None:
        """The namespace that was asked for."""

    def plan(self, name: str) -> Plan:
        """What to install."""


class ReleaseCluster(LookingCluster, Inquiry, ConnectedCluster):
    """A cluster bound to a release; starts when it is made, or when it is awaited.

    Parameters
    ----------
    name : str
        The release's name.
    arguments : Arguments
        What its maker was told.
    attach : bool
        The release is there already.
    shutdown_on_close : bool
        Closing removes the release, if it has an owner.
    asynchronous, loop, quiet
        As Dask's own clusters have them.
    host : RemoteScheduler, optional
        Where the scheduler runs; by default in the release.
    """

    def __init__(
        self,
        name: str,
        arguments: Arguments,
        *,
        attach: bool,
        shutdown_on_close: bool,
        asynchronous: bool,
        loop: IOLoop | None,
        quiet: bool,
        host: RemoteScheduler | None = None,
    ) -> None:
        self._host: RemoteScheduler = host or RemoteScheduler()
        self._arguments, self._attach, self.shutdown_on_close = arguments, attach, shutdown_on_close
        self._release: ManagedRelease | None = None
        self._starting: asyncio.Task[Any] | None = None
        self._started = False
        self._ending: asyncio.Task[None] | None = None
        try:
            super().__init__(asynchronous=asynchronous, loop=loop, quiet=quiet, name=name)
        except RuntimeError as error:
            cure = "Use it in a coroutine, as `await ...(asynchronous=True)` or by `async with`; or leave it out."
            said = f"asynchronous=True takes a running event loop: {error}"
            raise NotStartedError(said, cure=cure, release=name) from error
        if not self.called_from_running_loop:
            self._loop_runner.start()
            ending.running.add(self)
            try:
                self.sync(self._start)
            except BaseException:
                with ending.told_only(self.name, self._arguments.namespace):
                    self.close()
                raise

    def __await__(self) -> Any:
        """Start, for `await HelmCluster(asynchronous=True)`; the base class starts nothing."""

        async def started() -> ReleaseCluster:
            if self.status == Status.created:
                try:
                    # A task of its own, which ending it early may cancel; the caller's is the caller's.
                    await asyncio.ensure_future(self._start())
                except BaseException:
                    with ending.told_only(self.name, self._arguments.namespace):
                        await self._close()
                    raise
            return self

        return started().__await__()

    def sync(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a coroutine function: blocking, or as an awaitable in a running loop; refuses outside of its life."""
        early = self.status == Status.created and func not in (self._start, self._close)
        if early or self.status == Status.closed:
            raise self._closed_error()
        return super().sync(func, *args, **kwargs)

    async def _start(self) -> None:
        self._starting = asyncio.current_task()
        lifecycle, progress_of = await asyncio.to_thread(_doors)
        plan = await asyncio.to_thread(self._arguments.plan, self.name)
        kube = await lifecycle.Kube.connect(plan.auth, plan.namespace, plan.timeout)
        self._release = release = lifecycle.ManagedRelease(self.name, kube)
        with progress_of(f"Dask release {self.name}", quiet=self.quiet) as progress:
            self._marks = progress.marks
            await self._reach(release, plan, progress)
            self.scheduler_comm = rpc(self.connection.address, connection_args=self._host.connection_args)  # type: ignore[union-attr]
            self._cluster_info.update(release=self.name, namespace=release.namespace, chart=release.chart)
            await super()._start()
        self._starting, self._started = None, True

    async def _reach(self, release: ManagedRelease, plan: Plan, progress: Progress) -> None:
        try:
            plan = await self._prepare(plan, release.kube)
            await (release.find() if self._attach else release.install(plan, progress))
            await self._host.reach(release, progress, plan.timeout)
        except HelmClusterError as error:
            raise error.concerning(self.name, release.namespace) from error.__cause__

    async def _prepare(self, plan: Plan, kube: Kube) -> Plan:
        """Do what comes before the release; what to install then."""
        return await self._host.prepare(plan, kube)

    # Ending ---------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> Any:
        """Close the connections and, where `shutdown_on_close` says so, remove the release.

        Closing twice is closing once.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for it.
        """
        timeout = None if timeout is None else config.span(timeout, "timeout")
        if self.status == Status.closed:
            return NoOpAwaitable() if self.asynchronous else None
        try:
            return self.sync(self._close, callback_timeout=timeout)
        finally:
            # What was closed in vain is closed; what had no time may be closed again.
            if not self.asynchronous and self.status == Status.closed:
                self._loop_runner.stop()
                ending.running.discard(self)

    async def _close(self) -> None:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._stop_starting()
        status, self.status = self.status, Status.closing
        if status != Status.closed:
            with contextlib.suppress(OSError):
                await super()._close()
        self.status = Status.closing
        try:
            if self._release and self.shutdown_on_close and (self._started or not self._attach):
                interrupted = self._starting is not None and self._starting.cancelled()
                await self._release.remove(self._host.farewell, hastily=interrupted)
        finally:
            try:
                await self._host.close()
            finally:
                if self._release:
                    await self._release.kube.close()
                self.status = Status.closed

    async def _stop_starting(self) -> None:
        """End a start that is still under way (Ctrl-C in the middle of it), and wait until it has ended."""
        task = self._starting
        if task and not task.done() and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    def _open_release(self) -> ManagedRelease:
        if self._release and self.status not in (Status.closing, Status.closed):
            return self._release
        raise self._closed_error()

    def _closed_error(self) -> HelmClusterError:
        if self.status == Status.created:
            cure = "Await it first: `cluster = await ...(asynchronous=True)`, or `async with`; and await its verbs."
            return NotStartedError("This cluster is asynchronous=True, and not started", cure=cure, release=self.name)
        return ClusterClosedError(
            "This cluster is closed", cure="Make a new one, or attach to one by HelmCluster.from_name."
        ).concerning(self.name, None)

    def get_client(self) -> Any:
        """A Dask client of this cluster: the current one, if it is, else a new one.

        Raises
        ------
        ClusterClosedError

        Examples
        --------
        >>> cluster.get_client()  # doctest: +SKIP
        """
        self._open_release()
        return super().get_client()

    @property
    def namespace(self) -> str:
        """The namespace that the release is in."""
        return self._release.namespace if self._release else str(self._arguments.namespace)

    @property
    def workers(self) -> tuple[str, ...]:
        """One token for each worker that is asked for: the names of those there, then ``pending-0`` and so on."""
        wanted = sum(self._release.replicas.values()) if self._release else 0
        present = sorted(str(name) for name in self.observed)[:wanted]
        return (*present, *(f"pending-{index}" for index in range(wanted - len(present))))

    def permissions(self) -> Any:
        """Which features the credentials have the permissions for, and the Role that adds what is lacking.

        Returns
        -------
        dask_kubernetes_helm.releases.doctor.Permissions
            As text, in notebooks as a table, and by `to_dict()` as plain data.

        Raises
        ------
        KubernetesError

        Examples
        --------
        >>> print(cluster.permissions().role)  # doctest: +SKIP
        """
        return self.sync(self._permissions)

    async def _permissions(self) -> Permissions:
        from dask_kubernetes_helm.releases import doctor  # noqa: PLC0415 - see the module's charter

        release = self._open_release()
        return await doctor.examine(release.kube, release.client_secret)

    def _repr_html_(self, cluster_status: str | None = None) -> str:
        release = self._release
        details = dask.widgets.get_template("helmcluster.html.j2").render(
            release=self.name,
            namespace=self.namespace,
            chart=release.chart if release else "",
            connection=self.connection,
            cluster_status=cluster_status,
        )
        return str(super()._repr_html_(cluster_status=details))


def _doors() -> Any:
    """Import what talks to the outside."""
    from dask_kubernetes_helm.releases import lifecycle  # noqa: PLC0415 - see the module's charter
    from dask_kubernetes_helm.waiting import progress  # noqa: PLC0415 - see the module's charter

    return lifecycle, progress.Progress

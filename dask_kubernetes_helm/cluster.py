"""HelmCluster: a release of the chart as what Dask users know as a cluster.

Belongs here: Dask's `Cluster` contract, bound to a release. Never here: details of Kubernetes or Helm. Everything is
implemented once, as a coroutine; the public method of the same name runs it by `self.sync`.

The modules that talk to the outside are imported when a cluster starts, in a thread: the libraries behind them take a
second, which neither `import dask_kubernetes_helm` nor the event loop should.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import dask.widgets
from distributed.core import Status, rpc
from distributed.deploy import Cluster
from distributed.utils import Log, Logs, NoOpAwaitable, format_dashboard_link

from dask_kubernetes_helm import arguments, config, contract
from dask_kubernetes_helm.errors import ClusterClosedError, HelmClusterError

if TYPE_CHECKING:
    from tornado.ioloop import IOLoop

    from dask_kubernetes_helm.auth import ClusterAuth
    from dask_kubernetes_helm.connect import Connection
    from dask_kubernetes_helm.lifecycle import Release
    from dask_kubernetes_helm.progress import Progress

logger = logging.getLogger(__name__)

#: Seconds that one attempt to reach the scheduler may take.
_PROBE_TIMEOUT = 2
#: Seconds between attempts to follow the scheduler again after it was lost.
_RESUBSCRIBE = 1.0


class HelmCluster(Cluster):
    """A Dask cluster that is a release of the Helm chart.

    Parameters
    ----------
    name : str, optional
        Name of the release, or a template of it: ``{user}``, ``{uuid}`` and environment variables are filled in.
        By default ``kubernetes.name`` of the configuration, ``dask-{user}-{uuid}``.
    namespace : str, optional
        By default ``kubernetes.namespace``, else the pod's or the kubeconfig context's, else ``default``.
    environment : str, optional
        Name of a packaged values file (local, ci, production), or of one in the folder
        ``kubernetes.environments``.
    values : path, mapping, or list of them, optional
        Values on top of the environment's; later ones win. Files that end with ``.j2`` are Jinja2 templates over
        the environment variables.
    n_workers : int, optional
        Worker pods to begin with; by default what the values say.
    image : str, optional
        ``repository[:tag][@digest]`` for scheduler and workers.
    chart : str, optional
        A folder, a packed .tgz, ``repo/chart`` or ``oci://...``; by default the packaged chart.
    auth : ClusterAuth or list of ClusterAuth, optional
        How to authenticate; by default in-cluster, then the kubeconfig.
    timeout : float or str, optional
        Seconds, or text such as ``"5 minutes"``, that creation may take.
    shutdown_on_close : bool
        Whether closing removes the release.
    asynchronous : bool
        For use with ``await`` and ``async with`` in a running event loop.
    loop : tornado.ioloop.IOLoop, optional
        The loop to run in.
    quiet : bool
        Show no progress.

    Raises
    ------
    HelmClusterError
        Everything that this package raises on purpose is one; see `dask_kubernetes_helm.errors`.

    Examples
    --------
    >>> from dask_kubernetes_helm import HelmCluster
    >>> from distributed import Client
    >>> with HelmCluster(environment="production", n_workers=2) as cluster:  # doctest: +SKIP
    ...     client = Client(cluster)
    ...     cluster.scale(10)
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        namespace: str | None = None,
        environment: str | None = None,
        values: Any = None,
        n_workers: int | None = None,
        image: str | None = None,
        chart: str | os.PathLike[str] | None = None,
        auth: ClusterAuth | list[ClusterAuth] | None = None,
        timeout: float | str | None = None,
        shutdown_on_close: bool = True,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
        quiet: bool | None = None,
        _attach: bool = False,
    ) -> None:
        self._arguments = arguments.Arguments(
            namespace=config.get("namespace", namespace),
            environment=config.get("environment", environment) if not _attach else None,
            values=values,
            n_workers=n_workers,
            image=image,
            chart=os.fspath(chart) if chart is not None else config.get("chart"),
            auth=auth,
            timeout=config.seconds(config.get("timeout", timeout), "timeout"),
        ).checked()
        self.shutdown_on_close, self._attach = shutdown_on_close, _attach
        self._release: Release | None = None
        self._connection: Connection | None = None
        self._starting: asyncio.Task[Any] | None = None
        self._ending: asyncio.Task[None] | None = None
        super().__init__(
            asynchronous=asynchronous,
            loop=loop,
            quiet=config.get("quiet", quiet),
            name=arguments.release_name(name, attach=_attach),
        )
        if not self.called_from_running_loop:
            self._loop_runner.start()
            _running.add(self)
            try:
                self.sync(self._start)
            except BaseException:
                self.close()
                raise

    @classmethod
    def from_name(cls, name: str, namespace: str | None = None, **kwargs: Any) -> HelmCluster:
        """Attach to a release that is there, and leave it in place on close.

        Parameters
        ----------
        name : str
            The release's name.
        namespace : str, optional
            Its namespace.
        **kwargs
            As for `HelmCluster`: auth, timeout, asynchronous, loop, quiet, shutdown_on_close.

        Raises
        ------
        ReleaseNotFoundError
            There is no such release of this chart.

        Examples
        --------
        >>> cluster = HelmCluster.from_name("dask", namespace="team")  # doctest: +SKIP
        """
        kwargs.setdefault("shutdown_on_close", False)
        return cls(name, namespace=namespace, _attach=True, **kwargs)

    def __await__(self) -> Any:
        """Start, for `await HelmCluster(asynchronous=True)`; the base class starts nothing."""

        async def started() -> HelmCluster:
            if self.status == Status.created:
                try:
                    await self._start()
                except BaseException:
                    await self._close()
                    raise
            return self

        return started().__await__()

    # Starting -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._starting = asyncio.current_task()
        lifecycle, progress_of = await asyncio.to_thread(_doors)
        plan = self._arguments.plan(self.name)
        kube = await lifecycle.Kube.connect(plan.auth, plan.namespace)
        self._release = release = lifecycle.Release(self.name, kube)
        with progress_of(f"Dask release {self.name}", quiet=self.quiet) as progress:
            await self._reach(release, plan, progress)
            self.scheduler_comm = rpc(self._connection.address)  # type: ignore[union-attr]
            self._cluster_info.update(release=self.name, namespace=release.namespace, chart=release.chart)
            await super()._start()
        self._starting = None

    async def _reach(self, release: Release, plan: Any, progress: Progress) -> None:
        try:
            await (release.find() if self._attach else release.install(plan, progress))
            self._connection = await release.reach(_answers, progress, plan.timeout)
        except HelmClusterError as error:
            raise error.concerning(self.name, release.namespace) from error.__cause__

    async def _watch_worker_status(self, comm: Any) -> None:
        """Follow the scheduler; where it restarts, follow the new one."""
        while self.status in (Status.created, Status.running):
            await super()._watch_worker_status(comm)
            while self.status == Status.running:
                await asyncio.sleep(_RESUBSCRIBE)
                with contextlib.suppress(OSError):
                    self._watch_worker_status_comm = comm = await self._subscribe()
                    break

    async def _subscribe(self) -> Any:
        comm = await self.scheduler_comm.live_comm()
        await comm.write({"op": "subscribe_worker_status"})
        self.scheduler_info.clear()
        self.scheduler_info.update(await comm.read())
        return comm

    # Ending ---------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> Any:
        """Close the connections and, where `shutdown_on_close` says so, remove the release.

        Closing twice is closing once.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for it.
        """
        if self.status == Status.closed:
            return NoOpAwaitable() if self.asynchronous else None
        result = self.sync(self._close, callback_timeout=timeout)
        if not self.asynchronous:
            self._loop_runner.stop()
            _running.discard(self)
        return result

    async def _close(self) -> None:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._stop_starting()
        status, self.status = self.status, Status.closing
        with contextlib.suppress(OSError):
            if status != Status.closed:
                await super()._close()
        self.status = Status.closing
        try:
            if self._connection:
                await self._connection.close()
            if self._release:
                if self.shutdown_on_close and not self._attach:
                    await self._release.remove()
                await self._release.kube.close()
        finally:
            self.status = Status.closed

    async def _stop_starting(self) -> None:
        """End a start that is still under way (Ctrl-C in the middle of it), and wait until it has ended."""
        task = self._starting
        if task and not task.done() and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    # Using ----------------------------------------------------------------------------------------------

    def scale(self, n: int, worker_group: str | None = None) -> Any:
        """Set the number of worker pods; one request to the API.

        Parameters
        ----------
        n : int
            How many.
        worker_group : str, optional
            Which group; the default one if there are several.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            n is negative, or no integer.
        WorkerGroupNotFoundError, KubernetesError

        Notes
        -----
        When there are fewer than before, Kubernetes picks the pods that go; results that only those hold are computed
        anew.

        Examples
        --------
        >>> cluster.scale(10)  # doctest: +SKIP
        """
        return self.sync(self._scale, arguments.worker_count(n, "n"), worker_group)

    async def _scale(self, n: int, worker_group: str | None = None) -> None:
        await self._open_release().scale(n, worker_group)

    def adapt(self, *_: Any, **__: Any) -> Any:
        """Not in this version; use `scale`.

        Dask's own adaptive scaling closes workers before it asks the cluster, and Kubernetes restarts what was closed.
        """
        raise HelmClusterError("Adaptive scaling is not in this version", cure="Use scale(n).").concerning(
            self.name, None
        )

    def upgrade(self, values: Any = None, *, chart: str | os.PathLike[str] | None = None) -> Any:
        """Upgrade the release, and wait until its pods are as they should be.

        Parameters
        ----------
        values : path, mapping, or list of them, optional
            On top of what the release was given. A number of workers that was set by scaling stays, unless
            ``worker.replicas`` is among these.
        chart : str, optional
            As for `HelmCluster`.

        Raises
        ------
        ValuesError, HelmError, StartError

        Examples
        --------
        >>> cluster.upgrade({"worker": {"resources": {"limits": {"memory": "8Gi"}}}})  # doctest: +SKIP
        """
        return self.sync(self._upgrade, values, chart=chart)

    async def _upgrade(self, values: Any = None, *, chart: str | os.PathLike[str] | None = None) -> None:
        layers = arguments.layers(values)
        reference = os.fspath(chart) if chart is not None else self._arguments.chart
        await self._open_release().upgrade(layers, reference, self._arguments.timeout)

    async def _wait_for_workers(self, n_workers: int = 0, timeout: float | str | None = None) -> None:
        from dask_kubernetes_helm.watching import Watcher  # noqa: PLC0415 - see the module's charter

        release = self._open_release()
        limit = config.seconds(timeout, "timeout") if timeout is not None else float("inf")

        async def registered() -> bool:
            info = await self.scheduler_comm.identity()
            running = [item for item in info["workers"].values() if item["status"] == Status.running.name]
            return len(running) >= n_workers

        async with Watcher(release.kube, release.name) as watcher:
            await watcher.until(
                registered,
                component=contract.WORKER,
                timeout=limit,
                what=f"{n_workers} workers",
                tick=lambda: None,
            )

    async def _get_logs(
        self,
        cluster: bool = True,
        scheduler: bool = True,
        workers: bool | Iterable[str] = True,
    ) -> Logs:
        release = self._open_release()
        logs = Logs()
        if cluster:
            logs["Cluster"] = Log("\n".join(line for _, line in self._cluster_manager_logs))
        if scheduler:
            logs["Scheduler"] = Log("\n".join((await release.logs(contract.SCHEDULER)).values()))
        if workers:
            wanted = None if workers is True else set(workers)  # type: ignore[arg-type]
            for pod, text in (await release.logs(contract.WORKER)).items():
                if wanted is None or pod in wanted:
                    logs[pod] = Log(text)
        return logs

    def _open_release(self) -> Release:
        if self._release is None or self.status in (Status.closing, Status.closed):
            raise ClusterClosedError(
                "This cluster is closed", cure="Make a new one, or attach to one by HelmCluster.from_name."
            ).concerning(self.name, None)
        return self._release

    # Being shown ----------------------------------------------------------------------------------------

    @property
    def namespace(self) -> str:
        """The namespace that the release is in."""
        return self._release.namespace if self._release else str(self._arguments.namespace)

    @property
    def dashboard_link(self) -> str:
        """Link to the dashboard, by the template `distributed.dashboard.link`; empty where it has none."""
        if self._connection is None or "dashboard" not in self.scheduler_info.get("services", {}):
            return ""
        return str(format_dashboard_link(self._connection.host, self._connection.dashboard_port))

    @property
    def connection(self) -> Connection | None:
        """By which route the scheduler is reached, and why."""
        return self._connection

    @property
    def workers(self) -> tuple[str, ...]:
        """One token for each worker that is asked for: the names of those there, then ``pending-0`` and so on."""
        wanted = sum(self._release.replicas.values()) if self._release else 0
        present = sorted(str(name) for name in self.observed)[:wanted]
        return (*present, *(f"pending-{index}" for index in range(wanted - len(present))))

    def _repr_html_(self, cluster_status: str | None = None) -> str:
        release = self._release
        details = dask.widgets.get_template("helmcluster.html.j2").render(
            release=self.name,
            namespace=self.namespace,
            chart=release.chart if release else "",
            connection=self._connection,
            cluster_status=cluster_status,
        )
        return str(super()._repr_html_(cluster_status=details))


def _doors() -> Any:
    """Import what talks to the outside."""
    from dask_kubernetes_helm import lifecycle, progress  # noqa: PLC0415 - see the module's charter

    return lifecycle, progress.Progress


async def _answers(address: str) -> bool:
    """Whether a Dask scheduler answers."""
    scheduler = rpc(address, timeout=_PROBE_TIMEOUT)
    try:
        await asyncio.wait_for(scheduler.identity(n_workers=0), _PROBE_TIMEOUT)
    except (OSError, asyncio.TimeoutError):
        return False
    finally:
        await scheduler.close_rpc()
    return True


_running: weakref.WeakSet[HelmCluster] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Leave nothing behind when the interpreter ends with clusters open."""
    for cluster in list(_running):
        with contextlib.suppress(Exception):
            cluster.close(timeout=60)

"""What any front's users look at: logs, events, how the start went, and all of it in one archive.

Belongs here: these verbs, for any front. Never here: how any of it is had (sights.py, collecting.py), or the life that
every front shares (base.py).
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed.deploy import Cluster
from distributed.utils import Log, Logs

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import InvalidArgumentError
from dask_kubernetes_helm.reports import excerpt, reading

if TYPE_CHECKING:
    from dask_kubernetes_helm.fronts.hosting import RemoteScheduler
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease
    from dask_kubernetes_helm.reports.events import Events
    from dask_kubernetes_helm.reports.podlogs import Following
    from dask_kubernetes_helm.reports.startup import StartupReport
    from dask_kubernetes_helm.reports.timing import Mark

#: Seconds that the scheduler may take for one answer.
_PATIENCE = 10.0


class LookingCluster(Cluster):
    """A cluster that can be looked at; `ReleaseCluster` is one."""

    _host: RemoteScheduler
    #: What was shown while it started.
    _marks: list[Mark]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._marks = []
        self._followed: set[Following] = set()
        super().__init__(*args, **kwargs)

    def _open_release(self) -> ManagedRelease:
        raise NotImplementedError

    async def _close(self) -> None:
        """End what follows logs; whoever waits for a line is told that there are no more."""
        await asyncio.gather(*(following.close() for following in self._followed))
        await super()._close()

    # Logs -----------------------------------------------------------------------------------------------

    def get_logs(
        self,
        cluster: bool = True,
        scheduler: bool = True,
        workers: bool | str | Iterable[str] = True,
        *,
        previous: bool = False,
        since: Any = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Any:
        """Logs by pod, or their lines as they come.

        Parameters
        ----------
        cluster : bool
            Whether with this cluster object's own.
        scheduler : bool
            Whether with the scheduler's.
        workers : bool, str or iterable of str
            Which workers': True for all, or names of pods or worker groups, or Dask's addresses.
        previous : bool
            Of each container's life before this one, which tells why it ended; empty where there was none.
        since : float, str, timedelta or datetime, optional
            From when on: seconds ago, text such as ``"5 minutes"``, or a point in time with its zone.
        tail : int, optional
            How many lines of each, counted from the end.
        follow : bool
            Give lines as they come, of pods that start later as well, and across restarts of a container.

        Returns
        -------
        distributed.utils.Logs, or a generator of str
            By ``"Cluster"``, ``"Scheduler"`` and names of pods; empty for a pod that has not started yet. With
            `follow`, a generator (in a running loop an asynchronous one) of lines, each with ``pod``, ``text`` and
            ``when``, until the cluster closes, its release is gone, or the pods that were named are.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            `since` or `tail` can't be meant, or a previous life was to be followed.
        WorkloadNotFoundError
            No pod has any of the names.
        ForbiddenError
            The credentials may not get ``pods/log``.

        Notes
        -----
        At most 16 logs are read, and 64 followed, at the same time. A scheduler in this process logs here, which is not
        followed. https://kubernetes.io/docs/concepts/cluster-administration/logging/ has how long logs are kept.

        Examples
        --------
        >>> cluster.get_logs(workers="gpu", since="5 minutes")  # doctest: +SKIP
        >>> for line in cluster.get_logs(follow=True, tail=0):  # doctest: +SKIP
        ...     print(line)
        """
        told = {"cluster": cluster, "scheduler": scheduler, "workers": workers, "since": since, "tail": tail}
        if not follow:
            return self.sync(self._get_logs, **told, previous=previous)
        told |= {"previous": previous, "follow": True}
        if self.asynchronous:
            return reading.lines(self._begin, told)
        return reading.lines_in_sync(self, self.sync(self._begin, told))

    async def _get_logs(
        self,
        cluster: bool = True,
        scheduler: bool = True,
        workers: bool | str | Iterable[str] = True,
        *,
        previous: bool = False,
        since: Any = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Logs | Following:
        release, asked = self._open_release(), excerpt.Excerpt.told(previous=previous, since=since, tail=tail)
        known = {address: str(info["name"]) for address, info in self.scheduler_info["workers"].items()}
        chosen = excerpt.Choice.told(workers, known).names if workers else None
        names: Any = True if chosen is None else chosen
        if follow:
            if previous:
                raise InvalidArgumentError("A container's previous life can't be followed", cure="Leave out either.")
            components = [contract.SCHEDULER] * bool(scheduler) + [contract.WORKER] * bool(workers)
            besides = (contract.SCHEDULER,)
            return release.follow(components, workers=names, besides=besides, since=since, tail=tail)
        logs = Logs()
        if cluster:
            logs["Cluster"] = Log("\n".join(line for _, line in self._cluster_manager_logs))
        if scheduler:
            logs["Scheduler"] = Log(await self._host.log(release, asked))
        if workers:
            found = await release.logs(contract.WORKER, workers=names, previous=previous, since=since, tail=tail)
            logs |= {pod: Log(text) for pod, text in found.items()}
        return logs

    async def _begin(self, told: Mapping[str, Any]) -> Following:
        following: Following = await (await self._get_logs(**told)).__aenter__()
        self._followed = {other for other in self._followed if not other.ended} | {following}
        return following

    # Events and the start -------------------------------------------------------------------------------

    def events(self, since: Any = None) -> Any:
        """What Kubernetes tells of the release's objects, the newest last.

        Parameters
        ----------
        since : float, str, timedelta or datetime, optional
            From when on, as for `get_logs`. Kubernetes keeps events for an hour unless it is told otherwise.

        Returns
        -------
        Events
            A list of `Event`, each with when, kind, name, reason, message, type and count; a table as text and in a
            notebook. Of the release's Deployments, their pods (also those that are gone), Services, budgets and claims.

        Raises
        ------
        InvalidArgumentError
        ForbiddenError
            The credentials may not list events.

        Examples
        --------
        >>> [event for event in cluster.events("10 minutes") if event.type == "Warning"]  # doctest: +SKIP
        """
        return self.sync(self._events, since)

    async def _events(self, since: Any = None) -> Events:
        return await self._open_release().events(since)

    def startup_report(self) -> Any:
        """How long the start took, and where the time went, pod by pod.

        Returns
        -------
        StartupReport
            With ``totals`` in seconds, ``pods``, ``slowest`` and ``to_dict()``; a table as text and in a notebook.

        Raises
        ------
        KubernetesError
            Pods may not be listed; whatever else can't be had is named in ``missing``.

        Notes
        -----
        Kubernetes' times are whole seconds, and each machine has its own clock. Where an image was pulled to is known
        as long as Kubernetes keeps the event, an hour unless it is told otherwise.

        Examples
        --------
        >>> cluster.startup_report().slowest["step"]  # doctest: +SKIP
        'pulling images'
        """
        return self.sync(self._startup_report)

    async def _startup_report(self) -> StartupReport:
        registered, missing = await self._registered()
        return await self._open_release().startup(registered, self._marks, missing)

    async def _registered(self) -> tuple[dict[str, datetime], list[str]]:
        """When workers came to the scheduler, by their names; and why that is not known."""
        from dask_kubernetes_helm.reports import timing  # noqa: PLC0415 - only here

        try:
            told, known = await asyncio.wait_for(
                asyncio.gather(self.scheduler_comm.events(topic="all"), self.scheduler_comm.identity()), _PATIENCE
            )
        except (OSError, asyncio.TimeoutError) as error:
            return {}, [f"when workers registered: the scheduler does not answer ({str(error) or 'in time'})"]
        return timing.registrations(told, known["workers"]), []

    # All in one -----------------------------------------------------------------------------------------

    def collect(self, path: str | os.PathLike[str]) -> Any:
        """Write all that a bug report needs into one archive, secrets left out.

        Parameters
        ----------
        path : str or path
            A file that ends with ``.zip``, ``.tar.gz`` or ``.tgz``; or a folder, which gets a zip that is named after
            the release and the time.

        Returns
        -------
        pathlib.Path
            The archive. Its README.txt lists what is in it, and what could not be had and why: it is written with
            what there is while the scheduler is down, pods crash, or credentials lack rights.

        Raises
        ------
        InvalidArgumentError
            The path is no such file.
        OSError
            It can't be written.

        Notes
        -----
        Data of Secrets is never in it; what it masks besides is in docs/logs-and-reports.md. Look through it all the
        same before you give it away: logs hold what your code prints.

        Examples
        --------
        >>> cluster.collect("report.zip")  # doctest: +SKIP
        PosixPath('report.zip')
        """
        return self.sync(self._collect, path)

    async def _collect(self, path: str | os.PathLike[str]) -> Path:
        from dask_kubernetes_helm.reports import collecting, describing  # noqa: PLC0415 - its libraries are slow to import

        release, told = self._open_release(), {**self._cluster_info, "connection": str(self.connection)}
        report = functools.cache(lambda: asyncio.ensure_future(self._startup_report()))

        async def text() -> str:
            return str(await report())

        async def data() -> dict[str, Any]:
            return (await report()).to_dict()

        more = {"startup.txt": text, "startup.json": data, **describing.parts(self.scheduler_comm, told)}
        if not release.service:  # a scheduler in this process has no pod whose log could be read
            more["logs/scheduler.log"] = functools.partial(self._host.log, release, excerpt.Excerpt())
        return await collecting.collect(release, path, more)

"""What there is to see of a release: logs, events, how it started, what is wrong. Needs no helm, and no scheduler.

Belongs here: asking for it in the release's name. Never here: how each is had (podlogs.py, inventory.py) or judged
(timing.py), or changing anything (release.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dask_kubernetes_helm import contract, moments
from dask_kubernetes_helm.diagnosis import Diagnosis, accounting, losses
from dask_kubernetes_helm.errors import HelmClusterError, KubernetesError
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.reports import inventory, podlogs, timing
from dask_kubernetes_helm.reports.events import Events
from dask_kubernetes_helm.reports.excerpt import Choice, Excerpt
from dask_kubernetes_helm.reports.startup import StartupReport
from dask_kubernetes_helm.waiting import checkup


class Sights:
    """What can be seen of a release.

    Parameters
    ----------
    name : str
        The release's name.
    kube : Kube
        The door to the API, in the release's namespace.
    """

    def __init__(self, name: str, kube: Kube) -> None:
        self.name, self.kube = name, kube

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.kube.namespace

    async def logs(
        self,
        component: str,
        *,
        workers: bool | str | Iterable[str] = True,
        previous: bool = False,
        since: Any = None,
        tail: int | None = None,
    ) -> dict[str, str]:
        """Logs by pod, of all pods of a component or of some; empty for a pod that has none yet.

        Parameters
        ----------
        component : str
            ``"scheduler"`` or ``"worker"``.
        workers : bool, str or iterable of str
            Names of pods or worker groups, or Dask's addresses; True: all.
        previous, since, tail
            As for `HelmCluster.get_logs`.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError, ForbiddenError
        WorkloadNotFoundError
            No pod has any of the names.
        """
        excerpt = Excerpt.told(previous=previous, since=since, tail=tail)
        with self._concerned():
            pods = await self.kube.find("pods", contract.selector(self.name, component))
            return await podlogs.read(self.kube, Choice.told(workers).of(pods), excerpt)

    def follow(
        self,
        components: Collection[str] = (contract.SCHEDULER, contract.WORKER),
        *,
        workers: bool | str | Iterable[str] = True,
        besides: Collection[str] = (),
        since: Any = None,
        tail: int | None = None,
    ) -> podlogs.Following:
        """Logs as they come, for `async with`; its `next()` gives a line, or None once there are no more.

        Parameters
        ----------
        components : collection of str
            Whose.
        besides : collection of str
            Components that are followed whatever names there are.
        workers, since, tail
            As for `logs`.
        """
        excerpt = Excerpt.told(since=since, tail=tail)
        choice = dataclasses.replace(Choice.told(workers), besides=frozenset(besides))
        return podlogs.Following(self.kube, self.name, components, choice, excerpt)

    async def events(self, since: Any = None) -> Events:
        """What Kubernetes tells of the release's objects; see `HelmCluster.events`."""
        begin = moments.beginning(moments.since(since))
        with self._concerned():
            return await inventory.happened(self.kube, self.name, begin)

    async def startup(
        self, registered: Mapping[str, datetime], marks: Sequence[timing.Mark], missing: Iterable[str] = ()
    ) -> StartupReport:
        """How long the release took to start; see `timing.report`."""
        missing = list(missing)
        with self._concerned():
            pods = await self.kube.find("pods", contract.selector(self.name))
        try:
            events = await inventory.happenings(self.kube, self.name)
        except KubernetesError as error:
            events = []
            missing.append(f"how long images took to pull: {error.message}")
        return timing.report(
            pods, events, registered, marks, release=self.name, namespace=self.namespace, missing=missing
        )

    async def diagnose(self, identity: Callable[[], Awaitable[Mapping[str, Any]]] | None = None) -> Diagnosis:
        """What is wrong with the release now; needs nothing of what `find` finds.

        Parameters
        ----------
        identity : coroutine function, optional
            Asks the scheduler who it is; without one, it is not asked.

        Raises
        ------
        KubernetesError
        """
        return await checkup.examine(self.kube, self.name, identity)

    async def lost_workers(
        self, seen: Iterable[losses.LostWorker] = (), journal: Iterable[Mapping[str, Any]] = ()
    ) -> losses.LostWorkers:
        """Workers that were lost, by what was seen, by the journal, and by what Kubernetes remembers."""
        remembered, told = (await checkup.Evidence.gather(self.kube, self.name)).lost()
        return accounting.account([*remembered, *seen], told, journal)

    @contextlib.contextmanager
    def _concerned(self) -> Iterator[None]:
        """Have errors say which release they are about."""
        try:
            yield
        except HelmClusterError as error:
            raise error.concerning(self.name, self.namespace) from error.__cause__

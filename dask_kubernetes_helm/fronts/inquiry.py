"""What a cluster can be asked about itself: what is wrong with it, and which workers it has lost.

Belongs here: these verbs, for any front, on Dask's `Cluster`. Never here: what an answer means (diagnosis), or a
release's life (base.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from distributed.deploy import Cluster

from dask_kubernetes_helm.errors import SchedulerUnreachableError

if TYPE_CHECKING:
    from dask_kubernetes_helm.diagnosis.losses import LostWorkers
    from dask_kubernetes_helm.diagnosis.report import Diagnosis
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease
    from dask_kubernetes_helm.waiting.losing import Register

#: Seconds that a scheduler may take to say who it is.
_ANSWER = 5.0
#: Versions that are told of a scheduler.
_TOLD = ("python", "dask", "distributed")


class Inquiry(Cluster):
    """A cluster bound to a release, as far as it can be asked about itself; its arguments are `Cluster`'s."""

    _release: ManagedRelease | None
    _register: Register | None = None

    async def _start(self) -> None:
        from dask_kubernetes_helm.waiting.losing import Register  # noqa: PLC0415 - its libraries are slow to import; see base.py

        await super()._start()
        if self._release is not None:
            self._register = Register(self._release.kube, self._release.name)
            self._register.start()

    async def _close(self) -> None:
        if self._register is not None:
            await self._register.close()
        await super()._close()

    def _open_release(self) -> ManagedRelease:
        raise NotImplementedError

    async def _scaling_history(self) -> list[dict[str, Any]]:
        return []

    def diagnose(self) -> Any:
        """Look at everything that belongs to the release, once, and say what is wrong.

        Pods, Deployments, ReplicaSets and events are looked at, and the scheduler is asked who it is. What these
        credentials may not read is left out, and said.

        Returns
        -------
        Diagnosis
            With `ok`, `findings` (each with `error`, `sentence`, `cure`, `terminal`, `object` and `reason`) and
            `to_dict()`; printed, it is a text, and in a notebook a table.

        Raises
        ------
        ClusterClosedError
        KubernetesError
            The API can't be reached, or nothing at all may be read.

        Examples
        --------
        >>> print(cluster.diagnose())  # doctest: +SKIP
        Release demo in namespace lab: nothing is wrong
          scheduler  1 of 1 ready
          workers    2 of 2 ready
          in Dask    2 workers are registered
        """
        return self.sync(self._diagnose)

    async def _diagnose(self) -> Diagnosis:
        return await self._open_release().diagnose(self._identity)

    async def _identity(self) -> dict[str, Any]:
        """Who the scheduler is; an OSError where it does not answer."""
        try:
            info = await asyncio.wait_for(self.scheduler_comm.identity(), _ANSWER)
            told = (await asyncio.wait_for(self.scheduler_comm.versions(), _ANSWER))["packages"]
        except asyncio.TimeoutError as error:
            raise OSError(f"no answer in {_ANSWER:g} s") from error
        versions = {name: told[name].removesuffix(".final.0") for name in _TOLD if told.get(name)}
        return {"address": info["address"], "workers": len(info["workers"]), "versions": versions}

    def lost_workers(self) -> Any:
        """Which workers were lost, when, and why.

        A cluster notes losses while it is open. Of those before, it tells what pods, Kubernetes' events (which it
        keeps for an hour) and the scheduler's journal remember.

        Returns
        -------
        LostWorkers
            A list that is shown as a table, each item with `name`, `pod`, `group`, `when`, `reason` (``"OOMKilled"``,
            ``"Evicted"``, ``"NodeGone"``, ``"Preempted"``, ``"ScaledDown"``, ``"Replaced"``, ``"Deleted"``,
            ``"Error"``...) and `message`, the newest last.

        Raises
        ------
        ClusterClosedError, KubernetesError

        Examples
        --------
        >>> cluster.lost_workers()  # doctest: +SKIP
        WHEN                       WORKER                    REASON     MESSAGE
        2026-11-26 21:00:00+00:00  demo-dask-worker-5d4f-x7  OOMKilled  killed for its memory; its limit is 2Gi
        """
        return self.sync(self._lost_workers)

    async def _lost_workers(self) -> LostWorkers:
        release, journal = self._open_release(), list[dict[str, Any]]()
        with contextlib.suppress(SchedulerUnreachableError):
            journal = await self._scaling_history()
        return await release.lost_workers(self._register.lost if self._register else [], journal)

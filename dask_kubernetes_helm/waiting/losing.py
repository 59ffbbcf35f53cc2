"""Workers that are lost while a cluster is looked after: noted as it happens, and told.

Belongs here: one watch of a release's worker pods, of which nothing is kept but losses. Never here: why one was lost
(diagnosis.losses).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from datetime import datetime, timezone
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.diagnosis import losses
from dask_kubernetes_helm.errors import KubernetesError
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.kubeapi.kube import Kube

logger = logging.getLogger(__name__)

Object = dict[str, Any]

#: Pods on their way to their first process can't be lost, and change most.
_BEGUN = "status.phase!=Pending"
#: How many losses are kept, and how many are told in the log: a node's end takes many along.
_KEPT, _TOLD = 10_000, 50


class Register:
    """The workers that a release loses from now on.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose workers.
    """

    def __init__(self, kube: Kube, release: str) -> None:
        self._kube, self._release = kube, release
        self._lost: OrderedDict[tuple[str, datetime | None], losses.LostWorker] = OrderedDict()
        self._following: asyncio.Task[None] | None = None
        self._told = 0

    @property
    def lost(self) -> list[losses.LostWorker]:
        """Those so far, the newest last."""
        return list(self._lost.values())

    def start(self) -> None:
        """Take notice from now on."""
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Take no more notice."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        news = following.follow(
            self._kube,
            "pods",
            contract.selector(self._release, contract.WORKER),
            fields=_BEGUN,
            pace=following.LOOKING_AFTER,
            listing=False,
        )
        try:
            async with contextlib.aclosing(news):
                async for kind, pod in news:
                    if kind not in (following.UNHEARD, following.HEARD):
                        await self.note(kind, pod)
        except KubernetesError as error:
            logger.debug("release %s: losses of workers are not noticed: %s", self._release, error)

    async def note(self, kind: str, pod: Object) -> None:
        """Take a change of a pod into account."""
        for lost in losses.restarts(pod):
            if (lost.pod, lost.when) not in self._lost:
                self._add((lost.pod, lost.when), lost)
        now = datetime.now(timezone.utc)
        removed = losses.removal(pod, now) or (losses.removal(_deleted(pod, now), now) if kind == "DELETED" else None)
        if removed is not None:
            known = self._lost.get((removed.pod, None))
            if known is None or (known.reason in losses.INTENDED and removed.reason not in losses.INTENDED):
                self._add((removed.pod, None), await self._with_event(removed, pod))

    async def _with_event(self, lost: losses.LostWorker, pod: Object) -> losses.LostWorker:
        """The same, asked for where the pod itself does not tell why; of very many the account asks once for all."""
        if lost.message != losses.UNTOLD or self._told > _TOLD:
            return lost
        try:
            events, _ = await self._kube.snapshot("events", fields=f"involvedObject.name={lost.pod}")
        except KubernetesError as error:
            logger.debug("release %s: why %s has ended is not known: %s", self._release, lost.pod, error)
            return lost
        return losses.with_event(lost, pod, events)

    def _add(self, key: tuple[str, datetime | None], lost: losses.LostWorker) -> None:
        self._lost[key] = lost
        if len(self._lost) > _KEPT:
            self._lost.popitem(last=False)
        if lost.reason in losses.INTENDED or self._told > _TOLD:
            return
        self._told += 1
        if self._told > _TOLD:
            logger.warning("release %s: more workers were lost: cluster.lost_workers()", self._release)
        else:
            logger.warning("release %s: worker %s was lost: %s: %s", self._release, lost.pod, lost.reason, lost.message)


def _deleted(pod: Object, now: datetime) -> Object:
    """The pod, where it went without having been asked to."""
    return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": now.isoformat()}}

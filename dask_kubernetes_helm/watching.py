"""Waiting while watching: a release's pods and Deployments as they change, and the cause where they can't come up.

Belongs here: watches, deadlines, and raising what diagnosis.py finds. Never here: what to wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.errors import HelmClusterError, KubernetesError, StartError, StartTimeoutError
from dask_kubernetes_helm.kube import Kube

if TYPE_CHECKING:
    from typing_extensions import Self

Object = dict[str, Any]
T = TypeVar("T")

#: Seconds before a watch that broke is opened again; doubles up to the maximum.
_BACKOFF, _MAX_BACKOFF = 0.2, 5.0
#: Seconds after which a wait looks at its predicate again, whether or not anything changed.
_TICK = 1.0
_LOG_TAIL = 20


class Watcher:
    """What Kubernetes has of a release, kept current by watches.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose objects.

    Attributes
    ----------
    pods, deployments : dict
        Objects by name.
    """

    def __init__(self, kube: Kube, release: str) -> None:
        self._kube, self._release = kube, release
        self.pods: dict[str, Object] = {}
        self.deployments: dict[str, Object] = {}
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self.follow("pods", self.pods)
        self.follow("deployments", self.deployments)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, component: str) -> list[Object]:
        """Pods of a component, those that are going away left out."""
        return [
            pod
            for pod in self.pods.values()
            if pod["metadata"]["labels"].get(contract.COMPONENT_LABEL) == component
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def follow(self, resource: str, objects: dict[str, Object] | None = None) -> dict[str, Object]:
        """Watch one more kind of objects; they are kept current in the mapping, by name."""
        objects = {} if objects is None else objects
        self._tasks.append(asyncio.create_task(self._follow(resource, objects)))
        return objects

    async def until(
        self,
        reached: Callable[[], Awaitable[T | None]],
        *,
        component: str | None,
        timeout: float,
        what: str,
        tick: Callable[[], None] = lambda: None,
        interval: float = _TICK,
    ) -> T:
        """Wait until something is reached.

        Parameters
        ----------
        reached : coroutine function
            Its result, once it is neither None nor False; asked at each change, and at each interval.
        component : str, optional
            Whose pods' findings end the wait; None: nobody's.
        timeout : float
            Seconds.
        what : str
            What is awaited, for the error.
        tick : callable, optional
            Called each time round.
        interval : float
            Seconds.

        Raises
        ------
        StartError
            As soon as the cause is terminal.
        StartTimeoutError
            When the time is over; says what is still in the way.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._changed.clear()
            tick()
            self._raise_for_broken_watch()
            result = await reached()
            if result:
                return result
            findings = self._findings(component)
            for finding in findings:
                if finding.terminal:
                    raise await self._error(finding)
            left = deadline - time.monotonic()
            if left <= 0:
                reasons = "; ".join(finding.sentence for finding in findings)
                raise StartTimeoutError(
                    f"{what} was not there after {timeout:.0f} s{': ' + reasons if reasons else ''}",
                    cure=findings[0].cure if findings else "kubectl describe its pods; `timeout` allows more time.",
                    release=self._release,
                    namespace=self._kube.namespace,
                )
            try:
                await asyncio.wait_for(self._changed.wait(), min(interval, left))
            except asyncio.TimeoutError:
                continue

    def _findings(self, component: str | None) -> list[diagnosis.Finding]:
        if component is None:
            return []
        found = [diagnosis.examine(pod) for pod in self.of(component)]
        found += [
            diagnosis.refused(deployment)
            for deployment in self.deployments.values()
            if deployment["metadata"]["labels"].get(contract.COMPONENT_LABEL) == component
        ]
        return [finding for finding in found if finding]

    async def _error(self, finding: diagnosis.Finding) -> StartError:
        sentence = finding.sentence
        if finding.pod:
            tail = await self._log_tail(finding.pod, finding.container)
            sentence += f"; its log ends:\n{tail}\n" if tail else ""
        return finding.error(sentence, cure=finding.cure, release=self._release, namespace=self._kube.namespace)

    async def _log_tail(self, pod: str, container: str) -> str:
        for previous in (False, True):
            try:
                text = await self._kube.log(pod, container, previous=previous, tail=_LOG_TAIL)
            except KubernetesError:
                continue
            if text.strip():
                return text.strip()
        return ""

    async def _follow(self, resource: str, objects: dict[str, Object]) -> None:
        selector, backoff = contract.selector(self._release), _BACKOFF
        while True:
            try:
                items, version = await self._kube.snapshot(resource, selector)
                objects.clear()
                objects.update({item["metadata"]["name"]: item for item in items})
                self._changed.set()
                # From a version on: without one the server may wait for its cache before it answers at all.
                async with contextlib.aclosing(self._kube.watch(resource, selector, version)) as changes:
                    async for kind, item in changes:
                        backoff = _BACKOFF
                        self._note(objects, kind, item)
            except KubernetesError as error:
                if error.status in (401, 403):
                    raise
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _MAX_BACKOFF)

    def _note(self, objects: dict[str, Object], kind: str, item: Object) -> None:
        name = item["metadata"]["name"]
        if kind == "DELETED":
            objects.pop(name, None)
        elif kind in ("ADDED", "MODIFIED"):
            objects[name] = item
        self._changed.set()

    def _raise_for_broken_watch(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                if isinstance(error, HelmClusterError):
                    raise error.concerning(self._release, self._kube.namespace)
                raise error

"""Waiting while watching: a release's pods and Deployments as they change, and the cause where they can't come up.

Belongs here: watches, deadlines, and raising what diagnosis finds. Never here: what to wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.deadlines import within
from dask_kubernetes_helm.errors import HelmClusterError, KubernetesError, StartTimeoutError
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.waiting.trouble import Trouble

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

Object = dict[str, Any]
T = TypeVar("T")

#: Seconds after which a wait looks at its predicate again, whether or not anything changed.
_TICK = 1.0
#: Seconds that a predicate is waited for at least, and most beyond the end of the wait.
_ASKING = 1.0
#: Seconds between looks at what is in the way: thousands of pods change thousands of times.
_LOOK = 0.2
#: Seconds in which most comes up, so that nobody has to ask for events.
EVENTS_AFTER = 2.0
#: Events that tell of trouble; events have no labels by which the release's own could be asked for.
_WARNINGS = "type=Warning"


class Watcher:
    """What Kubernetes has of a release, kept current by watches.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose objects.
    trouble : Trouble, optional
        Knows what was told already; by default nothing was.

    Attributes
    ----------
    pods, deployments, events : dict
        Objects by name. There may be events of others, and none where these credentials may not read them.
    """

    def __init__(self, kube: Kube, release: str, trouble: Trouble | None = None) -> None:
        self._kube, self._release = kube, release
        self.pods: dict[str, Object] = {}
        self.deployments: dict[str, Object] = {}
        self.events: dict[str, Object] = {}
        self._heeds_events = False
        self._trouble = trouble or Trouble(kube, release)
        self._changed = asyncio.Event()
        #: Why Kubernetes can't be asked at the moment, by what it is asked for.
        self._unheard: dict[str, KubernetesError] = {}
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
        component: str | tuple[str, ...] | None,
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
        component : str or tuple of str, optional
            Whose pods' findings end the wait where they are terminal, and are logged where they stand; None: nobody's.
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
        deadline, looked = time.monotonic() + timeout, 0.0
        if component is not None and not self._heeds_events:
            self._heeds_events = True
            self._tasks.append(asyncio.create_task(self._follow_events()))
        while True:
            self._changed.clear()
            tick()
            self._raise_for_broken_watch()
            result = await _in_time(reached(), deadline)
            if result:
                return result
            left = deadline - time.monotonic()
            if left <= 0 or time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                await self._judge(self.findings(component), left, what, timeout)
            try:
                await within(self._changed.wait(), min(interval, left))
            except asyncio.TimeoutError:
                continue

    async def _judge(self, findings: list[diagnosis.Finding], left: float, what: str, timeout: float) -> None:
        """Raise what is terminal, or that the time is over; tell what stands."""
        await self._trouble.judge(findings, self.pods)
        if left <= 0:
            await self._raise_timeout(findings, what, timeout)

    async def _raise_timeout(self, findings: list[diagnosis.Finding], what: str, timeout: float) -> NoReturn:
        """Say what is still in the way; the first of it is the error's cause."""
        findings = [await self._trouble.explained(finding, self.pods) for finding in findings]
        told, first = [finding.text for finding in findings], findings[0] if findings else None
        unheard = self._unheard.get("pods") or self._unheard.get("deployments")
        if unheard:
            told.append(f"Kubernetes can't be asked any more: {unheard.message}")
        reasons, cures = "; ".join(told), [item.cure for item in (first, unheard) if item]
        raise StartTimeoutError(
            f"{what} was not there after {timeout:.0f} s{': ' + reasons if reasons else ''}",
            cure=next(iter(cures), "kubectl describe its pods; `timeout` allows more time."),
            release=self._release,
            namespace=self._kube.namespace,
            object=first.object if first else "",
            reason=first.reason if first else "",
        ) from (first.exception(self._release, self._kube.namespace) if first else unheard)

    def findings(self, component: str | tuple[str, ...] | None) -> list[diagnosis.Finding]:
        """What is in the way now, those first that waiting won't mend."""
        if component is None:
            return []
        components = (component,) if isinstance(component, str) else component
        return diagnosis.survey(self.pods.values(), self.deployments.values(), self.events.values(), components)

    async def _follow_events(self) -> None:
        await asyncio.sleep(EVENTS_AFTER)
        try:
            await self._follow("events", self.events, "", _WARNINGS)
        except KubernetesError as error:  # others still tell most of it
            logger.debug("release %s: events can't be followed: %s", self._release, error)

    async def _follow(
        self, resource: str, objects: dict[str, Object], selector: str | None = None, fields: str = ""
    ) -> None:
        selector = contract.selector(self._release) if selector is None else selector
        news = following.follow(self._kube, resource, selector, fields=fields, pace=following.WAITING)
        async with contextlib.aclosing(news):
            async for kind, item in news:
                if kind == following.UNHEARD:
                    self._unheard[resource] = item["error"]
                else:
                    self._unheard.pop(resource, None)
                    self._note(objects, kind, item)

    def _note(self, objects: dict[str, Object], kind: str, item: Object) -> None:
        if kind == following.LISTED:
            objects.clear()
            objects.update({each["metadata"]["name"]: each for each in item["items"]})
        elif kind == "DELETED":
            objects.pop(item["metadata"]["name"], None)
        elif kind in ("ADDED", "MODIFIED"):
            objects[item["metadata"]["name"]] = item
        self._changed.set()

    def _raise_for_broken_watch(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                if isinstance(error, HelmClusterError):
                    raise error.concerning(self._release, self._kube.namespace)
                raise error


async def _in_time(asked: Awaitable[T | None], deadline: float) -> T | None:
    """What a predicate says; None where it does not come to say it, as whoever it asks is silent."""
    left = max(deadline - time.monotonic(), _ASKING)
    with contextlib.suppress(asyncio.TimeoutError):
        return await within(asked, None if left == math.inf else left)
    return None

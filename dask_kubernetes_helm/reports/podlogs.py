"""Logs of a release's pods: read at once, or line by line as they come.

Belongs here: which requests that takes, how many at a time, and going on where a container starts anew. Never here:
what was asked for (excerpt.py), or the requests themselves (kube.py).

Source: https://kubernetes.io/docs/concepts/cluster-administration/logging/.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
from collections.abc import Collection
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import contract, moments
from dask_kubernetes_helm.errors import ForbiddenError, KubernetesError, UnauthorizedError
from dask_kubernetes_helm.kubeapi.kube import Kube, Object
from dask_kubernetes_helm.reports.excerpt import Choice, Excerpt
from dask_kubernetes_helm.waiting.watching import Watcher

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

#: Logs that are read, and that are followed, at the same time: each takes a connection.
READ, _FOLLOWED = 16, 64
#: Lines that wait for a slow reader; beyond, the nodes wait.
_WAITING = 1000
#: Seconds before a log is followed again whose stream ended while its container ran on.
_AGAIN = 0.5
#: Seconds for the last lines of pods that are gone.
_LAST = 5.0
_BAD_REQUEST, _NOT_FOUND = 400, 404


async def read(kube: Kube, pods: list[Object], excerpt: Excerpt, container: str | None = None) -> dict[str, str]:
    """Logs by pod; empty for a pod that has none yet, or no previous one.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    pods : list of dict
        Whose logs.
    excerpt : Excerpt
        Which part.
    container : str, optional
        Of which container; by default the one that is called as its pod's component.

    Raises
    ------
    ForbiddenError, UnauthorizedError
        Nothing may be read at all; what a single node does not give is said in its log's place.
    """
    places = asyncio.Semaphore(READ)

    async def one(pod: Object) -> str:
        async with places:
            return await log(kube, pod["metadata"]["name"], container or _component(pod), excerpt)

    # Tasks, not coroutines: where one fails, the others are ended rather than left.
    tasks = [asyncio.ensure_future(one(pod)) for pod in pods]
    try:
        texts = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {pod["metadata"]["name"]: text for pod, text in zip(pods, texts, strict=True)}


async def log(kube: Kube, pod: str, container: str, excerpt: Excerpt) -> str:
    """One container's log; see `read`."""
    try:
        return await kube.log(pod, container, previous=excerpt.previous, tail=excerpt.tail, since=excerpt.since)
    except (ForbiddenError, UnauthorizedError):
        raise
    except KubernetesError as error:
        # Not started, no previous life, or gone since.
        return "" if error.status in (_BAD_REQUEST, _NOT_FOUND) else f"No log: {error.message}"


class Line(str):
    """A line of a pod's log, as it is shown: the pod's name and the text.

    Attributes
    ----------
    pod, text : str
        Both apart.
    when : datetime
        When it was written, by the node's clock.
    """

    __slots__ = ("pod", "text", "when")
    pod: str
    text: str
    when: datetime

    def __new__(cls, pod: str, text: str, when: datetime) -> Self:
        """Put both together."""
        line = super().__new__(cls, f"{pod} | {text}")
        line.pod, line.text, line.when = pod, text, when
        return line


class Following:
    """Logs of a release's pods as they come, of those that start meanwhile as well.

    It ends with `close`, with the release, or once the pods that were asked for by name are gone.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose pods.
    components : collection of str
        Of which components.
    choice : Choice
        Which of their workers.
    excerpt : Excerpt
        From where on.
    """

    def __init__(self, kube: Kube, release: str, components: Collection[str], choice: Choice, excerpt: Excerpt) -> None:
        self._kube, self._release, self._components, self._choice = kube, release, components, choice
        self._excerpt = excerpt
        self._lines: asyncio.Queue[Line] = asyncio.Queue(_WAITING)
        self._places = asyncio.Semaphore(_FOLLOWED)
        #: By the container's id, as each of a pod's lives has its own.
        self._streams: dict[str, asyncio.Task[None]] = {}
        #: One stream per pod at a time, and the last line that it gave.
        self._turns: dict[str, asyncio.Lock] = {}
        self._last: dict[str, tuple[tuple[int, int], datetime]] = {}
        self._met = self._begun = self._warned = False
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin; refuses names that nobody has."""
        if self._choice.names:
            pods = await self._kube.find("pods", contract.selector(self._release))
            named = set(self._components) - self._choice.besides
            self._choice.of([pod for pod in pods if _component(pod) in named])
        self._work = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        await self.close()

    async def close(self) -> None:
        """End; who waits for a line gets none."""
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    @property
    def ended(self) -> bool:
        """Whether nothing is followed any more."""
        return self._work is not None and self._work.done()

    async def next(self) -> Line | None:
        """The next line; None once there are no more.

        Raises
        ------
        KubernetesError
        """
        assert self._work is not None
        if self._lines.empty() and not self._work.done():
            getting = asyncio.ensure_future(self._lines.get())
            try:
                await asyncio.wait({getting, self._work}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                getting.cancel()
        if not self._lines.empty():
            return self._lines.get_nowait()
        if not self._work.cancelled() and (error := self._work.exception()):
            raise error
        return None

    async def _follow(self) -> None:
        try:
            async with Watcher(self._kube, self._release) as watcher:
                await watcher.until(
                    functools.partial(self._look, watcher), component=None, timeout=math.inf, what="The logs' end"
                )
                if self._streams:  # what they said last; a node that is lost says nothing more
                    await asyncio.wait(self._streams.values(), timeout=_LAST)
        finally:
            for task in self._streams.values():
                task.cancel()
            await asyncio.gather(*self._streams.values(), return_exceptions=True)

    async def _look(self, watcher: Watcher) -> bool:
        """Follow what has started; whether nothing more will."""
        pods = [pod for pod in watcher.pods.values() if _component(pod) in self._components and self._choice.has(pod)]
        for pod in pods:
            name, status = pod["metadata"]["name"], _status(pod)
            if (ident := status.get("containerID")) and ident not in self._streams:
                # A container that starts meanwhile is followed from its first line.
                tail = None if self._begun else self._excerpt.tail
                self._streams[ident] = asyncio.create_task(self._stream(name, _component(pod), ident, watcher, tail))
        self._begun = self._begun or bool(watcher.pods)
        self._tell_of_many()
        for task in self._streams.values():
            if task.done() and (error := task.exception()):
                raise error
        self._met = self._met or bool(pods if self._choice.names else watcher.deployments)
        return self._met and not (pods or (not self._choice.names and watcher.deployments))

    def _tell_of_many(self) -> None:
        open_now = sum(not task.done() for task in self._streams.values())
        if open_now > _FOLLOWED and not self._warned:
            self._warned = True
            logger.warning(
                "release %s: %d logs are followed at a time, the others wait until one ends; workers= names some",
                self._release,
                _FOLLOWED,
            )

    async def _stream(self, pod: str, container: str, ident: str, watcher: Watcher, tail: int | None) -> None:
        """Give a container's lines until it has ended; a stream that breaks is opened again where it was."""
        async with self._turns.setdefault(pod, asyncio.Lock()), self._places:
            while True:
                try:
                    await self._give(pod, container, tail)
                except (ForbiddenError, UnauthorizedError):
                    raise
                except KubernetesError as error:
                    logger.debug("release %s: log of %s: %s", self._release, pod, error)
                for pause in (0.0, _AGAIN):  # the watch may take a moment to tell of the end
                    await asyncio.sleep(pause)
                    if not _runs(watcher, pod, ident):
                        return

    async def _give(self, pod: str, container: str, tail: int | None) -> None:
        resumed, moment = self._last.get(pod, (None, self._excerpt.since))
        tail = None if resumed else tail
        async with contextlib.aclosing(self._kube.follow(pod, container, tail=tail, since=moment)) as lines:
            async for line in lines:
                stamp, _, text = line.partition(" ")
                when = moments.parse(stamp)
                if when is None or (resumed and moments.order(stamp) <= resumed):
                    continue
                self._last[pod] = moments.order(stamp), when
                await self._lines.put(Line(pod, text, when))


def _component(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, ""))


def _runs(watcher: Watcher, pod: str, ident: str) -> bool:
    """Whether a container still runs."""
    status = _status(watcher.pods.get(pod, {}))
    return status.get("containerID") == ident and "running" in status.get("state", {})


def _status(pod: Object) -> dict[str, Any]:
    """What is told of the container that is called as its pod's component."""
    return next(
        (item for item in pod.get("status", {}).get("containerStatuses", []) if item["name"] == _component(pod)), {}
    )

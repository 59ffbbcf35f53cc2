"""Whether workers come up that nobody waits for: told in the log where they don't.

Belongs here: looking after a start or a growth for a while. Never here: what is wrong with a pod (diagnosis), or how
one waits for it (watching.py).
"""

from __future__ import annotations

import asyncio
import logging

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import KubernetesError, StartError
from dask_kubernetes_helm.releases.release import Release
from dask_kubernetes_helm.waiting.trouble import Trouble
from dask_kubernetes_helm.waiting.watching import Watcher

logger = logging.getLogger(__name__)

#: Seconds in which most workers come up, so that nobody has to look.
PAUSE = 3.0
#: The same for workers that the agent has asked for, of which this process hears a moment later.
_REST = 0.5
#: Seconds for which it is looked after.
_LONG = 600.0


class Aftercare:
    """Looks after the workers of a release.

    Parameters
    ----------
    release : Release
        Whose workers.
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._task: asyncio.Task[None] | None = None
        self._forget()

    def _forget(self) -> None:
        """What was told is told again."""
        self._trouble = Trouble(self._release.kube, self._release.name)
        self._told: set[type[StartError]] = set()

    async def begin(self) -> None:
        """Look after the workers that somebody has asked for just now."""
        await self.rest()
        self._forget()
        self._task = asyncio.create_task(self._look(PAUSE))

    def go_on(self) -> None:
        """Look after those as well that the agent has asked for; what was told already is not told again."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(_REST))

    async def rest(self) -> None:
        """Somebody waits for them, and hears of it; or nobody cares any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _look(self, pause: float) -> None:
        await asyncio.sleep(pause)
        name, kube = self._release.name, self._release.kube
        try:
            found = await kube.find("deployments", contract.selector(name, contract.WORKER))
            if all(_is_complete(item) for item in found):
                return
            async with Watcher(kube, name, self._trouble) as watcher:
                await watcher.until(
                    lambda: _complete(watcher), component=contract.WORKER, timeout=_LONG, what="The last of its workers"
                )
        except StartError as error:
            if type(error) not in self._told:
                self._told.add(type(error))
                logger.warning("workers don't come up; those that are there work on: %s", error)
        except KubernetesError as error:
            logger.debug("release %s: its workers can't be looked after: %s", name, error)


async def _complete(watcher: Watcher) -> bool:
    workers = [
        item
        for item in watcher.deployments.values()
        if item["metadata"]["labels"].get(contract.COMPONENT_LABEL) == contract.WORKER
    ]
    return bool(workers) and all(_is_complete(item) for item in workers)


def _is_complete(deployment: dict[str, object]) -> bool:
    """Whether as many pods are Ready as are asked for."""
    spec, status = deployment.get("spec"), deployment.get("status")
    assert isinstance(spec, dict)
    ready = status.get("readyReplicas", 0) if isinstance(status, dict) else 0
    return bool(ready >= spec.get("replicas", 1))

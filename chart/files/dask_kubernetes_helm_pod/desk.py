"""The requests that Python and workers make of the scheduler about its release.

Belongs here: taking requests over Dask's own comm (TLS included) and answering them with plain data. Never here: what
is done (the modules it calls), or the Kubernetes API.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from dask_kubernetes_helm_pod import facts, retiring
from dask_kubernetes_helm_pod.journal import Journal
from dask_kubernetes_helm_pod.shrinking import Order, Shrink

logger = logging.getLogger("distributed.scheduler.scaling")

Reply = dict[str, Any]

#: Seconds that a request about how something stands may wait for a change.
_LONG_POLL = 1.0


class Desk(SchedulerPlugin):  # type: ignore[misc]
    """What a scheduler does for its release.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose.
    """

    name = "dask-kubernetes-helm"

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._shrinks: dict[str, Shrink] = {}
        self._tasks: set[asyncio.Future[Any]] = set()
        self.journal = Journal()

    def open(self) -> None:
        """Begin to take requests."""
        self._scheduler.add_plugin(self)
        self._scheduler.handlers.update(
            scaling_begin=self.begin,
            scaling_look=self.look,
            scaling_end=self.end,
            scaling_record=self.record,
            scaling_history=self.history,
            scaling_leave=self.leave,
        )

    # What the scheduler tells ---------------------------------------------------------------------------

    async def add_worker(self, scheduler: Any, worker: str) -> None:
        """A worker has registered."""
        state = scheduler.workers.get(worker)
        for shrink in self._open_shrinks(facts.group(state) if state else None):
            self._go(shrink.arrived(state))

    def _go(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _open_shrinks(self, group: str | None) -> list[Shrink]:
        return [shrink for shrink in self._shrinks.values() if shrink.is_open and shrink.order.group == group]

    # Requests: making a group smaller -------------------------------------------------------------------

    async def begin(
        self, number: str, deployment: str, *, force: bool = False, key: bytes | None = None, **order: Any
    ) -> Reply:
        """Take a group's surplus pods out of service and empty them; see `shrinking.Order`.

        Whoever asks chooses the number, and may ask again with it where the answer was lost.
        """
        group, target = order["group"], order["target"]
        if number in self._shrinks:
            return await self.look(number)
        self._shrinks = {number: shrink for number, shrink in self._shrinks.items() if not shrink.is_over}
        if not force and (strangers := facts.strangers(self._scheduler, deployment)):
            return {"refused": "strangers", "workers": strangers}
        if others := self._open_shrinks(group):
            return {"refused": "busy", "who": others[0].order.who, "why": others[0].order.why}
        if not force and (stake := self._stake(group, target)):
            return {"refused": "at stake", **stake}
        together = pickle.loads(key) if key else None  # noqa: S301 - as Dask's own requests have it
        wanted = Order(**order, force=force, key=together)
        self._shrinks[number] = shrink = Shrink(self._scheduler, self.journal, wanted)
        return await shrink.look(_LONG_POLL)

    def _stake(self, group: str, target: int) -> dict[str, int] | None:
        """What would be lost, where nobody stays in service."""
        stays = target or any(facts.group(worker) != group for worker in self._scheduler.running)
        stake = facts.at_stake(self._scheduler)
        return stake if not stays and (stake["results"] or stake["tasks"]) else None

    async def look(self, number: str) -> Reply:
        """How it stands; whoever began has to ask now and then."""
        shrink = self._shrinks.get(number)
        return await shrink.look(_LONG_POLL) if shrink else {"phase": "unknown"}

    async def end(self, number: str, outcome: str, replicas: int | None = None, calls: int = 0) -> Reply:
        """The number was patched (to `replicas`), or will not be (None)."""
        shrink = self._shrinks.pop(number, None)
        if shrink is None:
            return {"phase": "unknown"}
        if replicas is None:
            await shrink.undo(outcome, calls)
        else:
            shrink.commit(replicas, calls)
            self._shrinks[number] = shrink
        return {"phase": shrink.phase}

    # Requests: the journal ------------------------------------------------------------------------------

    def record(self, **entry: Any) -> Reply:
        """Write down what somebody else did."""
        return self.journal.write(**entry)

    def history(self) -> list[Reply]:
        """All entries that are kept."""
        return list(self.journal.entries)

    # Requests: a pod that is being deleted ----------------------------------------------------------------

    async def leave(self, worker: str, timeout: float) -> Reply:
        """Empty a worker whose pod is being deleted.

        Parameters
        ----------
        worker : str
            Its address.
        timeout : float
            Seconds that this may take.
        """
        state = self._scheduler.workers.get(worker)
        if state is None:
            return {"empty": True, "why": ""}
        if facts.group(state) is not None:
            for shrink in self._shrinks.values():
                shrink.departed.add(facts.pod(state))
        emptied = await retiring.empty(self._scheduler, [worker], timeout)
        why = emptied.failed.get(worker, "")
        if why:
            logger.warning("scaling: worker %s leaves with what it holds: %s", state.name, why)
        return {"empty": not why, "why": why}

"""Workers emptied, and put back into service: what has to be done on a live scheduler.

Belongs here: what makes Dask let go of workers without losing a result or running a task twice. Never here: who leaves
(policy.py), or on whose word (shrinking.py, desk.py).

`Scheduler.retire_workers` moves results away and gives a worker nothing new, but it does not wait for what runs there,
and what waits there never starts: so tasks that have not begun are handed to others by Dask's own work stealing, which
asks the worker first, and after the running ones have ended the worker is retired again, for their results.

Source: https://distributed.dask.org/en/stable/active_memory_manager.html#retireworker
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic
from typing import Any

from distributed.active_memory_manager import RetireWorker
from distributed.core import Status
from distributed.stealing import WorkStealing

logger = logging.getLogger("distributed.scheduler.scaling")

#: Seconds between looks at what a retiring worker still does.
INTERVAL = 0.05
#: Seconds after which a task that did not move is asked for again; it doubles, as most of these are running.
_ASK_AGAIN = 0.5
#: Seconds without any worker in service after which nobody is waited for any more.
PATIENCE = 1.0
#: Seconds that workers may take to say that they are in service again.
_RESTORING = 5.0

NOWHERE = "there is no worker that could take its results"


@dataclass
class Emptied:
    """What became of the workers that were to be emptied: addresses, and why those that are not could not be."""

    empty: set[str]
    failed: dict[str, str]


async def empty(
    scheduler: Any, addresses: Collection[str], timeout: float, go_on: Callable[[], bool] = lambda: True
) -> Emptied:
    """Take workers out of service, let what runs there end, and have their results moved.

    Those that fail are left retired; `restore` puts them back into service.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose workers.
    addresses : collection of str
        Which.
    timeout : float
        Seconds for what runs there to end.
    go_on : callable
        Asked now and then; False ends it early.
    """
    deadline = monotonic() + timeout
    present = {address for address in addresses if address in scheduler.workers}
    outcome = Emptied(set(addresses) - present, {})
    moved = await _retire(scheduler, present, go_on)
    outcome.failed.update(dict.fromkeys(present - moved, NOWHERE))
    quiet = await _wait_for_tasks(scheduler, moved, deadline, go_on)
    outcome.failed.update({address: _busy(scheduler, address) for address in moved - quiet})
    # Dask looks at all workers in service for each result of those that it retires: no second time without a reason.
    late = {address for address in quiet if not _holds_nothing(scheduler, address)}
    if late:
        quiet = quiet - late | await _retire(scheduler, late, go_on)
        outcome.failed.update(dict.fromkeys(late - quiet, NOWHERE))
    outcome.empty |= quiet
    return outcome


async def _retire(scheduler: Any, addresses: set[str], go_on: Callable[[], bool]) -> set[str]:
    """Those whose results are elsewhere now. Gives up as soon as nobody is left who could take them."""
    present = [address for address in addresses if address in scheduler.workers]
    gone = addresses.difference(present)
    task = asyncio.ensure_future(scheduler.retire_workers(workers=present, close_workers=False, remove=False))
    lonely_since = monotonic()
    while not task.done():
        if scheduler.running:
            lonely_since = monotonic()
        if monotonic() - lonely_since > PATIENCE or not go_on():
            task.cancel()
            _forget_policies(scheduler, addresses)
            break
        await asyncio.wait([task], timeout=INTERVAL)
    retired = set() if task.cancelled() or not task.done() else set(task.result())
    # A worker that is gone has nothing to lose any more; neither has one whose results are in service elsewhere.
    return gone | retired | {address for address in present if _holds_nothing(scheduler, address)}


def _forget_policies(scheduler: Any, addresses: set[str]) -> None:
    """Stop Dask from moving results away from workers that are no longer to be emptied."""
    manager = scheduler.extensions.get("amm")
    for policy in list(manager.policies) if manager else ():
        if isinstance(policy, RetireWorker) and policy.address in addresses:
            manager.policies.discard(policy)


def _holds_nothing(scheduler: Any, address: str) -> bool:
    worker = scheduler.workers.get(address)
    return worker is None or not (
        worker.actors or any(task.who_has.isdisjoint(scheduler.running) for task in worker.has_what)
    )


async def _wait_for_tasks(scheduler: Any, addresses: set[str], deadline: float, go_on: Callable[[], bool]) -> set[str]:
    """Those that do nothing any more. Tasks that have not begun are handed to others meanwhile."""
    asked: dict[Any, tuple[float, float]] = {}
    lonely_since = monotonic()
    while True:
        workers = [scheduler.workers[address] for address in addresses if address in scheduler.workers]
        busy = [worker for worker in workers if worker.processing]
        if scheduler.running:
            lonely_since = monotonic()
        if not busy or not go_on() or monotonic() > min(deadline, lonely_since + PATIENCE):
            return addresses - {worker.address for worker in busy}
        _hand_over(scheduler, busy, asked)
        await asyncio.sleep(INTERVAL)


def _hand_over(scheduler: Any, workers: list[Any], asked: dict[Any, tuple[float, float]]) -> None:
    """Ask workers for the tasks that they have not begun."""
    stealing = scheduler.extensions.get("stealing") or WorkStealing(scheduler)
    thieves = _Thieves(scheduler)
    now = monotonic()
    for worker in workers:
        for task in list(worker.processing):
            due, pause = asked.get(task, (0.0, _ASK_AGAIN))
            if now < due or task in stealing.in_flight:
                continue
            thief = thieves.take(task)
            if thief is not None:
                asked[task] = (now + pause, pause * 2)
                stealing.move_task_request(task, worker, thief)


class _Thieves:
    """Workers in service by how soon they would begin one more task; a queue, as both they and tasks are thousands."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._given: dict[Any, int] = {}
        self._queue: list[tuple[float, int, Any]] | None = None

    def take(self, task: Any) -> Any:
        """The one that would begin the task soonest; None where the task may run nowhere."""
        if self._scheduler.valid_workers(task) is None:
            thief = self._first()
        else:
            thief = min(takers(self._scheduler, task), key=self._load, default=None)
        if thief is not None:
            self._given[thief] = self._given.get(thief, 0) + 1
        return thief

    def _load(self, worker: Any) -> float:
        return float((len(worker.processing) + self._given.get(worker, 0)) / worker.nthreads)

    def _first(self) -> Any:
        """The first of all; loads only grow, so that a place in the queue is at worst too far in front."""
        if self._queue is None:
            self._queue = [(self._load(ws), number, ws) for number, ws in enumerate(self._scheduler.running)]
            heapq.heapify(self._queue)
        while self._queue:
            load, number, worker = self._queue[0]
            now = self._load(worker)
            if now == load:
                return worker
            heapq.heapreplace(self._queue, (now, number, worker))
        return None


def takers(scheduler: Any, task: Any) -> set[Any]:
    """Workers in service that may run a task."""
    valid = scheduler.valid_workers(task)
    able = set(scheduler.running if valid is None else valid & scheduler.running)
    return set(scheduler.running) if task.loose_restrictions and not able else able


def _busy(scheduler: Any, address: str) -> str:
    worker = scheduler.workers.get(address)
    keys = [str(task.key) for task in worker.processing] if worker else []
    return f"still busy with {len(keys)} tasks, among them {keys[0]}" if keys else "given up"


async def restore(scheduler: Any, addresses: Collection[str]) -> None:
    """Put retired workers that are still there back into service, as an aborted retirement does."""

    def retired() -> list[Any]:
        workers = (scheduler.workers.get(address) for address in addresses)
        return [worker for worker in workers if worker and worker.status == Status.closing_gracefully]

    stimulus = f"back-in-service-{monotonic()}"
    message = {"op": "worker-status-change", "status": Status.running.name, "stimulus_id": stimulus}
    for worker in retired():
        scheduler.stream_comms[worker.address].send(message)
    deadline = monotonic() + _RESTORING
    while retired() and monotonic() < deadline:  # noqa: ASYNC110 - Dask has no event for it
        await asyncio.sleep(INTERVAL)
    if left := retired():
        logger.warning("%d workers did not come back into service, among them %s", len(left), left[0])

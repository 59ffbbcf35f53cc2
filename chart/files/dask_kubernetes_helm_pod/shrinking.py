"""A worker group made smaller: emptied, held ready for whoever patches the number, and undone where nobody goes on.

Belongs here: one such action, from choosing who leaves until they are gone. Never here: the Kubernetes API, requests
(desk.py takes them), or how a worker is emptied (retiring.py).

Whoever began it has to ask after it: what is not heard of for `LEASE` seconds is undone, so a Python that is killed
in the middle leaves no worker out of service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from dask_kubernetes_helm_pod import facts, policy, retiring
from dask_kubernetes_helm_pod.journal import Journal

logger = logging.getLogger("distributed.scheduler.scaling")

#: Seconds without a word from whoever began; longer than a port-forward takes to come back through an API server
#: that restarts.
LEASE = 75.0
#: Seconds for which Kubernetes may end none of the pods that are to leave; those left then are put back into service.
#: It ends some twenty a second, so that thousands take minutes, and one that is put back then is no victim any more.
SETTLING = 30.0
#: Seconds until a worker that has just registered can be told anything.
_ARRIVAL = 0.2
_INTERVAL = 0.1

EMPTYING, EMPTY, SETTLED, UNDONE = "emptying", "empty", "settled", "undone"


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes
    ----------
    group : str
        The worker group.
    target : int
        Pods that it should have.
    seen : int
        Pods that it has, by the number that the patch will test.
    who, why : str
        For the journal.
    timeout : float
        Seconds for running tasks to end; pods that are busy beyond stay.
    force : bool
        Pods leave even with results that nobody can take.
    key : callable, optional
        See `facts.pods`.
    chosen : sequence of str
        Names of the pods that are to leave; none: whoever costs least.
    """

    group: str
    target: int
    seen: int
    who: str
    why: str
    timeout: float
    force: bool = False
    key: Callable[[Any], Hashable] | None = None
    chosen: Sequence[str] = ()


class Shrink:
    """One group on its way to fewer pods."""

    def __init__(self, scheduler: Any, journal: Journal, order: Order) -> None:
        self.order, self._scheduler, self._journal = order, scheduler, journal
        self.phase = EMPTYING
        self.leaving: dict[str, tuple[str, ...]] = {}
        self.kept: list[policy.Kept] = []
        self.departed: set[str] = set()
        self._counted: set[str] | None = None
        self._changed = asyncio.Event()
        self._began = self._heard = monotonic()
        self._task = asyncio.ensure_future(self._run())

    @property
    def is_open(self) -> bool:
        """Whether it still waits for the number to be patched."""
        return self.phase in (EMPTYING, EMPTY)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.is_open and self._task.done()

    @property
    def addresses(self) -> set[str]:
        """Of the workers that are to leave."""
        return {address for addresses in self.leaving.values() for address in addresses}

    def _go_on(self) -> bool:
        return self.is_open and monotonic() - self._heard < LEASE

    # Emptying -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._empty()
        except Exception as error:
            logger.exception("scaling: group %s could not be made smaller", self.order.group)
            await self.undo(f"failed: {error!r}")
            return
        while self.phase == EMPTY and self._go_on():  # noqa: ASYNC110 - that nobody asks any more is no event
            await asyncio.sleep(_INTERVAL)
        if self.is_open:
            await self.undo("given up, as it was not heard of any more")

    async def _empty(self) -> None:
        order, scheduler = self.order, self._scheduler
        pods = policy.among(facts.pods(scheduler, order.group, order.key), order.chosen)
        elsewhere = float("inf") if order.force else facts.room_elsewhere(scheduler, order.group)
        choice = policy.choose(pods, policy.surplus(len(pods), order.target), elsewhere)
        self.kept += choice.kept
        self.leaving = {pod.name: pod.workers for pod in choice.leave}
        emptied = await retiring.empty(scheduler, self.addresses, order.timeout, self._go_on)
        if not order.force:
            await self._keep(choice.leave, emptied.failed)
        if self.phase == EMPTYING:
            self._turn(EMPTY)

    async def _keep(self, pods: tuple[policy.Pod, ...], failed: dict[str, str]) -> None:
        """Put those back into service that could not be emptied."""
        for pod in pods:
            why = next((failed[address] for address in pod.workers if address in failed), None)
            if why is not None:
                nbytes = sum(w.nbytes for a in pod.workers if (w := self._scheduler.workers.get(a)))
                self.kept.append(policy.Kept(pod.name, nbytes, why))
                del self.leaving[pod.name]
                await retiring.restore(self._scheduler, pod.workers)

    async def arrived(self, worker: Any) -> None:
        """A worker of the group has registered; one too many goes as it came, before it is given anything."""
        await asyncio.sleep(_ARRIVAL)
        surplus = len(facts.in_service(self._scheduler, self.order.group)) - self.order.target - len(self.kept)
        if self.is_open and surplus > 0:
            name = facts.pod(worker)
            self.leaving[name] = (*self.leaving.get(name, ()), worker.address)
            await retiring.empty(self._scheduler, [worker.address], self.order.timeout, self._go_on)

    # Being asked after ----------------------------------------------------------------------------------

    def _turn(self, phase: str) -> None:
        self.phase = phase
        self._changed.set()

    async def look(self, seconds: float) -> dict[str, Any]:
        """How it stands: answers at once when that has changed, else after some seconds at most."""
        self._heard = monotonic()
        if self.phase == EMPTYING:
            waiting = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait([waiting], timeout=seconds)
            waiting.cancel()
        workers = (self._scheduler.workers.get(address) for address in self.addresses)
        self._counted = set(facts.in_service(self._scheduler, self.order.group))
        return {
            "phase": self.phase,
            "in_service": len(self._counted),
            "leaving": sorted(self.leaving),
            "kept": [asdict(kept) for kept in self.kept],
            "tasks": sum(len(worker.processing) for worker in workers if worker),
        }

    # Ending ---------------------------------------------------------------------------------------------

    def commit(self, replicas: int, calls: int) -> None:
        """The number has been patched; Kubernetes deletes the pods now."""
        if self.is_open:
            self._write(replicas, calls, "done")
            self._turn(SETTLED)
            self._task = asyncio.ensure_future(self._settle())

    async def undo(self, outcome: str, calls: int = 0) -> None:
        """Put everybody back into service."""
        if self.is_open:
            self._turn(UNDONE)
            await retiring.restore(self._scheduler, self.addresses)
            self._write(self.order.seen, calls, outcome)

    def _write(self, replicas: int, calls: int, outcome: str) -> None:
        order = self.order
        self._journal.write(
            who=order.who,
            why=order.why,
            group=order.group,
            seen=order.seen,
            replicas=replicas,
            seconds=monotonic() - self._began,
            calls=calls,
            left=sorted(self.leaving) if outcome == "done" else (),
            kept=[asdict(kept) for kept in self.kept],
            outcome=outcome,
        )

    async def _settle(self) -> None:
        """Wait until those that were to leave are gone; who is left because another went is put back into service."""
        # Who has come since whoever patches has last looked was not Ready then, and may go as who was emptied does.
        others = set(facts.in_service(self._scheduler, self.order.group))
        if self._counted is not None:
            others &= self._counted
        fewest, deadline = len(self.leaving), monotonic() + SETTLING
        while monotonic() < deadline:
            present = facts.members(self._scheduler, self.order.group)
            staying = {name for name in self.leaving if name in present and name not in self.departed}
            if len(staying) < fewest:
                fewest, deadline = len(staying), monotonic() + SETTLING
            wrong = {name for name in others if name not in present or name in self.departed}
            if not staying or len(wrong) >= len(staying):
                break
            await asyncio.sleep(_INTERVAL)
        if staying:
            await retiring.restore(self._scheduler, [a for name in staying for a in self.leaving[name]])
            self._write_mended(staying, wrong)

    def _write_mended(self, staying: set[str], wrong: set[str]) -> None:
        self._journal.write(
            who="scheduler",
            why=f"Kubernetes deleted {', '.join(sorted(wrong)) or 'nobody'} instead of {', '.join(sorted(staying))}",
            group=self.order.group,
            seen=self.order.target,
            replicas=self.order.target,
            outcome="mended",
        )

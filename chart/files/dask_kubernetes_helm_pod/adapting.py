"""One worker group that the agent keeps at the size its work asks for, or wakes from its sleep.

Belongs here: carrying a wanted number out, one act at a time, and giving one up when more work comes. Never here: which
number is wanted (adaptive.py), how pods are emptied (shrinking.py), or HTTP (api.py).

Nothing is asked of the API while nothing is to be changed: the number of pods is known from the last change, and looked
up again where the workers that are there tell otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from dask_kubernetes_helm_pod import shrinking
from dask_kubernetes_helm_pod.adaptive import Demand, Stabilizer, target
from dask_kubernetes_helm_pod.api import Api, ApiError
from dask_kubernetes_helm_pod.desk import Desk
from dask_kubernetes_helm_pod.settings import Bounds, Group

logger = logging.getLogger("distributed.scheduler.scaling")

#: Who acts, in the journal.
WHO = "agent"
#: Seconds that Kubernetes gets to see that workers are out of service: two of its probes, one a second; and for each
#: worker, as what kubelets report is counted in one place. Where it is slower it may end another pod, which is emptied
#: on its way out like any other.
VOTE, VOTE_EACH = 2.0, 0.01
#: Seconds between looks meanwhile; a shrink that nobody looks after undoes itself.
_LOOK = 0.5
#: Seconds that running tasks have to end.
_TIMEOUT = 120.0
#: Seconds until what failed, or came to nothing, is tried again; doubles up to the longest.
_PAUSE, _LONGEST, _LONGEST_FOR_MORE = 2.0, 300.0, 10.0
#: Seconds for which the workers may be more, or fewer, than the number that is known before it is looked up again.
_MORE, _FEWER = 5.0, 30.0
#: Seconds that workers have to come back after the scheduler has started anew; until then no number is made smaller.
_RETURN = 30.0
#: Seconds after the API server was away in which no number is made smaller: Kubernetes' controllers come back to it up
#: to a minute later, and until then take workers that are out of service for Ready.
_BLIND = 75.0


class Adapter:
    """A worker group in the agent's care.

    Parameters
    ----------
    desk : Desk
        Empties pods, and has the journal.
    api : Api
        Changes the number.
    name : str
        The group's.
    group : Group
        What the chart says of it.
    maybe_asleep : bool
        It may have been put to sleep by an agent before this one.
    """

    def __init__(self, desk: Desk, api: Api, name: str, group: Group, *, maybe_asleep: bool = False) -> None:
        self._desk, self._api, self.name, self.group = desk, api, name, group
        self.bounds: Bounds | None = group.bounds
        #: The number of pods, as far as it is known.
        self.replicas: int | None = None
        #: Asleep: the number to wake up to; None while awake.
        self.slept: int | None = (1 if group.replicas is None else group.replicas) if maybe_asleep else None
        self._sleeping = self._remembers = False
        self._stabilizer = Stabilizer()
        self._due = self._not_before = self._not_more_before = self._blind_until = 0.0
        self._pause = _PAUSE
        self._odd_since: float | None = None
        self._odd_pause = _FEWER
        self._act: asyncio.Future[None] | None = None
        self._began = monotonic()
        #: What it is being shrunk to, as long as that can be given up.
        self._shrinking_to: int | None = None

    @property
    def state(self) -> dict[str, Any]:
        """For Python."""
        bounds = self.bounds
        limits = {"minimum": bounds.minimum, "maximum": bounds.maximum} if bounds else {}
        return {"replicas": self.replicas, "adapts": bounds is not None, **limits}

    # Being told -----------------------------------------------------------------------------------------

    def adapt(self, bounds: Bounds) -> None:
        """Follow the work from now on."""
        self.bounds = bounds
        self._awake()
        self._stabilizer = Stabilizer()
        self._due = self._not_before = self._not_more_before = 0.0

    async def rest(self) -> None:
        """Leave the number to others from now on; what is under way is undone."""
        self.bounds = None
        self._awake()
        await self.stop()

    async def stop(self) -> None:
        """Undo what is under way."""
        if self._act is not None and not self._act.done():
            if self._shrinking_to is not None:
                self._act.cancel()
            await asyncio.wait([self._act])

    def _awake(self) -> None:
        self.slept, self._sleeping, self._remembers = None, False, False

    def sleep(self, *, now: bool) -> None:
        """Let all pods go, but for one where results are held, until there is work; or let none go any more."""
        self._sleeping = now

    # Thinking -------------------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether it is time for a thought."""
        return monotonic() >= self._due

    def step(self, demand: Demand) -> None:
        """Think the number over, and begin what has to be done."""
        now = monotonic()
        self._notice(demand, now)
        self._due = now + (self.bounds.interval if self.bounds else 1.0)
        wanted = self._wanted(demand, now)
        if self._act is not None and not self._act.done():
            if self._shrinking_to is not None and wanted is not None and wanted > self._shrinking_to:
                self._act.cancel()
            return
        current = demand.pods if self.replicas is None else self.replicas
        if wanted is None or wanted == current:
            return
        returning = demand.pods < current and now - self._began < _RETURN
        if wanted < current and (now < max(self._not_before, self._blind_until) or returning):
            return
        if wanted > current and now < self._not_more_before:
            return
        act = self._grow if wanted > current else self._shrink
        self._act = asyncio.ensure_future(self._guarded(act(wanted, demand.sentence)))

    def _wanted(self, demand: Demand, now: float) -> int | None:
        """The number to have; None for whatever it is."""
        # What was remembered is the goal of waking up; what is only presumed is over with the first pod.
        if not self._sleeping and demand.pods >= ((self.slept or 1) if self._remembers else 1):
            self._awake()
        if self._sleeping or self.slept is not None:
            if demand.is_idle:
                return int(demand.held) if self._sleeping else None
            self._sleeping = False
            if self.bounds is None:
                return max(self.slept or 0, demand.pods)
            self._awake()
        if self.bounds is None:
            return None
        current = demand.pods if self.replicas is None else self.replicas
        pods = target(demand, self.bounds.target_duration)
        wanted = self.bounds.within(pods, demand.threads, demand.memory, unknown=not demand.pods)
        return self._stabilizer.settle(now, wanted, current, self.bounds.up, self.bounds.down)

    def _notice(self, demand: Demand, now: float) -> None:
        """Forget the number that is known where the workers tell otherwise for long."""
        busy = self._act is not None and not self._act.done()
        if self.replicas is None or self.replicas == demand.pods or busy:
            self._odd_since, self._odd_pause = None, _FEWER
            return
        self._odd_since = now if self._odd_since is None else self._odd_since
        if now - self._odd_since > (_MORE if demand.pods > self.replicas else self._odd_pause):
            # Pods that are pending for good make this come true again and again, ever more rarely.
            self._odd_since, self._odd_pause = now, min(_LONGEST, self._odd_pause * 2)
            self._act = asyncio.ensure_future(self._guarded(self._look_up()))

    # Acting ---------------------------------------------------------------------------------------------

    async def _guarded(self, act: Awaitable[bool]) -> None:
        """Do it; where it fails or comes to nothing, not again for a while."""
        tally = self._desk.journal.tally
        failures = tally.failures(self.name)
        try:
            fruitful = await act
        except ApiError as error:
            if error.is_unreachable:
                self._blind_until = monotonic() + _BLIND
            logger.warning("scaling: group %s: %s; again in %.0f s", self.name, error.strerror, self._pause)
            tally.fail(self.name, failures)
            fruitful = False
        except Exception:
            logger.exception("scaling: group %s: again in %.0f s", self.name, self._pause)
            tally.fail(self.name, failures)
            fruitful = False
        finally:
            self._shrinking_to = None
        now = monotonic()
        if fruitful:
            self._pause, self._not_before, self._not_more_before = _PAUSE, 0.0, 0.0
        else:
            # That nobody could leave is no reason to let work wait.
            self._not_before, self._not_more_before = now + self._pause, now + min(self._pause, _LONGEST_FOR_MORE)
            self._pause = min(_LONGEST, self._pause * 2)

    async def _look_up(self) -> bool:
        known, self.replicas = self.replicas, await self._api.replicas(self.group.deployment)
        if known is not None and known != self.replicas:
            self._write(f"somebody else has set {self.replicas}", known, self.replicas, 1, outcome="noticed")
            self._awake()
        return True

    async def _seen(self) -> int:
        if self.replicas is None:
            await self._look_up()
        assert self.replicas is not None
        return self.replicas

    async def _grow(self, wanted: int, why: str) -> bool:
        calls = self._api.calls
        seen = await self._seen()
        if seen >= wanted:
            return True
        if not await self._api.scale(self.group.deployment, wanted, seen):
            self.replicas = None
            return False
        self.replicas = wanted
        self._write(why, seen, wanted, self._api.calls - calls)
        return True

    def _write(self, why: str, seen: int, replicas: int, calls: int, outcome: str = "done") -> None:
        self._desk.journal.write(
            who=WHO, why=why, group=self.name, seen=seen, replicas=replicas, calls=calls, outcome=outcome
        )

    async def _shrink(self, wanted: int, why: str) -> bool:
        calls = self._api.calls
        self._shrinking_to = wanted
        seen = await self._seen()
        if self._sleeping and not self._remembers:
            self.slept, self._remembers = seen, True
        if seen <= wanted:
            return True
        number = uuid.uuid4().hex
        outcome = "more work has come"
        try:
            state = await self._emptied(number, wanted, seen, why)
            self._shrinking_to = None  # from here on there is no way back
            outcome = "nobody could leave"
            if state is not None and (replicas := min(seen, max(wanted, state["in_service"]))) < seen:
                if await self._api.scale(self.group.deployment, replicas, seen):
                    self.replicas, outcome = replicas, ""
                    await self._desk.end(number, "done", replicas=replicas, calls=self._api.calls - calls)
                    return not state["kept"]
                self.replicas, outcome = None, "somebody else has changed the number"
        except ApiError as error:
            outcome = f"failed: {error.strerror}"
            raise
        finally:
            self._shrinking_to = None  # putting them back into service is not given up as well
            if outcome:
                await self._desk.end(number, outcome, calls=self._api.calls - calls)
        return False

    async def _emptied(self, number: str, wanted: int, seen: int, why: str) -> dict[str, Any] | None:
        """How it stands once the surplus is empty and Kubernetes knows; None where it was refused."""
        key = self.bounds.key if self.bounds else None
        order: dict[str, Any] = {
            "group": self.name,
            "target": wanted,
            "seen": seen,
            "who": WHO,
            "why": why,
            "timeout": _TIMEOUT,
        }
        state = await self._desk.begin(number, self.group.deployment, key=key, **order)
        while state.get("phase") == shrinking.EMPTYING:
            state = await self._desk.look(number)
        if state.get("phase") != shrinking.EMPTY:
            logger.info("scaling: group %s can't be made smaller now: %s", self.name, state)
            return None
        end = monotonic() + (VOTE + VOTE_EACH * len(state["leaving"]) if state["leaving"] else 0)
        while state.get("phase") == shrinking.EMPTY and monotonic() < end:
            await asyncio.sleep(min(_LOOK, VOTE))
            state = await self._desk.look(number)
        return state if state.get("phase") == shrinking.EMPTY else None

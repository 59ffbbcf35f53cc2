"""The agent: keeps a release elastic and tidy when no Python process does.

It is a part of the scheduler, so it sees the work without asking anybody. Belongs here: its loop, and the requests that
steer it. Never here: what is decided (adaptive.py, tidying.py) or carried out (adapting.py).
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from dask_kubernetes_helm_pod import demand, facts, metrics, observing, tidying
from dask_kubernetes_helm_pod.adapting import Adapter
from dask_kubernetes_helm_pod.api import Api, ApiError
from dask_kubernetes_helm_pod.desk import Desk, Reply
from dask_kubernetes_helm_pod.settings import FOLDER, Bounds, Group, Settings

logger = logging.getLogger("distributed.scheduler.scaling")

#: Seconds between two rounds; groups think at their own interval.
TICK = 0.25
#: Seconds between looks at the settings file, which Kubernetes renews a while after an upgrade.
_REREAD = 5.0
#: Seconds that the file may take to follow what was told.
_FOLLOWING = 150.0
#: Seconds after which a Python process that has not been heard of is gone.
ATTENDANCE = 15.0
#: Seconds in which the first client may come, whose way here (a load balancer, say) may take a while.
_ARRIVAL = 600.0
#: Seconds until a request that failed is sent again.
_RETRY = 5.0


class Agent(SchedulerPlugin):  # type: ignore[misc]
    """The agent of one release.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose work.
    desk : Desk
        Empties pods, and has the journal.
    api : Api
        The Kubernetes API.
    read : callable
        Gives the settings' text as it is now.
    """

    name = "dask-kubernetes-helm-agent"

    def __init__(self, scheduler: Any, desk: Desk, api: Api, read: Callable[[], str]) -> None:
        self._scheduler, self._desk, self._api, self._read_text = scheduler, desk, api, read
        self._text = read()
        self._told, self._told_until = "", 0.0
        self._settings = Settings.read(self._text)
        #: By it Python notices that another agent has taken this one's place.
        self._id = uuid.uuid4().hex
        self._adapters: dict[str, Adapter] = {}
        self._ending: set[asyncio.Future[None]] = set()
        self._transitions = -1
        #: When the release was made, by the clock that never jumps.
        self._created: float | None = None
        self._idle_since = self._seen = self._read = monotonic()
        #: When a Python process has last said that it is there.
        self._heard = -math.inf
        self._known = False
        self._retry, self._errors = 0.0, 0
        self._loop: asyncio.Future[None] | None = None
        self._take(self._settings, fresh=True)

    def open(self) -> None:
        """Begin."""
        self._scheduler.add_plugin(self)
        self._scheduler.handlers.update(
            scaling_adapt=self.adapt,
            scaling_rest=self.rest,
            scaling_attend=self.attend,
            scaling_settings=self.take_settings,
        )
        self._loop = asyncio.ensure_future(self._run())
        metrics.show(self.observed)

    async def close(self) -> None:
        """End with the scheduler."""
        metrics.hide(self.observed)
        if self._loop is not None:
            self._loop.cancel()
        for adapter in self._adapters.values():
            await adapter.stop()
        self._api.close()

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """A worker that has just come is not idle yet: a start may take longer than idleness may."""
        self._idle_since = monotonic()

    def add_client(self, scheduler: Any, client: str) -> None:
        """A client that has just come is about to ask for something."""
        self._idle_since = monotonic()

    def observed(self) -> observing.Facts:
        """How it stands, for metrics."""
        now, lifecycle = monotonic(), self._settings.lifecycle
        return observing.Facts(
            groups={name: self._group(name, adapter) for name, adapter in self._adapters.items()},
            tally=self._desk.journal.tally,
            idle=now - self._idle_since,
            alone=self._alone(now),
            limits=lifecycle.limits,
            owned=bool(lifecycle.owner),
            attended=now - self._heard <= ATTENDANCE,
            calls=self._api.calls,
            api_errors=self._api.errors,
            errors=self._errors,
        )

    def _group(self, name: str, adapter: Adapter) -> observing.Group:
        in_service, known = len(facts.in_service(self._scheduler, name)), len(facts.members(self._scheduler, name))
        bounds = adapter.bounds
        return observing.Group(
            in_service=in_service,
            retiring=known - in_service,
            desired=adapter.replicas,
            adaptive=bounds is not None,
            asleep=adapter.slept is not None,
            minimum=bounds.minimum if bounds else None,
            maximum=bounds.maximum if bounds else None,
        )

    # Requests -------------------------------------------------------------------------------------------

    def adapt(self, group: str, deployment: str, who: str, bounds: dict[str, Any]) -> Reply:
        """Have a group follow its work; see `settings.Bounds`."""
        self._idle_since = monotonic()
        adapter = self._adapter(group, Group(deployment))
        adapter.adapt(Bounds(**bounds))
        seen = adapter.replicas if adapter.replicas is not None else 0
        why = f"adapt({bounds.get('minimum')}, {bounds.get('maximum')})"
        self._desk.journal.write(who=who, why=why, group=group, seen=seen, replicas=seen, outcome="adapting")
        return adapter.state

    async def rest(self, group: str) -> Reply:
        """Leave a group's number to whoever asks for this."""
        adapter = self._adapters.get(group)
        if adapter is None:
            return {"replicas": None, "adapts": False}
        self._idle_since = monotonic()
        await adapter.rest()
        known, adapter.replicas = adapter.replicas, None
        return {**adapter.state, "replicas": known}

    def attend(self, who: str) -> Reply:
        """A Python process is there; the groups' states."""
        self._heard = monotonic()
        return {"agent": self._id, "groups": {name: adapter.state for name, adapter in self._adapters.items()}}

    def take_settings(self, text: str) -> None:
        """New settings, told by who upgraded: the file follows after a while, and what it has until then is old."""
        self._take(Settings.read(text))
        self._told, self._told_until = text, monotonic() + _FOLLOWING

    def _adapter(self, name: str, group: Group) -> Adapter:
        if name not in self._adapters:
            self._adapters[name] = Adapter(self._desk, self._api, name, group)
        return self._adapters[name]

    def _take(self, settings: Settings, *, fresh: bool = False) -> None:
        old, self._settings = self._settings, settings
        asleep = fresh and tidying.is_time_to_sleep(settings.lifecycle, tidying.Seen(idle=float("inf")))
        for name, group in settings.groups.items():
            if name not in self._adapters:
                self._adapters[name] = Adapter(self._desk, self._api, name, group, maybe_asleep=asleep)
                continue
            adapter = self._adapters[name]
            before = old.groups.get(name)
            adapter.group = group
            # What Python has said since stays, unless the chart says something new.
            if group.bounds != (before.bounds if before else None):
                adapter.bounds = group.bounds
        for name in set(old.groups) - set(settings.groups):
            if gone := self._adapters.pop(name, None):
                ending = asyncio.ensure_future(gone.stop())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    # The loop -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                self._reread()
                await self._tidy()
                self._adapt()
            except Exception:
                logger.exception("scaling: the agent goes on after an error")
                self._errors += 1
                await asyncio.sleep(_RETRY)
            await asyncio.sleep(TICK)

    def _reread(self) -> None:
        if monotonic() < self._read + _REREAD:
            return
        self._read = monotonic()
        text = self._read_text()
        if text == self._told:
            self._text, self._told = text, ""
        is_late = bool(self._told) and monotonic() < self._told_until
        if text != self._text and not is_late:
            logger.info("scaling: the agent has new settings")
            self._text = text
            self._take(Settings.read(text))

    def _adapt(self) -> None:
        if not any(adapter.is_due() for adapter in self._adapters.values()):
            return
        groups = {name: adapter.group for name, adapter in self._adapters.items()}
        adapting = [name for name, adapter in self._adapters.items() if adapter.bounds is not None]
        for name, found in demand.read(self._scheduler, groups, adapting).items():
            if self._adapters[name].is_due():
                self._adapters[name].step(found)

    async def _tidy(self) -> None:
        """Put the release to sleep, or remove it, when it is time."""
        now, lifecycle = monotonic(), self._settings.lifecycle
        if self._is_busy():
            self._idle_since = now
        if now < self._retry:
            return
        try:
            seen = tidying.Seen(idle=now - self._idle_since, alone=self._alone(now), age=await self._age())
            if why := tidying.reason_to_remove(lifecycle, seen):
                logger.warning("scaling: removing release %s: %s", self._settings.release, why)
                await self._api.delete(lifecycle.owner, lifecycle.owner_uid)
                self._retry = now + 60  # Kubernetes ends this process in between
            else:
                for adapter in self._adapters.values():
                    adapter.sleep(now=tidying.is_time_to_sleep(lifecycle, seen))
        except ApiError as error:
            self._retry = now + _RETRY
            logger.warning("scaling: %s; again in %.0f s", error.strerror, _RETRY)

    async def _age(self) -> float | None:
        lifecycle = self._settings.lifecycle
        if lifecycle.ttl is None or not lifecycle.owner:
            return None
        if self._created is None:
            self._created = await self._api.created(lifecycle.owner) - time() + monotonic()
        return monotonic() - self._created

    def _is_busy(self) -> bool:
        """Whether anything is computed, or was since the last look."""
        scheduler = self._scheduler
        moved, self._transitions = scheduler.transition_counter != self._transitions, scheduler.transition_counter
        return bool(
            moved
            or scheduler.queued
            or scheduler.unrunnable
            or getattr(scheduler, "_active_graph_updates", 0)
            or any(worker.processing for worker in scheduler.workers.values())
        )

    def _alone(self, now: float) -> float:
        """Seconds without anybody: a client, but for those inside tasks, or a Python that manages the release."""
        clients = set(self._scheduler.clients) - {"fire-and-forget"}
        if any(not name.startswith("Client-worker-") and not self._is_away(name) for name in clients):
            self._seen, self._known = now, True
        self._seen = max(self._seen, self._heard)
        if not self._known and self._heard == -math.inf and now - self._seen < _ARRIVAL:
            return 0.0
        return now - self._seen if now - self._heard > ATTENDANCE else 0.0

    def _is_away(self, client: str) -> bool:
        """Whether a client's connection is only kept for it."""
        relay = getattr(self._scheduler, "relay", None)
        comm = getattr(self._scheduler.client_comms.get(client), "comm", None)
        return bool(relay and comm and relay.is_away(int(comm.peer_address.rpartition(":")[2])))


def start(scheduler: Any, desk: Desk, folder: Path = FOLDER) -> Agent | None:
    """Start the agent of a release that has one."""
    file = folder / "settings.json"
    if not file.exists():
        return None
    agent = Agent(scheduler, desk, Api(folder), file.read_text)
    agent.open()
    return agent

"""What each worker group has to do, read from a live scheduler.

Belongs here: to which group a task belongs, and adding up. Never here: what follows from it (adaptive.py), or changing
the scheduler.

A task that asks for Dask's abstract resources belongs to the first group whose workers have them; one that asks for
nothing to the first group that may grow or has workers, those without resources first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dask_kubernetes_helm_pod import facts
from dask_kubernetes_helm_pod.adaptive import Demand
from dask_kubernetes_helm_pod.settings import Group

#: Tasks of one kind that are looked at; of more, the others are taken to be like them.
SAMPLE = 1000


@dataclass
class _Tally:
    """What is added up for a group."""

    group: Group
    adapts: bool
    pods: dict[str, list[Any]]
    work: float = 0.0
    share: float = 0.0
    waits: bool = False
    threads: float = field(init=False)

    def __post_init__(self) -> None:
        workers = [worker for found in self.pods.values() for worker in found]
        total = sum(worker.nthreads for worker in workers)
        self.threads = total / len(self.pods) if workers else self.group.threads or 1

    def add(self, seconds: float, tasks: float, slots: float) -> None:
        self.work += seconds / slots
        self.share += tasks / slots

    def slots(self, needs: Mapping[str, float]) -> float:
        """Tasks with these needs that a pod runs at a time; 0: none."""
        have = self.group.resources
        slots = [self.threads] + [have.get(name, 0) // amount for name, amount in needs.items() if amount]
        return max(0.0, min(slots))


def read(scheduler: Any, groups: Mapping[str, Group], adapting: Iterable[str]) -> dict[str, Demand]:
    """The demand of each group, by name.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose tasks.
    groups : mapping
        The groups, in their order.
    adapting : iterable of str
        Names of those whose number follows the demand.
    """
    adapting = set(adapting)
    tallies = {
        name: _Tally(group, name in adapting, facts.in_service(scheduler, name)) for name, group in groups.items()
    }
    _waiting(scheduler, tallies)
    for name, tally in tallies.items():
        _assigned(scheduler, name, tally, tallies)
    held = any(worker.has_what for worker in scheduler.workers.values())
    return {name: _demand(name, tally, tallies, held=held) for name, tally in tallies.items()}


def _waiting(scheduler: Any, tallies: dict[str, _Tally]) -> None:
    """Tasks that no worker has."""
    for tasks in (scheduler.queued, scheduler.unrunnable):
        # One in so many: the first might all be of one kind.
        looked = list(itertools.islice(iter(tasks), 0, None, max(1, len(tasks) // SAMPLE)))
        times = len(tasks) / len(looked) if looked else 0
        for task in looked:
            tally = _home(task, tallies)
            if tally is not None:
                needs = task.resource_restrictions or {}
                tally.add(_duration(scheduler, task) * times, times, tally.slots(needs) or 1)
                tally.waits = True


def _assigned(scheduler: Any, name: str, tally: _Tally, tallies: dict[str, _Tally]) -> None:
    """Tasks that the group's workers have. Where workers have resources, each task is looked at."""
    for worker in itertools.chain.from_iterable(tally.pods.values()):
        if not worker.processing:
            continue
        if not tally.group.resources:
            home = tally if tally.adapts else _home(None, tallies) or tally
            home.add(worker.occupancy, len(worker.processing), home.threads)
            continue
        looked = list(itertools.islice(iter(worker.processing), SAMPLE))
        times = len(worker.processing) / len(looked)
        for task in looked:
            needs = task.resource_restrictions or {}
            home = tally if needs else _home(None, tallies) or tally
            home.add(_duration(scheduler, task) * times, times, home.slots(needs) or 1)


def _home(task: Any, tallies: dict[str, _Tally]) -> _Tally | None:
    """The group that a task waits for; None: no number of pods would help it."""
    needs: dict[str, float] = (task.resource_restrictions or {}) if task is not None else {}
    if task is not None and (task.worker_restrictions or task.host_restrictions) and not task.loose_restrictions:
        return None
    able = [tally for tally in tallies.values() if tally.slots(needs) > 0 and (tally.adapts or tally.pods or needs)]
    able = able or [tally for tally in tallies.values() if tally.slots(needs) > 0]
    return min(able, key=lambda tally: (bool(tally.group.resources) and not needs, not tally.adapts), default=None)


def _duration(scheduler: Any, task: Any) -> float:
    """Seconds that a task takes, by what others with its name took."""
    known: float = task.prefix.duration_average
    return known if known >= 0 else float(scheduler.UNKNOWN_TASK_DURATION)


def _demand(name: str, tally: _Tally, tallies: dict[str, _Tally], *, held: bool) -> Demand:
    workers = [worker for found in tally.pods.values() for worker in found]
    count = len(tally.pods)
    limits = [worker.memory_limit or 0 for worker in workers]
    limit = sum(limits) if all(limits) else 0
    elsewhere = any(other.pods for other_name, other in tallies.items() if other_name != name)
    return Demand(
        pods=count,
        needed=sum(1 for found in tally.pods.values() if any(_is_needed(worker) for worker in found)),
        work=tally.work,
        share=tally.share,
        waits=tally.waits,
        held=held and not elsewhere and count > 0,
        nbytes=sum(worker.nbytes for worker in workers),
        memory_limit=limit,
        threads=tally.threads if count else tally.group.threads,
        memory=limit / count if count else tally.group.memory,
    )


def _is_needed(worker: Any) -> bool:
    return bool(worker.processing or worker.actors or worker.long_running)

"""How many pods a worker group should have: pure decisions on plain data.

Belongs here: from demand to a number, and when a number that changes is followed. Never here: a live scheduler
(demand.py reads it), Kubernetes, or clocks (the time is an argument).

Source: https://distributed.dask.org/en/stable/adaptive.html; the measure is Dask's own, for one group at a time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: More pods come once this part of the memory is used, as Dask has it.
_FULL = 0.6
#: Pods that go must leave room for this many times what is held, as Dask has it.
_ROOM = 2.0


@dataclass(frozen=True)
class Demand:
    """What a group has to do, and with what.

    Attributes
    ----------
    pods : int
        Those in service.
    needed : int
        Those among them that can't go now: they compute, or hold what can't be moved.
    work : float
        Seconds that one pod would need for all that is assigned to the group or waits for it.
    share : float
        Pods that would do all of it at the same time.
    waits : bool
        Something waits for a worker that is not there.
    held : bool
        Results are in memory, and nobody but this group's pods could hold them.
    nbytes, memory_limit : int
        Bytes that are held, and that may be held by the pods in service.
    threads, memory : float
        Of one pod: threads, and bytes (0: no limit).
    """

    pods: int = 0
    needed: int = 0
    work: float = 0.0
    share: float = 0.0
    waits: bool = False
    held: bool = False
    nbytes: int = 0
    memory_limit: int = 0
    threads: float = 1.0
    memory: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.needed or self.share or self.waits)

    @property
    def sentence(self) -> str:
        """For the journal."""
        if self.is_idle:
            return "nothing to do"
        return f"{self.work:.1f} s of work for one pod, {self.needed} of {self.pods} pods needed"


def target(demand: Demand, duration: float) -> int:
    """The number of pods that gets the work done in about `duration` seconds, and loses none that is needed.

    Examples
    --------
    >>> target(Demand(work=100.0, share=200, waits=True), 5.0)
    20
    >>> target(Demand(pods=10, needed=4), 5.0)
    4
    """
    pods = min(math.ceil(demand.work / duration), math.ceil(demand.share))
    if demand.waits and not demand.pods:
        pods = max(1, pods)
    if demand.memory_limit:
        if demand.nbytes > _FULL * demand.memory_limit:
            pods = max(pods, 2 * demand.pods)
        one = demand.memory_limit / demand.pods
        pods = max(pods, min(demand.pods, math.ceil(_ROOM * demand.nbytes / one)))
    return max(pods, demand.needed, int(demand.held))


class Stabilizer:
    """Follows a number that changes: up and down each after a time of its own.

    A smaller number counts once nothing larger was wanted for `down` seconds, a larger one once nothing smaller was
    for `up` seconds: the windows of Kubernetes' own autoscaler.

    Source: https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#stabilization-window
    """

    def __init__(self) -> None:
        self._wanted: deque[tuple[float, int]] = deque()
        self._began: float | None = None

    def settle(self, now: float, wanted: int, current: int, up: float, down: float) -> int:
        """The number to have now.

        Parameters
        ----------
        now : float
            Seconds, on any clock that goes on.
        wanted, current : int
            What would be right, and what there is.
        up, down : float
            Seconds.

        Examples
        --------
        >>> follow = Stabilizer()
        >>> [follow.settle(t, wanted, 5, up=0, down=3) for t, wanted in enumerate([9, 2, 2, 2, 2])]
        [9, 5, 5, 5, 2]
        """
        self._began = now if self._began is None else self._began
        self._wanted.append((now, wanted))
        while self._wanted and self._wanted[0][0] < now - max(up, down):
            self._wanted.popleft()
        if wanted > current:
            return max(current, self._extreme(min, now, up, current))
        return min(current, self._extreme(max, now, down, current))

    def _extreme(self, pick: Callable[[list[int]], int], now: float, window: float, current: int) -> int:
        if self._began is None or now - self._began < window:
            return current
        return pick([wanted for time, wanted in self._wanted if time >= now - window])

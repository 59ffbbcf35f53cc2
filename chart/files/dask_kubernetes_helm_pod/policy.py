"""Who leaves: pure decisions on plain data, the same for whoever asks.

Belongs here: choosing. Never here: a live scheduler (retiring.py reads it), Kubernetes, or time.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pod:
    """A pod of a worker group, as far as its workers' scheduler knows it.

    Attributes
    ----------
    name : str
        The pod's name.
    workers : tuple of str
        Addresses of the Dask workers in it; several with `--nworkers`.
    processing : int
        Tasks that it runs or was given to run.
    long_running : int
        Tasks among these that have left their thread and wait for others.
    nbytes : int
        Bytes of the results that it holds.
    memory_limit : int
        Bytes that it may hold; 0: no limit.
    fixed : str
        Why it can't leave at all; empty when it can.
    together : hashable
        Pods with the same value leave together or not at all; None: on its own.
    """

    name: str
    workers: tuple[str, ...] = ()
    processing: int = 0
    long_running: int = 0
    nbytes: int = 0
    memory_limit: int = 0
    fixed: str = ""
    together: Hashable = None

    @property
    def room(self) -> float:
        """Bytes that it could take over."""
        return max(0, self.memory_limit - self.nbytes) if self.memory_limit else math.inf

    @property
    def cost(self) -> tuple[bool, bool, int, int, str]:
        """What it costs to let it go; Dask's own order: idle ones first, then those that hold little."""
        return (self.long_running > 0, self.processing > 0, self.nbytes, self.processing, self.name)


@dataclass(frozen=True)
class Kept:
    """A pod that stays although it was asked to leave, and why."""

    pod: str
    nbytes: int
    why: str


@dataclass(frozen=True)
class Choice:
    """Who leaves, and who of those that were wanted does not."""

    leave: tuple[Pod, ...]
    kept: tuple[Kept, ...]


def surplus(in_service: int, target: int) -> int:
    """How many pods in service have to leave for a group to have `target` pods.

    Pods that are not in service (still starting, crashed) need not be counted: Kubernetes deletes pods that are not
    Ready before those that are, so they are the first to go.
    Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset

    Examples
    --------
    >>> surplus(in_service=10, target=4), surplus(in_service=2, target=4)
    (6, 0)
    """
    return max(0, in_service - target)


def among(pods: Iterable[Pod], chosen: Sequence[str]) -> list[Pod]:
    """The pods, of which only the chosen ones can leave, if any are.

    Examples
    --------
    >>> [pod.fixed for pod in among([Pod("a"), Pod("b")], ["b"])]
    ['others were chosen', '']
    """
    return [pod if pod.name in chosen or not chosen else replace(pod, fixed="others were chosen") for pod in pods]


def choose(pods: Iterable[Pod], count: int, elsewhere: float = 0.0) -> Choice:
    """Which pods leave so that the cost is lowest and their results fit into the rest.

    Parameters
    ----------
    pods : iterable of Pod
        Those of the group that are in service.
    count : int
        How many should leave.
    elsewhere : float
        Bytes that workers outside of the group have room for.

    Examples
    --------
    >>> [pod.name for pod in choose([Pod("a", nbytes=9), Pod("b"), Pod("c", processing=1)], 2).leave]
    ['b', 'a']
    """
    pods = list(pods)
    able = [pod for pod in pods if not pod.fixed]
    fixed = sorted((pod for pod in pods if pod.fixed), key=lambda pod: pod.cost)
    kept = [Kept(pod.name, pod.nbytes, pod.fixed) for pod in fixed[: max(0, count - len(able))]]
    units = _cheapest(_units(able), count)
    units, crowded = _fitting(pods, units, elsewhere)
    return Choice(tuple(pod for unit in units for pod in unit), (*kept, *crowded))


def _units(pods: list[Pod]) -> list[list[Pod]]:
    """Pods that leave together."""
    units: dict[Hashable, list[Pod]] = {}
    for pod in pods:
        units.setdefault(("pod", pod.name) if pod.together is None else ("unit", pod.together), []).append(pod)
    return list(units.values())


def _cheapest(units: list[list[Pod]], count: int) -> list[list[Pod]]:
    """The cheapest, `count` pods at most; a unit costs what its dearest pod costs."""
    chosen: list[list[Pod]] = []
    for unit in sorted(units, key=lambda unit: max(pod.cost for pod in unit)):
        if len(unit) <= count:
            chosen.append(unit)
            count -= len(unit)
    return chosen


def _fitting(pods: list[Pod], leave: list[list[Pod]], elsewhere: float) -> tuple[list[list[Pod]], list[Kept]]:
    """Those of the leaving whose results fit into what the others have left; of the others the fullest stay."""
    names = {pod.name for unit in leave for pod in unit}
    room = elsewhere + sum(pod.room for pod in pods if pod.name not in names)
    moving = sum(pod.nbytes for unit in leave for pod in unit)
    by_bytes = sorted(leave, key=lambda unit: sum(pod.nbytes for pod in unit))
    kept: list[Kept] = []
    while moving > room:
        unit = by_bytes.pop()
        moving -= sum(pod.nbytes for pod in unit)
        room += sum(pod.room for pod in unit)
        kept += [Kept(pod.name, pod.nbytes, "the others have no room for its results") for pod in unit]
    staying = {item.pod for item in kept}
    return [unit for unit in leave if unit[0].name not in staying], kept

"""What the chart tells the agent, as plain data.

Belongs here: reading the settings file and judging what comes from outside. Never here: acting on it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dask.utils import parse_timedelta

#: Where the chart mounts settings and credentials.
FOLDER = Path("/etc/dask-kubernetes-helm-agent")

SCALE_TO_ZERO, UNINSTALL = "scaleToZero", "uninstall"


@dataclass(frozen=True)
class Bounds:
    """How a group adapts.

    Attributes
    ----------
    minimum, maximum : float
        Fewest and most pods; infinity for no limit.
    interval : float
        Seconds between thoughts.
    target_duration : float
        Seconds in which the work that is there should be done.
    up, down : float
        Seconds for which more, or fewer, pods must have been wanted before there are.
    units : mapping
        Bounds in other units, as Dask's users know them: minimum_cores, maximum_cores, minimum_memory, maximum_memory
        (bytes).
    key : bytes, optional
        A pickled function of a worker; pods whose workers have the same value leave together.
    """

    minimum: float = 0
    maximum: float = math.inf
    interval: float = 1.0
    target_duration: float = 5.0
    up: float = 0.0
    down: float = 3.0
    units: Mapping[str, float] = field(default_factory=dict)
    key: bytes | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Bounds:
        """From the chart's `adaptive`."""
        maximum = told.get("maximum")
        return cls(
            minimum=int(told.get("minimum", 0)),
            maximum=math.inf if maximum is None else int(maximum),
            interval=max(0.1, seconds(told.get("interval", 1))),
            target_duration=max(0.1, seconds(told.get("targetDuration", 5))),
            up=seconds(told.get("scaleUpStabilization", 0)),
            down=seconds(told.get("scaleDownStabilization", 3)),
        )

    def within(self, pods: float, threads: float, memory: float, *, unknown: bool = False) -> int:
        """The number of pods that is within the bounds and next to `pods`.

        Parameters
        ----------
        pods : float
            What is wanted.
        threads, memory : float
            Of one pod: threads and bytes; 0 for no limit, or for not known.
        unknown : bool
            No pod is there that would tell its size; one has to come first, where a bound is in its units.

        Examples
        --------
        >>> Bounds(1, 10).within(20, 1, 0), Bounds(units={"maximum_cores": 9}).within(20, 2, 0)
        (10, 4)
        """
        least, most = self.minimum, self.maximum
        for unit, size in (("cores", threads), ("memory", memory)):
            if size:
                least = max(least, math.ceil(self.units.get(f"minimum_{unit}", 0) / size))
                most = min(most, self.units.get(f"maximum_{unit}", math.inf) // size)
            elif unknown and self.units.get(f"maximum_{unit}", math.inf) < math.inf:
                most = min(most, 1)
            elif unknown and self.units.get(f"minimum_{unit}"):
                least = max(least, 1)
        return int(max(least, min(most, pods)))


@dataclass(frozen=True)
class Group:
    """A worker group, as the chart gives it.

    Attributes
    ----------
    deployment : str
        The name of its Deployment.
    replicas : int, optional
        Its number of pods at install.
    threads, memory : int
        Of a worker: threads and bytes; 0 where only Kubernetes knows.
    resources : mapping
        Dask's abstract resources of a worker.
    bounds : Bounds, optional
        Set where it adapts from the start.
    """

    deployment: str
    replicas: int | None = None
    threads: int = 0
    memory: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    bounds: Bounds | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Group:
        """From the settings file."""
        adaptive = told.get("adaptive") or {}
        return cls(
            deployment=told["deployment"],
            replicas=told.get("replicas"),
            threads=int(told.get("threads") or 0),
            memory=int(told.get("memory") or 0),
            resources=told.get("resources") or {},
            bounds=Bounds.of(adaptive) if adaptive.get("enabled") else None,
        )


@dataclass(frozen=True)
class Lifecycle:
    """When the release is put to sleep or removed; times in seconds, None for never."""

    idle_timeout: float | None = None
    idle_action: str = SCALE_TO_ZERO
    no_client_timeout: float | None = None
    ttl: float | None = None
    owner: str = ""
    owner_uid: str = ""

    @property
    def limits(self) -> dict[str, float]:
        """The spans of time that are set, by the names of their keys in the chart."""
        told = {"idleTimeout": self.idle_timeout, "noClientTimeout": self.no_client_timeout, "ttl": self.ttl}
        return {name: limit for name, limit in told.items() if limit is not None}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Lifecycle:
        """From the settings file."""

        def optional(name: str) -> float | None:
            return None if told.get(name) is None else seconds(told[name])

        owner = told.get("owner") or {}
        return cls(
            idle_timeout=optional("idleTimeout"),
            idle_action=told.get("idleAction", SCALE_TO_ZERO),
            no_client_timeout=optional("noClientTimeout"),
            ttl=optional("ttl"),
            owner=owner.get("name", ""),
            owner_uid=owner.get("uid", ""),
        )


@dataclass(frozen=True)
class Settings:
    """All that the chart tells the agent."""

    release: str
    groups: dict[str, Group]
    lifecycle: Lifecycle

    @classmethod
    def read(cls, text: str) -> Settings:
        """From the settings file's text.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is not what the chart writes.
        """
        told = json.loads(text)
        # Helm sorts names; the default group is the first for tasks that ask for nothing.
        names = sorted(told["groups"], key=lambda name: (name != "default", name))
        groups = {name: Group.of(told["groups"][name]) for name in names}
        return cls(told.get("release", ""), groups, Lifecycle.of(told.get("lifecycle") or {}))


def seconds(value: Any) -> float:
    """A span of time as Dask writes it, in seconds.

    Examples
    --------
    >>> seconds("2 minutes"), seconds(1.5)
    (120.0, 1.5)
    """
    return float(parse_timedelta(value, default="s"))

"""Adaptive scaling as Dask's users know it: their keywords judged, and what `cluster.adapt()` gives back.

Belongs here: from Dask's keywords to what the agent is told, and the handle. Never here: deciding or scaling (the agent
in the scheduler does both, see chart/files).

Source: https://distributed.dask.org/en/stable/adaptive.html
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import dask.config
from dask.utils import parse_bytes
from distributed.protocol import pickle

from dask_kubernetes_helm import config
from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidTypeError
from dask_kubernetes_helm.fronts import arguments
from dask_kubernetes_helm.text import did_you_mean

if TYPE_CHECKING:
    from dask_kubernetes_helm.elasticity.elastic import ElasticCluster

_UNITS = ("minimum_cores", "maximum_cores", "minimum_memory", "maximum_memory")
_SPANS = ("interval", "target_duration", "scale_up_stabilization", "scale_down_stabilization")
KEYWORDS = ("minimum", "maximum", "wait_count", "worker_key", *_SPANS, *_UNITS)


def bounds(**keywords: Any) -> dict[str, Any]:
    """What the agent is told, from `cluster.adapt`'s keywords; those that are None come from Dask's configuration.

    Returns
    -------
    dict
        Arguments of the agent's `Bounds`: pods, seconds, cores and bytes.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError

    Examples
    --------
    >>> told = bounds(minimum=1, maximum=10, interval="2s", wait_count=3)
    >>> told["minimum"], told["maximum"], told["down"]
    (1, 10, 6.0)
    """
    for name in keywords:
        if name not in KEYWORDS:
            raise InvalidTypeError(
                f"adapt() has no keyword {name!r}{did_you_mean(name, KEYWORDS)}",
                cure=f"Keywords are: {', '.join(KEYWORDS)}.",
            )
    given = {name: value for name, value in keywords.items() if value is not None}
    least, most = _limit("minimum", given), _limit("maximum", given)
    _ordered("minimum", least, "maximum", most)
    spans = {name: _seconds(name, given) for name in _SPANS}
    wait_count = arguments.worker_count(_setting("wait_count", given), "wait_count")
    down = spans["scale_down_stabilization"]
    return {
        "minimum": least,
        "maximum": most,
        "interval": max(0.1, spans["interval"] or 0.0),
        "target_duration": max(0.1, spans["target_duration"] or 0.0),
        "up": spans["scale_up_stabilization"] or 0.0,
        "down": wait_count * (spans["interval"] or 0.0) if down is None else down,
        "units": _units(given),
        "key": pickle.dumps(given["worker_key"]) if "worker_key" in given else None,
    }


def _setting(name: str, given: dict[str, Any]) -> Any:
    return given.get(name, dask.config.get(f"distributed.adaptive.{name.replace('_', '-')}", None))


def _limit(name: str, given: dict[str, Any]) -> float:
    value = _setting(name, given)
    if isinstance(value, type):
        raise InvalidTypeError(
            "adapt() takes no Adaptive class, as the agent in the scheduler adapts", cure="Give minimum and maximum."
        )
    if value == math.inf and name == "maximum":
        return math.inf
    return arguments.worker_count(value, name)


def _seconds(name: str, given: dict[str, Any]) -> float | None:
    value = _setting(name, given)
    return None if value is None else config.span(value, name)


def _units(given: dict[str, Any]) -> dict[str, float]:
    units: dict[str, float] = {}
    for name in _UNITS:
        if name not in given:
            continue
        try:
            units[name] = float(parse_bytes(given[name]) if name.endswith("memory") else given[name])
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"{name} is {given[name]!r}", cure='Give a number of cores, or bytes such as "10 GiB".'
            ) from error
        if units[name] < 0:
            raise InvalidArgumentError(f"{name} is {given[name]!r}, it can't be negative", cure="Give 0 or more.")
    for unit in ("cores", "memory"):
        least, most = units.get(f"minimum_{unit}", 0), units.get(f"maximum_{unit}", math.inf)
        _ordered(f"minimum_{unit}", least, f"maximum_{unit}", most)
    return units


def _ordered(minimum: str, least: float, maximum: str, most: float) -> None:
    if least > most:
        raise InvalidArgumentError(
            f"{minimum} is {least:g}, which is above {maximum}, {most:g}", cure="Change one of them."
        )


class Adaptive:
    """A worker group that the release's agent adapts; what `cluster.adapt()` gives back.

    Parameters
    ----------
    cluster : ElasticCluster
        Whose.
    worker_group : str
        Which.
    told : dict
        What the agent was told; see `bounds`.

    Attributes
    ----------
    minimum, maximum : float
        Fewest and most pods.
    state : str
        ``"running"``, or ``"stopped"`` once the number is left to others again.
    """

    def __init__(self, cluster: ElasticCluster, worker_group: str, told: dict[str, Any]) -> None:
        self.cluster, self.worker_group, self._told = cluster, worker_group, told
        self.minimum, self.maximum = told["minimum"], told["maximum"]
        self.interval, self.target_duration = told["interval"], told["target_duration"]
        self.state = "running"
        self.telling: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"Adaptive(worker_group={self.worker_group!r}, minimum={self.minimum}, maximum={self.maximum})"

    def __await__(self) -> Generator[Any, None, Adaptive]:
        """For `await cluster.adapt(...)`: until the agent knows."""
        if self.telling is not None:
            yield from self.telling.__await__()
        return self

    @property
    def periodic_callback(self) -> Adaptive | None:
        """For Dask's widget: something while it adapts."""
        return self if self.state == "running" else None

    def stop(self, reason: str = "unknown") -> None:  # noqa: ARG002 - Dask's signature
        """Leave the group's number as it is from now on; closing the cluster does not stop the agent."""
        if self.state == "running" and self.cluster.is_open:
            self.state = "stopped"
            self.cluster.loop.add_callback(self.cluster.rest, self.worker_group)

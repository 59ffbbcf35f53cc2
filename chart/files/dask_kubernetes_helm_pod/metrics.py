"""The agent's facts on the scheduler's own page of metrics, where the image has prometheus_client.

Belongs here: the one door to that library. Never here: which facts there are (observing.py).

They are read when somebody asks for the page, and cost nothing otherwise. The page shows all that a process has, so a
process with several schedulers shows the last one's agent, as Dask shows the last scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from dask_kubernetes_helm_pod import observing

logger = logging.getLogger("distributed.scheduler.scaling")

Read = Callable[[], observing.Facts]


class _Collector:
    """What prometheus_client asks at each look."""

    def __init__(self) -> None:
        self.read: Read | None = None

    def describe(self) -> list[Any]:
        """Nothing: without this all would be collected at the start, to learn the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """The facts of now; none, rather than no page, where they can't be told."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - may be missing

        try:
            found = observing.families(self.read()) if self.read else []
        except Exception:
            logger.exception("scaling: the agent has no metrics now")
            return
        for one in found:
            make = CounterMetricFamily if one.counts else GaugeMetricFamily
            family = make(one.name, one.about, labels=one.labels)
            for labels, value in one.samples:
                family.add_metric(labels, value)
            yield family


_COLLECTOR = _Collector()
_registered: list[Any] = []


def show(read: Read) -> None:
    """Have the page tell what `read` gives from now on; nothing where there is no page."""
    try:
        from prometheus_client import REGISTRY  # noqa: PLC0415 - may be missing
    except ImportError:
        return
    _COLLECTOR.read = read
    if not _registered:
        REGISTRY.register(_COLLECTOR)
        _registered.append(REGISTRY)


def hide(read: Read) -> None:
    """Tell nothing more of it, unless another one is shown by now."""
    if _COLLECTOR.read == read:
        _COLLECTOR.read = None

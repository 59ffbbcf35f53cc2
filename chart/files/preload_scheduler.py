"""Scheduler preload: the scheduler takes requests about its release, and keeps it elastic and tidy.

Belongs here: what happens when a scheduler starts. Never here: how (the package's modules).
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

# Where the chart mounts the package; Dask copies a preload elsewhere before it imports it.
sys.path.append("/etc/dask-kubernetes-helm")

from dask_kubernetes_helm_pod import agent, drawing, relay, renewing
from dask_kubernetes_helm_pod.desk import Desk

#: Seconds until there is a dashboard: by then the first workers have come.
_LATER = 3.0


def dask_setup(scheduler: Any) -> None:
    """Begin with the scheduler."""
    desk = Desk(scheduler)
    desk.open()
    agent.start(scheduler, desk)
    renewing.start(scheduler, "scheduler")
    scheduler.relay = relay.start(scheduler)
    if drawing.is_wanted():
        drawn = drawing.draw(scheduler, drawing.SCHEDULER, _LATER, drawing.prefix())
        scheduler.drawing = asyncio.ensure_future(drawn)


async def dask_teardown(scheduler: Any) -> None:
    """End with it."""
    if scheduler.relay:
        await asyncio.to_thread(scheduler.relay.stop)

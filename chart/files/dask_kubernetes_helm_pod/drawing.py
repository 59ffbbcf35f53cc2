"""Dashboards, drawn a moment after the start: importing Bokeh takes half a second, in which nobody computes.

Belongs here: adding the pages that Dask adds where a scheduler or worker is made with a dashboard. Never here: those.
The server itself is there from the start, with /health and /metrics, and `services` names it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
from typing import Any

logger = logging.getLogger("distributed.scheduler.dashboard")

#: The pages of a scheduler, and of a worker.
SCHEDULER, WORKER = "distributed.dashboard.scheduler", "distributed.dashboard.worker"


def is_wanted(environ: Any = os.environ) -> bool:
    """Whether the chart has kept the dashboard for later."""
    return bool(environ.get("DASKHELM_DASHBOARD") == "later")


async def draw(server: Any, pages: str, delay: float = 0.0) -> None:
    """Add the pages, by an import in a thread of its own.

    Parameters
    ----------
    server : distributed.Scheduler or distributed.Worker
        Whose.
    pages : str
        `SCHEDULER` or `WORKER`.
    delay : float
        Seconds until then.
    """
    await asyncio.sleep(delay)
    if importlib.util.find_spec("bokeh") is None:
        return
    try:
        module = await asyncio.to_thread(importlib.import_module, pages)
    except ImportError as error:  # too old a Bokeh
        logger.warning("There is no dashboard: %s", error)
        return
    module.connect(server.http_application, server.http_server, server, prefix="/")

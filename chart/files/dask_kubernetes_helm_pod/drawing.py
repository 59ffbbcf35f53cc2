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

from tornado.routing import PathMatches, Rule
from tornado.web import RedirectHandler, RequestHandler

logger = logging.getLogger("distributed.scheduler.dashboard")

#: The pages of a scheduler, and of a worker.
SCHEDULER, WORKER = "distributed.dashboard.scheduler", "distributed.dashboard.worker"


def is_wanted(environ: Any = os.environ) -> bool:
    """Whether the chart has kept the dashboard for later."""
    return bool(environ.get("DASKHELM_DASHBOARD") == "later")


def prefix(environ: Any = os.environ) -> str:
    """The path that a scheduler's pages are under, without a slash at its end."""
    return str(environ.get("DASKHELM_DASHBOARD_PREFIX", ""))


async def draw(server: Any, pages: str, delay: float = 0.0, under: str = "") -> None:
    """Add the pages, by an import in a thread of its own.

    Parameters
    ----------
    server : distributed.Scheduler or distributed.Worker
        Whose.
    pages : str
        `SCHEDULER` or `WORKER`.
    delay : float
        Seconds until then.
    under : str
        The path that the pages are under, which the server's own are as well.
    """
    has_one = bool(server.http_application.applications)  # Dask has drawn it, as its command said
    if has_one or importlib.util.find_spec("bokeh") is None:
        return
    rules, soon = server.http_application.wildcard_router.rules, Rule(PathMatches(f"{under}/status"), _Soon)
    rules.insert(0, soon)
    if under:  # Dask's own redirection leads nowhere from a path that ends with a slash
        rules.insert(0, Rule(PathMatches(f"{under}/?"), RedirectHandler, {"url": f"{under}/status"}))
    try:
        await asyncio.sleep(delay)
        module = await asyncio.to_thread(importlib.import_module, pages)
        module.connect(server.http_application, server.http_server, server, prefix=under or "/")
    except ImportError as error:  # too old a Bokeh
        logger.warning("There is no dashboard: %s", error)
    finally:
        rules.remove(soon)


class _Soon(RequestHandler):  # type: ignore[misc]
    """What who is quicker than the dashboard sees."""

    def get(self) -> None:
        """Have the browser ask again."""
        self.set_header("Refresh", "1")
        self.set_status(503)
        self.finish("The Dask dashboard starts ...")

"""Dashboards come a moment after the start; who is quicker is told to ask again."""

from __future__ import annotations

import asyncio
from typing import Any

from distributed import Scheduler
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from dask_kubernetes_helm_pod import drawing


async def _get(scheduler: Any, path: str = "/status") -> Any:
    url = f"http://127.0.0.1:{scheduler.http_server.port}{path}"
    try:
        return await AsyncHTTPClient().fetch(url)
    except HTTPClientError as error:
        return error.response


async def test_later() -> None:
    """Until it is drawn the page has a browser come again, and then it is Dask's own; /health is there all the time."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0", dashboard=False) as scheduler:
        assert (await _get(scheduler)).code == 404
        drawn = asyncio.ensure_future(drawing.draw(scheduler, drawing.SCHEDULER, 0.5))
        await asyncio.sleep(0)
        early = await _get(scheduler)
        assert (early.code, early.headers["Refresh"]) == (503, "1")
        await asyncio.wait_for(drawn, 30)
        late = await _get(scheduler)
        assert late.code == 200
        assert b"Dask" in late.body


async def test_given_up() -> None:
    """A scheduler that ends before is left as it was."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0", dashboard=False) as scheduler:
        drawn = asyncio.ensure_future(drawing.draw(scheduler, drawing.SCHEDULER, 60))
        await asyncio.sleep(0)
        drawn.cancel()
        await asyncio.gather(drawn, return_exceptions=True)
        assert (await _get(scheduler)).code == 404


def test_only_where_the_chart_says_so() -> None:
    """A scheduler that has drawn its own dashboard gets no second one."""
    assert drawing.is_wanted({"DASKHELM_DASHBOARD": "later"})
    assert not drawing.is_wanted({})


async def test_under_a_path() -> None:
    """A scheduler that serves under a path has its pages there, and leads there from the path itself."""
    async with Scheduler(
        host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0", dashboard=False, http_prefix="/a/b"
    ) as scheduler:
        drawn = asyncio.ensure_future(drawing.draw(scheduler, drawing.SCHEDULER, 0.2, "/a/b"))
        await asyncio.sleep(0)
        assert (await _get(scheduler, "/a/b/status")).code == 503
        await asyncio.wait_for(drawn, 30)
        for path in ("/a/b/status", "/a/b", "/a/b/"):
            page = await _get(scheduler, path)
            assert (page.code, page.effective_url[-11:]) == (200, "/a/b/status")
            assert b"Dask" in page.body
        assert (await _get(scheduler)).code == 404
        assert (await _get(scheduler, "/a/b/health")).code == 200

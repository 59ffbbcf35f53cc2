"""Watches in trouble: noticed, opened again, and nothing that changed meanwhile is missed."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import FakeKube, pod

#: Seconds after which a watch is to be open again.
NOTICED = 5
PHASES = ["Pending", "Running", "Succeeded"]


class Server:
    """Plays one pod's phases, a watch for each; how a watch ends is told to it."""

    def __init__(self, end: str) -> None:
        self.end, self.lists, self.watched, self.opened = end, 0, [], []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "pods" not in request.path:
            if request.query.get("watch"):
                await self._say(request, "BOOKMARK", {"metadata": {"name": ""}})
                await asyncio.Event().wait()
            return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})
        if not request.query.get("watch"):
            self.lists += 1
            item = self._pod(len(self.watched))
            return web.json_response({"items": [item], "metadata": {"resourceVersion": str(len(self.watched))}})
        version = int(request.query["resourceVersion"])
        self.watched.append(version)
        self.opened.append(time.monotonic())
        if self.end == "still":
            await (response := web.StreamResponse()).prepare(request)
            await asyncio.Event().wait()
        if self.end == "gone":
            return await self._say(request, "ERROR", {"code": 410, "message": "too old resource version"})
        response = await self._say(request, "MODIFIED", self._pod(version + 1))
        if self.end == "silence" or version + 1 == len(PHASES) - 1:
            await asyncio.Event().wait()
        return response

    def _pod(self, number: int) -> dict[str, Any]:
        item = pod(phase=PHASES[min(number, len(PHASES) - 1)])
        item["metadata"]["resourceVersion"] = str(number)
        return item

    async def _say(self, request: web.Request, kind: str, item: dict[str, Any]) -> web.StreamResponse:
        await (response := web.StreamResponse()).prepare(request)
        await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
        return response


@pytest.fixture
async def playing(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Server, Kube], None]:
    """A server whose watches end as the test says, and the door to it."""
    played = Server(request.param)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", played.answer)
    await (server := TestServer(application)).start_server()
    kube = Kube(Credentials("a test", Configuration(host=str(server.make_url("")).rstrip("/"))), "lab")
    yield played, kube
    await kube.close()
    await server.close()


@pytest.mark.parametrize("playing", ["silence", "end"], indirect=True)
async def test_a_watch_that_is_dead(playing: tuple[Server, Kube]) -> None:
    """One that ends, or is open and silent, is opened again within 5 s from where it was: no phase is missed."""
    server, kube = playing
    seen: list[str] = []
    async with Watcher(kube, "r") as watcher:

        async def succeeded() -> bool:
            phases = [item["status"]["phase"] for item in watcher.pods.values()]
            seen.extend(phase for phase in phases if phase not in seen)
            return "Succeeded" in seen

        await watcher.until(succeeded, component=None, timeout=3 * NOTICED, what="its end")
    assert seen == PHASES
    assert (server.lists, server.watched) == (1, [0, 1])
    assert server.opened[1] - server.opened[0] <= NOTICED


@pytest.mark.parametrize("playing", ["still"], indirect=True)
async def test_a_long_wait_is_cheap(playing: tuple[Server, Kube], monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing changes a watch is opened anew less and less often; once something does, as soon as at first."""
    server, kube = playing
    monkeypatch.setattr(following, "WAITING", following.Pace(silence=0.1))
    async with Watcher(kube, "r") as watcher:

        async def five() -> bool:
            return len(server.opened) >= 5

        await watcher.until(five, component=None, timeout=30, what="five watches", interval=0.01)
        pauses = [later - earlier for earlier, later in itertools.pairwise(server.opened)]
        assert [pause > 0.1 * 2**number for number, pause in enumerate(pauses)] == [True] * 4
        server.end, said = "silence", len(server.opened)

        async def noticed() -> bool:
            return len(server.opened) >= said + 3

        await watcher.until(noticed, component=None, timeout=30, what="the change", interval=0.01)
        assert watcher.pods["p"]["status"]["phase"] == "Succeeded"
    assert server.opened[said + 2] - server.opened[said] < 0.1 * 2**4


@pytest.mark.parametrize("playing", ["gone"], indirect=True)
async def test_a_version_that_is_too_old(playing: tuple[Server, Kube], monkeypatch: pytest.MonkeyPatch) -> None:
    """410 Gone means a new list, whose state counts; where it goes on, there is no more than a request a second."""
    server, kube = playing
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(following.asyncio, "sleep", pause)
    async with Watcher(kube, "r") as watcher:

        async def ten() -> bool:
            return len(server.watched) >= 10

        await watcher.until(ten, component=None, timeout=30, what="ten watches", interval=0.01)
        assert watcher.pods["p"]["status"]["phase"] == "Succeeded"
    assert server.lists >= 10
    assert sum(pauses[:10]) >= 2 * 10


async def test_a_look_that_never_ends() -> None:
    """Where what is awaited can't be asked for, the wait ends all the same."""
    began = time.monotonic()
    async with Watcher(FakeKube(), "r") as watcher:
        with pytest.raises(errors.StartTimeoutError):
            await watcher.until(asyncio.Event().wait, component=None, timeout=0.5, what="it")
    assert time.monotonic() - began < 2.5

"""News of objects, from a door that plays what it is told: what ends them, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import ApiUnreachableError, ForbiddenError, KubernetesError
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import pod

FORBIDDEN = ForbiddenError("These credentials may not list pods", status=403, cure="Ask for a Role.")
AWAY = ApiUnreachableError("No Kubernetes API answers", cure="Is the VPN up?")
PACE = following.Pace(pause=0.001, longest_pause=0.001, refusal=0.3)


class Door:
    """Plays one watch after the other: each is a list of changes, and an error ends one."""

    namespace = "lab"

    def __init__(self, *watches: Any, lists: list[Any] | None = None) -> None:
        self.watches, self.lists = list(watches), lists or []
        self.versions: list[str] = []
        self.listed = 0

    async def snapshot(self, *_: Any, **how: Any) -> tuple[list[dict[str, Any]], str]:
        self.listed += 1
        if self.lists and isinstance(answer := self.lists.pop(0), Exception):
            raise answer
        return [], f"listed-{self.listed}"

    async def version(self, *_: Any) -> str:
        return (await self.snapshot())[1]

    async def watch(self, resource: str, selector: str, version: str, **how: Any) -> AsyncGenerator[Any, None]:
        self.versions.append(version)
        if not self.watches:
            await asyncio.Event().wait()
        for change in self.watches[0] if len(self.watches) == 1 else self.watches.pop(0):
            if isinstance(change, Exception):
                raise change
            yield change


CHANGE = ("MODIFIED", {**pod(), "metadata": {"name": "p", "labels": {}, "resourceVersion": "7"}})


async def news(door: Door, count: int, **how: Any) -> list[str]:
    """The kinds of the first news."""
    kinds: list[str] = []
    async for kind, _ in following.follow(door, "pods", "", pace=how.pop("pace", PACE), **how):  # type: ignore[arg-type]
        kinds.append(kind)
        if len(kinds) == count:
            break
    return kinds


async def test_who_never_may_hears_it_at_once() -> None:
    """A refusal before anything was seen is final, whether of the list or of the watch."""
    with pytest.raises(ForbiddenError):
        await news(Door(lists=[FORBIDDEN]), 3)
    with pytest.raises(ForbiddenError):
        await news(Door([FORBIDDEN]), 3)


async def test_a_refusal_passes() -> None:
    """A server that has just begun refuses what it has allowed before: that is over in a moment."""
    door = Door([CHANGE, AWAY], [FORBIDDEN], [FORBIDDEN], [CHANGE])
    expected = ["LISTED", "MODIFIED", "UNHEARD", "UNHEARD", "UNHEARD", "MODIFIED"]
    assert await asyncio.wait_for(news(door, 6), 10) == expected
    assert door.versions == ["listed-1", "7", "7", "7"]


async def test_a_right_that_is_taken_away() -> None:
    """A refusal that stays is told in the end; but what looks after things for days goes on."""
    with pytest.raises(ForbiddenError):
        await asyncio.wait_for(news(Door([CHANGE], [FORBIDDEN]), 10_000), 10)
    pace = following.Pace(pause=0.001, longest_pause=0.001, refusal=following.LOOKING_AFTER.refusal)
    assert len(await asyncio.wait_for(news(Door([CHANGE], [FORBIDDEN]), 500, pace=pace), 20)) == 500


@pytest.mark.parametrize("error", [AWAY, KubernetesError("etcd is away", status=503)])
async def test_patience_ends(error: KubernetesError) -> None:
    """A server that is away, or in trouble, is told at each attempt, and raised when patience is over."""
    with pytest.raises(type(error)):
        await asyncio.wait_for(news(Door([error]), 10_000, patience=0.1), 10)


@pytest.mark.parametrize("status", [400, 410, 504])
async def test_a_version_that_is_not_there(status: int) -> None:
    """Where the server has no such version (any more), all are listed anew; who wants no list gets none."""
    stale = KubernetesError("too old", status=status)
    door = Door([stale], [CHANGE])
    assert await news(door, 4) == ["LISTED", "UNHEARD", "LISTED", "MODIFIED"]
    assert door.versions == ["listed-1", "listed-2"]
    assert await news(Door([stale], [CHANGE]), 2, listing=False) == ["UNHEARD", "MODIFIED"]


async def test_an_absence_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was away, and is asked again, is said to be there, also where nothing has changed; once."""
    assert await asyncio.wait_for(news(Door([AWAY], [], [], [CHANGE]), 4), 10) == [
        "LISTED",
        "UNHEARD",
        "HEARD",
        "MODIFIED",
    ]
    monkeypatch.setattr(following, "WAITING", PACE)

    async def never() -> bool:
        return False

    async with Watcher(Door([AWAY], []), "demo") as watcher:  # type: ignore[arg-type]
        with pytest.raises(errors.StartTimeoutError) as caught:
            await watcher.until(never, component="scheduler", timeout=0.5, what="The scheduler")
    assert "can't be asked" not in str(caught.value)


async def test_a_wait_says_why_nobody_could_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Kubernetes can't be asked when the time is over, the error names that, with its cure."""
    monkeypatch.setattr(following, "WAITING", PACE)

    async def never() -> bool:
        return False

    async with Watcher(Door([AWAY]), "demo") as watcher:  # type: ignore[arg-type]
        with pytest.raises(errors.StartTimeoutError, match="can't be asked any more: No Kubernetes API") as caught:
            await watcher.until(never, component="scheduler", timeout=0.3, what="The scheduler")
    assert (caught.value.cure, caught.value.__cause__) == ("Is the VPN up?", AWAY)


@pytest.mark.parametrize(
    ("path", "status", "body", "kind"),
    [
        ("list", 200, "<html>Log in</html>", "text/html"),
        ("list", 200, "{", "application/json"),
        ("watch", 200, "<html>Log in</html>\n", "text/html"),
        ("watch", 500, "<html>oops</html>", "text/html"),
    ],
)
async def test_what_is_no_kubernetes(path: str, status: int, body: str, kind: str) -> None:
    """A login page, or half an answer, is told as one, and as an error of ours."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    await (server := TestServer(application)).start_server()
    kube = Kube(Credentials("a test", Configuration(host=str(server.make_url("")).rstrip("/"))), "lab")
    asked: Any = kube.snapshot("pods") if path == "list" else anext(kube.watch("pods", "", "1"))
    try:
        with pytest.raises(KubernetesError, match="is no Kubernetes API: it sends" if status == 200 else "500: "):
            await asked
    finally:
        await kube.close()
        await server.close()

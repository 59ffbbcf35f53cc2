"""Logs of many pods at once, and as they come: what is asked for, and what restarts, silence and refusals do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from distributed.core import Status

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.reports import podlogs, reading
from dask_kubernetes_helm.reports.excerpt import Choice, Excerpt
from dask_kubernetes_helm.reports.sights import Sights

from .playedapi import CUT, RELEASE, PlayedApi, played_pod

STAMP = "2026-11-26T21:30:4{}.5Z {}"


@pytest.fixture
async def api() -> AsyncGenerator[PlayedApi, None]:
    played = PlayedApi()
    yield played
    await played.close()


@pytest.fixture
async def kube(api: PlayedApi) -> AsyncGenerator[Kube, None]:
    door = await api.start()
    yield door
    await door.close()


async def test_not_started_is_empty_and_no_error(api: PlayedApi, kube: Kube) -> None:
    """A pod that has not started, or is gone since, has an empty log; one whose node is silent says so in its place."""
    api.objects["pods"] = [played_pod(name) for name in ("fine", "waits", "gone", "silent")]
    api.logs = {"fine": "hello", "waits": 400, "gone": 404, "silent": 418}
    logs = await podlogs.read(kube, api.objects["pods"], Excerpt())
    assert logs.pop("silent").startswith("No log: ")
    assert logs == {"fine": "hello", "waits": "", "gone": ""}


async def test_refusals_are_errors(api: PlayedApi, kube: Kube) -> None:
    """Who may not read logs is told so, rather than given empty ones."""
    api.objects["pods"], api.forbidden = [played_pod("a"), played_pod("b")], {"pods/log"}
    with pytest.raises(errors.ForbiddenError, match="pods"):
        await Sights(RELEASE, kube).logs("worker")


async def test_many_pods_are_read_few_at_a_time(api: PlayedApi, kube: Kube) -> None:
    """Of 100 pods never more logs are read at once than the bound."""
    api.objects["pods"] = [played_pod(f"p{number}") for number in range(100)]
    api.logs = {f"p{number}": str(number) for number in range(100)}
    logs = await Sights(RELEASE, kube).logs("worker")
    assert len(logs) == 100
    assert logs["p7"] == "7"
    assert 1 < api.most_reading <= podlogs.READ


async def test_parts_are_asked_for(api: PlayedApi, kube: Kube) -> None:
    """Previous life, time and lines reach the API in its own words."""
    api.objects["pods"], api.logs = [played_pod("a")], {"a": "now", "a previous": "before"}
    release, moment = Sights(RELEASE, kube), datetime(2026, 11, 26, 21, 30, tzinfo=timezone(timedelta(hours=2)))
    assert await release.logs("worker", previous=True, tail=5, since="2 minutes") == {"a": "before"}
    assert await release.logs("worker", since=moment) == {"a": "now"}
    first, second = api.queries
    assert (first["previous"], first["tailLines"], first["sinceSeconds"]) == ("true", "5", "120")
    assert second["sinceTime"] == "2026-11-26T19:30:00Z"


async def test_lines_come_across_a_restart_once_each(api: PlayedApi, kube: Kube) -> None:
    """What a container says after its restart follows what it said before; what was given is not given again."""
    api.objects["pods"] = [played_pod("a", ident="1")]
    queue = api.streams["a"] = asyncio.Queue()
    async with Sights(RELEASE, kube).follow(["worker"], tail=10) as lines:
        queue.put_nowait(STAMP.format(1, "first life"))
        line = await asyncio.wait_for(lines.next(), 20)
        assert line is not None
        assert (line, line.pod, line.text) == ("a | first life", "a", "first life")
        api.change("MODIFIED", "pods", played_pod("a", ident="2"))
        queue.put_nowait(None)
        for text in (STAMP.format(1, "first life"), STAMP.format(2, "second life")):
            queue.put_nowait(text)
        assert await asyncio.wait_for(lines.next(), 20) == "a | second life"
    assert api.queries[0]["tailLines"] == "10"
    assert "sinceTime" in api.queries[-1]


async def test_a_connection_that_breaks_loses_nothing(api: PlayedApi, kube: Kube) -> None:
    """A stream that breaks in the middle of a line is opened again where it was, and gives that line whole, once."""
    api.objects["pods"], queue = [played_pod("a")], asyncio.Queue[str | None]()
    api.streams["a"] = queue
    async with Sights(RELEASE, kube).follow(["worker"]) as lines:
        for text in (STAMP.format(1, "one"), CUT, STAMP.format(1, "one"), STAMP.format(9, "half a line"), "no stamp"):
            queue.put_nowait(text)
        queue.put_nowait("2026-11-26T21:30:49.500000001Z next to it")
        got = [await asyncio.wait_for(lines.next(), 20) for _ in range(3)]
    assert got == ["a | one", "a | half a line", "a | next to it"]


def test_a_cluster_that_is_closed_ends_its_readers() -> None:
    """Whoever reads in a thread is done when another one has closed the cluster, and with it ended the loop."""

    class Never:
        async def next(self) -> None:
            raise AssertionError("there is no loop to ask in")

    loop = asyncio.new_event_loop()
    loop.close()
    cluster = SimpleNamespace(status=Status.closed, loop=SimpleNamespace(asyncio_loop=loop))
    assert list(reading.lines_in_sync(cluster, Never())) == []  # type: ignore[arg-type]


async def test_a_pod_that_starts_meanwhile_is_followed(api: PlayedApi, kube: Kube) -> None:
    """Pods that come later are followed too, and the end of the release ends it all."""
    async with Sights(RELEASE, kube).follow(["worker"]) as lines:
        queue = api.streams["new"] = asyncio.Queue()
        queue.put_nowait(STAMP.format(1, "hello"))
        api.change("ADDED", "pods", played_pod("new"))
        assert await asyncio.wait_for(lines.next(), 20) == "new | hello"
        queue.put_nowait(None)
        api.change("DELETED", "pods", played_pod("new"))
        api.change("DELETED", "deployments", api.objects["deployments"][0])
        assert await asyncio.wait_for(lines.next(), 20) is None


async def test_named_pods_end_it(api: PlayedApi, kube: Kube) -> None:
    """Who follows one pod by its name is done when that is gone, with all that it said."""
    api.objects["pods"] = [played_pod("a"), played_pod("other")]
    api.streams = {"a": asyncio.Queue(), "other": asyncio.Queue()}
    async with Sights(RELEASE, kube).follow(["worker"], workers="a") as lines:
        api.streams["a"].put_nowait(STAMP.format(1, "last words"))
        assert await asyncio.wait_for(lines.next(), 20) == "a | last words"
        api.streams["a"].put_nowait(None)
        api.change("DELETED", "pods", played_pod("a"))
        assert await asyncio.wait_for(lines.next(), 20) is None


async def test_the_scheduler_beside_some_workers(api: PlayedApi, kube: Kube) -> None:
    """Names choose among the workers; whose logs are wanted besides come as well, and an unknown name is told."""
    api.objects["pods"] = [played_pod("a"), played_pod("other"), played_pod("s", "scheduler", ident="2")]
    api.streams = {name: asyncio.Queue() for name in ("a", "other", "s")}
    release, both = Sights(RELEASE, kube), ("scheduler", "worker")
    async with release.follow(both, workers="a", besides=["scheduler"]) as lines:
        for name, queue in api.streams.items():
            queue.put_nowait(STAMP.format(1, name))
        assert {str(await asyncio.wait_for(lines.next(), 20)) for _ in range(2)} == {"a | a", "s | s"}
    with pytest.raises(errors.WorkloadNotFoundError, match="nobody"):
        async with release.follow(both, workers="nobody", besides=["scheduler"]):
            pass


async def test_closing_ends_who_waits(api: PlayedApi, kube: Kube) -> None:
    """Whoever waits for a line when it is closed is told that there are no more."""
    lines = await Sights(RELEASE, kube).follow(["worker"]).__aenter__()
    waiting = asyncio.ensure_future(lines.next())
    await asyncio.sleep(0)
    await lines.close()
    assert await asyncio.wait_for(waiting, 20) is None


async def test_what_may_not_be_watched_is_an_error(api: PlayedApi, kube: Kube) -> None:
    """A refusal reaches whoever waits for lines."""
    api.forbidden = {"pods"}
    async with Sights(RELEASE, kube).follow(["worker"]) as lines:
        with pytest.raises(errors.ForbiddenError):
            await asyncio.wait_for(lines.next(), 20)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (True, {"a", "bcd"}),
        ("a", {"a"}),
        (["a-0"], {"a"}),
        (["default"], {"a", "bcd"}),
        (["tcp://10.0.0.3:4321"], {"bcd"}),
        (["tls://[::1]:1", "bcd"], {"bcd"}),
        (["tcp://1.2.3.4:5"], {"a"}),
    ],
)  # fmt: skip
def test_whom_names_mean(asked: object, chosen: set[str]) -> None:
    """Pods are chosen by their name, a worker's name, a group, or Dask's address."""
    choice = Choice.told(asked, {"tcp://1.2.3.4:5": "a-0"})  # type: ignore[arg-type]
    pods = [played_pod("a"), played_pod("bcd")]
    assert {pod["metadata"]["name"] for pod in choice.of(pods)} == chosen


def test_a_name_that_nobody_has_is_told() -> None:
    """A typo is an error that names what is near, the pods and the groups."""
    with pytest.raises(errors.WorkloadNotFoundError) as error:
        Choice.told("defualt").of([played_pod("a")])
    assert "did you mean 'default'?" in str(error.value)
    assert "Pods are: a; groups: default" in str(error.value)


@pytest.mark.parametrize(
    ("given", "kind", "word"),
    [
        ({"tail": -1}, ValueError, "tail"),
        ({"tail": 2.5}, TypeError, "tail"),
        ({"tail": True}, TypeError, "tail"),
        ({"since": "soon"}, ValueError, "since"),
        ({"since": -5}, ValueError, "since"),
        ({"since": datetime(2026, 1, 1)}, ValueError, "time zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_what_can_not_be_meant(given: dict[str, object], kind: type[Exception], word: str) -> None:
    """Lines and times that can't be meant are refused, by the name of the argument."""
    with pytest.raises(errors.HelmClusterError, match=word) as error:
        Excerpt.told(**given)  # type: ignore[arg-type]
    assert isinstance(error.value, kind)

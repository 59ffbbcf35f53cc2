"""What the agent tells of itself on the scheduler's page of metrics."""

from __future__ import annotations

import asyncio
import builtins
import json
from typing import Any

import pytest
from distributed import Client, Scheduler
from prometheus_client.parser import text_string_to_metric_families
from tornado.httpclient import AsyncHTTPClient

from dask_kubernetes_helm_pod import agent, metrics, observing
from dask_kubernetes_helm_pod.journal import Journal
from tests.pod import test_agent
from tests.pod.conftest import until

#: An agent with an API that only counts.
run = test_agent.run
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def page(scheduler: Scheduler) -> Samples:
    """What Prometheus reads of the agent."""
    reply = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{scheduler.http_server.port}/metrics")
    families = text_string_to_metric_families(reply.body.decode())
    found = [sample for family in families for sample in family.samples]
    assert any(sample.name.startswith("dask_scheduler_") for sample in found)
    return {(one.name, frozenset(one.labels.items())): one.value for one in found if one.name.startswith("dask_agent_")}


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"dask_agent_{name}", frozenset(labels.items())]


async def test_a_group_that_grows_and_fails(run: test_agent.Run, start: Any, client: Client) -> None:
    """Desired, in service, bounds and outcomes follow what happens; a request that fails is counted."""
    run.api.failing = 1
    run.start(owner={"name": "o", "uid": "u"}, noClientTimeout=600)
    assert of(await page(run.scheduler), "group_adaptive", group="default") == 1
    test_agent.RELEASE.clear()
    futures = client.map(lambda _: test_agent._wait(), range(100), pure=False)
    await until(lambda: run.api.errors == 1)
    for _ in range(2):
        await start()
    await until(lambda: run.api.numbers["w"] == 5)
    told = await page(run.scheduler)
    assert of(told, "group_desired_pods", group="default") == 5
    assert of(told, "group_in_service_pods", group="default") == 2
    assert of(told, "group_retiring_pods", group="default") == 0
    assert of(told, "group_minimum_pods", group="default") == 0
    assert of(told, "group_maximum_pods", group="default") == 5
    assert of(told, "scale_actions_total", group="default", by="agent", outcome="failed") == 1
    assert of(told, "scale_actions_total", group="default", by="agent", outcome="done") == 1
    assert of(told, "scale_actions_total", group="default", by="others", outcome="done") == 0
    assert of(told, "api_errors_total") == 1
    assert of(told, "api_requests_total") == run.api.calls
    assert of(told, "lifecycle_limit_seconds", limit="noClientTimeout") == 600
    assert of(told, "owned") == 1
    assert of(told, "alone_seconds") < 5
    test_agent.RELEASE.set()
    await asyncio.wait_for(client.gather(futures), 20)


async def test_a_look_asks_nobody(run: test_agent.Run, start: Any) -> None:
    """Nothing is read while nobody looks, and a look makes no request to Kubernetes."""
    looks = []
    it = run.start()
    await start()
    metrics.show(lambda: looks.append(1) or it.observed())
    await asyncio.sleep(0)
    assert looks == []
    calls = run.api.calls
    await page(run.scheduler)
    assert (looks, run.api.calls) == ([1], calls)


async def test_the_page_is_there_whatever_happens(run: test_agent.Run, caplog: pytest.LogCaptureFixture) -> None:
    """Facts that can't be told leave the rest of the page; without its agent there are none."""
    it = run.start()

    def broken() -> observing.Facts:
        raise RuntimeError("no facts")

    metrics.show(broken)
    assert await page(run.scheduler) == {}
    assert "no metrics now" in caplog.text
    metrics.show(it.observed)
    assert await page(run.scheduler) != {}
    await it.close()
    assert await page(run.scheduler) == {}


async def test_an_image_without_the_library(run: test_agent.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent works as ever."""
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ModuleNotFoundError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    metrics._COLLECTOR.read = None
    it = run.start()
    assert metrics._COLLECTOR.read is None
    assert "groups" in it.attend("ada")


def test_the_journal_counts() -> None:
    """Each change of a number is counted by whom and how it ended; what is no change is not."""
    journal = Journal()
    for who, outcome in (("agent", "done"), ("ada", "done"), ("ada", "more work has come"), ("agent", "failed: no")):
        journal.write(who=who, why="", group="g", seen=2, replicas=1, outcome=outcome, kept=[_kept()], seconds=1.5)
    for outcome in ("adapting", "noticed", "mended"):
        journal.write(who="agent", why="", group="g", seen=2, replicas=2, outcome=outcome)
    assert dict(journal.tally.actions) == {
        ("g", "agent", "done"): 1,
        ("g", "others", "done"): 1,
        ("g", "others", "undone"): 1,
        ("g", "agent", "failed"): 1,
    }
    assert (journal.tally.kept["g"], journal.tally.seconds["g"]) == (4, 1.5)


def test_a_failure_is_counted_once() -> None:
    """What the journal has told of is not counted again when the agent hears of it."""
    tally = observing.Tally()
    for told in (False, True):
        since = tally.failures("g")
        if told:
            tally.add("g", "agent", "failed: the server is in trouble")
        tally.fail("g", since)
    assert tally.failures("g") == 2


def test_no_limit_is_no_sample() -> None:
    """A group without a limit has no maximum, and what is not known is absent rather than zero."""
    groups = {"a": observing.Group(adaptive=True, minimum=0, maximum=float("inf")), "b": observing.Group(desired=3)}
    told = {one.name: dict(one.samples) for one in observing.families(observing.Facts(groups, observing.Tally()))}
    assert told["dask_agent_group_maximum_pods"] == {}
    assert told["dask_agent_group_minimum_pods"] == {("a",): 0}
    assert told["dask_agent_group_desired_pods"] == {("b",): 3}


async def test_a_sleeping_group(run: test_agent.Run, scheduler: Scheduler) -> None:
    """A group that was put to sleep says so."""
    run.write({"default": {"deployment": "w", "replicas": 2}}, idleTimeout=600)
    run.agent = agent.start(scheduler, run.desk, run.folder)
    assert run.agent is not None
    run.agent._adapters["default"].slept = 2
    told = await page(scheduler)
    assert of(told, "group_asleep", group="default") == 1
    assert of(told, "group_adaptive", group="default") == 0
    assert json.loads((run.folder / "settings.json").read_text())["lifecycle"]["idleTimeout"] == of(
        told, "lifecycle_limit_seconds", limit="idleTimeout"
    )


def _kept() -> dict[str, Any]:
    return {"pod": "w-1", "nbytes": 1, "why": "busy"}

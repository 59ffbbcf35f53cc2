"""The agent in a scheduler of this process, with an API that only counts."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Scheduler, Worker
from distributed.core import rpc

from dask_kubernetes_helm_pod import adapting, agent, demand
from dask_kubernetes_helm_pod.api import ApiError
from dask_kubernetes_helm_pod.settings import Group

from .conftest import until

RELEASE = threading.Event()


class FakeApi:
    """Deployments as numbers, and an owner that can be deleted."""

    def __init__(self) -> None:
        self.numbers = {"w": 0, "g": 0}
        self.errors, self.calls, self.patches, self.deleted = 0, 0, [], []  # type: ignore[var-annotated]
        self.failing = 0

    def close(self) -> None:
        pass

    def _count(self) -> None:
        self.calls += 1
        if self.failing:
            self.failing -= 1
            self.errors += 1
            raise ApiError(500, "the server is in trouble")

    async def replicas(self, deployment: str) -> int:
        self._count()
        return self.numbers[deployment]

    async def scale(self, deployment: str, replicas: int, seen: int) -> bool:
        self._count()
        if self.numbers[deployment] != seen:
            return False
        self.numbers[deployment] = replicas
        self.patches.append((deployment, seen, replicas))
        return True

    async def created(self, owner: str) -> float:
        self._count()
        return 0.0

    async def delete(self, owner: str, uid: str) -> None:
        self._count()
        self.deleted.append((owner, uid))


ADAPTIVE = {"enabled": True, "maximum": 5, "interval": "0.1s", "scaleDownStabilization": "0.5s"}
GROUPS: dict[str, Any] = {"default": {"deployment": "w", "replicas": 0, "adaptive": ADAPTIVE}}
GPU = {"deployment": "g", "replicas": 0, "adaptive": ADAPTIVE, "resources": {"GPU": 1}}


class Run:
    """An agent at work."""

    def __init__(self, scheduler: Scheduler, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scheduler, self.folder, self.api = scheduler, folder, FakeApi()
        self.desk = scheduler.plugins["dask-kubernetes-helm"]
        monkeypatch.setattr(agent, "Api", lambda _: self.api)
        monkeypatch.setattr(agent, "TICK", 0.05)
        monkeypatch.setattr(adapting, "VOTE", 0.1)
        self.agent: agent.Agent | None = None

    def write(self, groups: dict[str, Any], **lifecycle: Any) -> str:
        text = json.dumps({"release": "demo", "groups": groups, "lifecycle": lifecycle})
        (self.folder / "settings.json").write_text(text)
        return text

    def start(self, groups: dict[str, Any] | None = None, **lifecycle: Any) -> agent.Agent:
        self.write(groups or GROUPS, **lifecycle)
        self.agent = agent.start(self.scheduler, self.desk, self.folder)
        assert self.agent is not None
        return self.agent

    async def ask(self, request: str, **arguments: Any) -> Any:
        async with rpc(self.scheduler.address) as remote:
            return await getattr(remote, request)(**arguments)


@pytest.fixture
async def run(scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    it = Run(scheduler, tmp_path, monkeypatch)
    yield it
    if it.agent is not None:
        await it.agent.close()


def _wait() -> int:
    RELEASE.wait(20)
    return 1


async def test_grows_at_once_and_costs_nothing_while_nothing_changes(run: Run, start: Any, client: Client) -> None:
    """A burst makes one change to the most there may be; then the API is left alone; idle pods go, all in one."""
    run.start()
    RELEASE.clear()
    futures = client.map(lambda _: _wait(), range(100), pure=False)
    await until(lambda: run.api.numbers["w"] == 5)
    assert run.api.patches == [("w", 0, 5)]
    workers = [await start() for _ in range(5)]
    calls = run.api.calls
    await asyncio.wait_for(asyncio.gather(*(worker.heartbeat() for worker in workers)), 5)
    await until(lambda: all(ws.processing for ws in run.scheduler.workers.values()))
    assert run.api.calls == calls
    RELEASE.set()
    await client.gather(futures)
    del futures
    await until(lambda: run.api.numbers["w"] == 0)
    assert all(seen > new for _, seen, new in run.api.patches[1:])
    entries = run.desk.journal.entries
    assert {entry["who"] for entry in entries} == {"agent"}
    assert [entry["outcome"] for entry in entries] == ["done"] * len(entries)


async def test_more_work_undoes_a_shrink(run: Run, start: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the surplus waits for Kubernetes to see it, new work puts it back into service; no number is changed."""
    run.api.numbers["w"] = 3
    monkeypatch.setattr(adapting, "VOTE", 5)
    run.start()
    for _ in range(3):
        await start()
    await until(lambda: not run.scheduler.running)
    RELEASE.clear()
    futures = client.map(lambda _: _wait(), range(60), pure=False)
    await until(lambda: len(run.scheduler.running) == 3 and bool(run.desk.journal.entries))
    assert run.desk.journal.entries[-1]["outcome"] == "more work has come"
    assert [patch for patch in run.api.patches if patch[2] < 3] == []
    RELEASE.set()
    await client.gather(futures)


async def test_a_gpu_task_grows_its_group_and_no_other(run: Run, client: Client) -> None:
    """Demand follows the tasks' resource restrictions."""
    run.start({**GROUPS, "gpu": GPU})
    future = client.submit(_wait, resources={"GPU": 1})
    await until(lambda: run.api.numbers["g"] == 1)
    assert run.api.numbers["w"] == 0
    await future.cancel()


async def test_a_task_that_nobody_could_run_grows_nothing(run: Run, client: Client) -> None:
    """What asks for more than any worker has waits, and costs nothing."""
    run.start({**GROUPS, "gpu": GPU})
    future = client.submit(_wait, resources={"GPU": 2})
    await until(lambda: bool(run.scheduler.unrunnable))
    found = demand.read(run.scheduler, {"gpu": Group("g", resources={"GPU": 1})}, ["gpu"])
    assert found["gpu"].is_idle
    await asyncio.wait_for(run.ask("scaling_attend", who="ada"), 5)
    assert run.api.patches == []
    await future.cancel()


async def test_failures_are_tried_again_ever_more_rarely(run: Run, client: Client) -> None:
    """A server in trouble is left alone for a while each time, and asked again."""
    run.api.failing = 1
    run.start()
    future = client.submit(_wait)
    await until(lambda: run.api.numbers["w"] == 1)
    assert run.api.calls <= 4
    await future.cancel()


async def test_nobody_leaves_while_kubernetes_may_be_blind(
    run: Run, start: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an API server was away no number is made smaller for a time; a larger one need not wait for that."""
    monkeypatch.setattr(adapting, "_BLIND", 3600.0)
    monkeypatch.setattr(adapting, "_RETURN", 0.0)
    run.api.numbers["w"] = 2
    workers = [await start() for _ in range(2)]
    run.api.failing = 1
    run.start()
    await until(lambda: run.api.failing == 0)
    RELEASE.clear()
    futures = client.map(lambda _: _wait(), range(100), pure=False)
    await until(lambda: run.api.numbers["w"] == 5)
    RELEASE.set()
    await client.gather(futures)
    del futures
    assert run.agent is not None
    adapter = run.agent._adapters["default"]
    await until(lambda: not run.scheduler.tasks)
    await asyncio.gather(*(worker.heartbeat() for worker in workers))
    assert run.api.patches == [("w", 2, 5)]
    adapter._blind_until = 0.0
    await until(lambda: run.api.numbers["w"] < 5)


async def test_somebody_elses_number_is_noticed(run: Run, client: Client) -> None:
    """A number that others have set is not overwritten blindly: it is looked up, and told."""
    run.start()
    run.api.numbers["w"] = 2
    future = client.map(lambda _: _wait(), range(100), pure=False)
    await until(lambda: run.api.numbers["w"] == 5)
    assert run.api.patches == [("w", 2, 5)]
    del future


async def test_python_steers(run: Run, start: Any) -> None:
    """adapt() begins with new bounds, rest() leaves the number, and both are answered with the state."""
    run.api.numbers["w"] = 0
    run.start({"default": {"deployment": "w", "replicas": 0, "adaptive": {"enabled": False}}})
    bounds = {"minimum": 2, "maximum": 4, "interval": 0.1}
    state = await run.ask("scaling_adapt", group="default", deployment="w", who="ada", bounds=bounds)
    assert (state["adapts"], state["minimum"], state["maximum"]) == (True, 2, 4)
    await until(lambda: run.api.numbers["w"] == 2)
    state = await run.ask("scaling_rest", group="default")
    assert (state["adapts"], state["replicas"]) == (False, 2)
    assert run.desk.journal.entries[0]["outcome"] == "adapting"


async def test_new_settings(run: Run) -> None:
    """An upgrade's new bounds count at once when they are told; what Python has said stays where they are the same."""
    run.start()
    told = run.write({"default": {**GROUPS["default"], "adaptive": {**ADAPTIVE, "minimum": 1}}, "gpu": GPU})
    await run.ask("scaling_settings", text=told)
    await until(lambda: run.api.numbers["w"] == 1)
    assert set((await run.ask("scaling_attend", who="ada"))["groups"]) == {"default", "gpu"}
    await run.ask("scaling_adapt", group="gpu", deployment="g", who="ada", bounds={"minimum": 3, "maximum": 3})
    await run.ask("scaling_settings", text=told)
    await until(lambda: run.api.numbers["g"] == 3)


async def test_sleep_and_wake(run: Run, start: Any, client: Client) -> None:
    """An idle release lets all pods go, is back at its number with the first task, and sleeps through the night."""
    run.api.numbers["w"] = 3
    run.start({"default": {"deployment": "w", "replicas": 2, "adaptive": {"enabled": False}}}, idleTimeout=0.5)
    workers = [await start() for _ in range(3)]
    await until(lambda: run.api.numbers["w"] == 0)
    for worker in workers:
        await worker.close()
    future = client.submit(sum, [1, 2])
    await until(lambda: run.api.numbers["w"] == 3)
    await start()
    assert await future == 3


async def test_waking_survives_a_server_in_trouble(run: Run, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What wakes up goes on trying."""
    monkeypatch.setattr(adapting, "_PAUSE", 0.1)
    run.api.failing = 3
    run.start({"default": {"deployment": "w", "replicas": 2, "adaptive": {"enabled": False}}}, idleTimeout=60)
    future = client.submit(_wait)
    await until(lambda: run.api.numbers["w"] == 2)
    await future.cancel()


async def test_held_results_keep_one_awake(run: Run, start: Any, client: Client) -> None:
    """Sleep loses no result: one pod stays for what is held."""
    run.api.numbers["w"] = 3
    run.start({"default": {"deployment": "w", "replicas": 3, "adaptive": {"enabled": False}}}, idleTimeout=0.5)
    for _ in range(3):
        await start()
    futures = client.map(lambda i: i, range(10), pure=False)
    assert await client.gather(futures) == list(range(10))
    await until(lambda: run.api.numbers["w"] == 1)
    assert await client.gather(futures) == list(range(10))


async def test_woken_after_a_restart(run: Run, client: Client) -> None:
    """A new scheduler does not know that the release sleeps, but wakes it when work comes."""
    run.start({"default": {"deployment": "w", "replicas": 2, "adaptive": {"enabled": False}}}, idleTimeout=60)
    future = client.submit(_wait)
    await until(lambda: run.api.numbers["w"] == 2)
    await future.cancel()


OWNER = {"name": "mine", "uid": "1"}


async def test_removed_when_nobody_is_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a client or a Python that manages it, the owner is deleted; signs of life keep it."""
    monkeypatch.setattr(agent, "ATTENDANCE", 0.5)
    run.start(noClientTimeout=0.1, owner=OWNER)
    began = time.monotonic()
    while time.monotonic() < began + 1:
        await run.ask("scaling_attend", who="ada")
        assert run.api.deleted == []
    await until(lambda: bool(run.api.deleted))
    assert run.api.deleted == [("mine", "1")]


async def test_a_client_keeps_it(run: Run, client: Client) -> None:
    """A client that is there is reason enough to stay."""
    started = run.start(noClientTimeout=0.1, owner=OWNER)
    began = time.monotonic()
    await until(lambda: started._seen > began + 0.5)
    assert run.api.deleted == []


async def test_removed_when_its_time_is_over(run: Run, client: Client) -> None:
    """The time to live counts from the owner's creation, whoever is there."""
    run.start(ttl=10, owner=OWNER)
    await until(lambda: bool(run.api.deleted))


async def test_no_settings_no_agent(run: Run) -> None:
    """Where the chart was told to have none, there is none, and Python gets no answer."""
    assert agent.start(run.scheduler, run.desk, run.folder / "nowhere") is None
    assert await run.ask("scaling_attend", who="ada") is None


async def test_work_does_not_wait_for_a_shrink_that_comes_to_nothing(
    run: Run, start: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can leave that is tried ever more rarely, but more work grows the group at once."""
    monkeypatch.setattr(adapting, "_PAUSE", 60)
    monkeypatch.setattr(adapting, "_LONGEST_FOR_MORE", 0.1)
    run.api.numbers["w"] = 1
    run.start()
    async with Worker(run.scheduler.address, name="w-stranger", dashboard_address="127.0.0.1:0"):
        await start()
        await until(lambda: run.agent is not None and run.agent._adapters["default"]._pause > 60)
        RELEASE.clear()
        futures = client.map(lambda _: _wait(), range(100), pure=False)
        await until(lambda: run.api.numbers["w"] == 5)
        RELEASE.set()
        await client.gather(futures)


async def test_many_tasks_that_nobody_can_run_hide_no_others(run: Run, client: Client) -> None:
    """A group grows for its tasks though thousands of others wait for what does not exist."""
    run.start({**GROUPS, "gpu": GPU})
    hopeless = client.map(lambda i: i, range(1500), resources={"NOTHING": 1}, pure=False)
    await until(lambda: len(run.scheduler.unrunnable) == 1500)
    wanted = client.map(lambda i: i, range(50), resources={"GPU": 1}, pure=False)
    await until(lambda: run.api.numbers["g"] > 0)
    await client.cancel([*hopeless, *wanted])


async def test_late_files_and_lost_words(run: Run) -> None:
    """An older file doesn't take back what Python was told of an upgrade, nor what it has said since."""
    run.start()
    old = (run.folder / "settings.json").read_text()
    told = run.write({**GROUPS, "gpu": {**GPU, "adaptive": {"enabled": False}}})
    (run.folder / "settings.json").write_text(old.replace("demo", "older"))
    await run.ask("scaling_settings", text=told)
    await run.ask("scaling_adapt", group="gpu", deployment="g", who="ada", bounds={"minimum": 2, "maximum": 3})
    assert run.agent is not None
    for text in (old.replace("demo", "older"), told):
        (run.folder / "settings.json").write_text(text)
        run.agent._read = 0
        await until(lambda: run.agent is not None and run.agent._read > 0)
        assert run.agent._adapters["gpu"].bounds is not None
    assert run.agent._told == ""
    await until(lambda: run.api.numbers["g"] == 2)


async def test_pods_that_others_start_stay_while_asleep(run: Run, start: Any) -> None:
    """Somebody's kubectl scale wakes it for as long as idleness may last."""
    run.api.numbers["w"] = 2
    run.start({"default": {"deployment": "w", "replicas": 2, "adaptive": {"enabled": False}}}, idleTimeout=1)
    workers = [await start() for _ in range(2)]
    await until(lambda: run.api.numbers["w"] == 0)
    for worker in workers:
        await worker.close()
    run.api.numbers["w"] = 1
    await start()
    began = time.monotonic()
    assert run.agent is not None
    await until(lambda: not run.agent._adapters["default"]._sleeping)  # type: ignore[union-attr]
    assert run.api.numbers["w"] == 1
    assert time.monotonic() - began < 1

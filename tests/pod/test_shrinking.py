"""The scheduler makes a worker group smaller: emptied, held ready, and undone where nobody goes on."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import dask
import pytest
from distributed import Client, Scheduler, Worker, wait
from distributed.core import Status, rpc

from dask_kubernetes_helm_pod import shrinking

from .conftest import until

WHO = {"group": "default", "deployment": "dask-worker-default", "who": "ada", "why": "test"}


async def ask(scheduler: Scheduler, request: str, **arguments: Any) -> dict[str, Any]:
    """A request as Python makes it; the answer is plain data."""
    async with rpc(scheduler.address) as remote:
        return dict(json.loads(json.dumps(await getattr(remote, request)(**arguments))))


async def begin(scheduler: Scheduler, target: int, **arguments: Any) -> dict[str, Any]:
    """Asks until the surplus is empty, or for as long as it goes on."""
    order = {"seen": 9, "timeout": 20, "number": "1", **WHO, **arguments}
    state = await ask(scheduler, "scaling_begin", target=target, **order)
    while state.get("phase") == "emptying":
        state = await ask(scheduler, "scaling_look", number=order["number"])
    return state


STARTED: list[int] = []
RELEASE = threading.Event()


def _task(index: int) -> int:
    STARTED.append(index)
    time.sleep(0.6)
    return index


def _wait_for_release() -> None:
    RELEASE.wait(20)


def statuses(*workers: Worker) -> list[Status]:
    return [worker.status for worker in workers]


async def test_the_surplus_is_emptied_and_others_have_its_results(
    scheduler: Scheduler, start: Any, client: Client
) -> None:
    """Those that hold least are out of service, and every result is on who stays, in memory once."""
    full, *others = [await start() for _ in range(4)]
    much = client.submit(lambda: b"x" * 100_000, workers=[full.address])
    futures = [client.submit(lambda i=i: i, workers=[worker.address]) for i, worker in enumerate(others)]
    await wait([much, *futures])
    state = await begin(scheduler, 1)
    assert state["phase"] == "empty"
    assert state["leaving"] == sorted(worker.name for worker in others)
    assert state["in_service"] == 1
    await until(lambda: statuses(*others) == [Status.closing_gracefully] * 3)
    assert set(full.data) == {future.key for future in [much, *futures]}
    assert {ws.address for ws in scheduler.running} == {full.address}


async def test_idle_ones_are_retired_once(
    scheduler: Scheduler, start: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask looks at every worker for every result of a retired one: not twice where nothing has been added since."""
    workers = [await start() for _ in range(3)]
    futures = [client.submit(lambda i=i: i, workers=[worker.address]) for i, worker in enumerate(workers)]
    await wait(futures)
    retired = []
    retire = scheduler.retire_workers

    def noted(workers: list[str], **how: Any) -> Any:
        retired.append(len(workers))
        return retire(workers=workers, **how)

    monkeypatch.setattr(scheduler, "retire_workers", noted)
    assert (await begin(scheduler, 1))["phase"] == "empty"
    assert retired == [2]


async def test_undone(scheduler: Scheduler, start: Any) -> None:
    """Where the number won't be patched all are back in service, and the journal has why."""
    workers = [await start() for _ in range(3)]
    await begin(scheduler, 1)
    await ask(scheduler, "scaling_end", number="1", outcome="conflict", calls=4)
    await until(lambda: statuses(*workers) == [Status.running] * 3)
    (entry,) = scheduler.plugins["dask-kubernetes-helm"].journal.entries
    assert (entry["from"], entry["to"], entry["outcome"], entry["calls"]) == (9, 9, "conflict", 4)


async def test_undone_when_nobody_asks_any_more(
    scheduler: Scheduler, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python that is killed in the middle leaves no worker out of service."""
    monkeypatch.setattr(shrinking, "LEASE", 0.3)
    workers = [await start() for _ in range(2)]
    await begin(scheduler, 1)
    assert Status.closing_gracefully in statuses(*workers) or len(scheduler.running) == 1
    entries = scheduler.plugins["dask-kubernetes-helm"].journal.entries
    await until(lambda: bool(entries))
    assert len(scheduler.running) == 2
    (entry,) = entries
    assert "not heard of" in entry["outcome"]


async def test_running_tasks_end_and_the_others_move(scheduler: Scheduler, start: Any, client: Client) -> None:
    """Each task starts once: what runs is waited for, what only waits begins on who stays."""
    workers = [await start() for _ in range(3)]
    STARTED.clear()
    futures = client.map(_task, range(9), pure=False)
    await until(lambda: len(STARTED) == 3)
    state = await begin(scheduler, 1)
    assert state["phase"] == "empty"
    assert len(state["leaving"]) == 2
    leaving = {worker.address for worker in workers if worker.name in state["leaving"]}
    gone = [ws for address, ws in scheduler.workers.items() if address in leaving]
    assert not [ws for ws in gone if ws.processing or any(task.who_has <= set(gone) for task in ws.has_what)]
    assert await client.gather(futures) == list(range(9))
    assert sorted(STARTED) == list(range(9))


async def test_who_is_busy_beyond_the_timeout_stays(scheduler: Scheduler, start: Any, client: Client) -> None:
    """A worker whose task does not end in time is back in service, and is named with the task."""
    workers = [await start() for _ in range(2)]
    RELEASE.clear()
    futures = [
        client.submit(_wait_for_release, pure=False, workers=[worker.address], allow_other_workers=True)
        for worker in workers
    ]
    await until(lambda: all(ws.processing for ws in scheduler.workers.values()))
    state = await begin(scheduler, 1, timeout=0.5)
    assert state["leaving"] == []
    assert state["in_service"] == 2
    (kept,) = state["kept"]
    assert "still busy with 1 tasks, among them _wait_for_release" in kept["why"]
    RELEASE.set()
    await wait(futures)


class _Counter:
    n = 0


async def test_an_actor_stays(scheduler: Scheduler, start: Any, client: Client) -> None:
    """A worker with an actor is never chosen while others are there, and is named when it would have to be."""
    first, second = [await start() for _ in range(2)]
    actor = client.submit(_Counter, actor=True, workers=[first.address])
    await wait(actor)
    state = await begin(scheduler, 1)
    assert state["leaving"] == [second.name]
    await ask(scheduler, "scaling_end", number="1", outcome="test")
    state = await begin(scheduler, 0, number="2", force=True)
    assert state["kept"] == [{"pod": first.name, "nbytes": state["kept"][0]["nbytes"], "why": state["kept"][0]["why"]}]
    assert "actor" in state["kept"][0]["why"]


async def test_a_task_that_may_run_nowhere_else_keeps_its_worker(
    scheduler: Scheduler, start: Any, client: Client
) -> None:
    """The only worker with what a running task asks for is not chosen."""
    special, other = await start(resources={"GPU": 1}), await start()
    RELEASE.clear()
    future = client.submit(_wait_for_release, resources={"GPU": 1})
    await until(lambda: bool(scheduler.workers[special.address].processing))
    assert (await begin(scheduler, 1))["leaving"] == [other.name]
    RELEASE.set()
    await future


async def test_results_that_fit_nowhere_stay(scheduler: Scheduler, start: Any, client: Client) -> None:
    """A worker whose results the others have no room for stays, and is named with its bytes."""
    # This process is larger than that: a worker that looked at it would pause before it has computed anything.
    alone = {"distributed.worker.memory.pause": False, "distributed.worker.memory.spill": False}
    with dask.config.set(alone):
        small = [await start(memory_limit=2_000_000) for _ in range(2)]
    futures = [client.submit(lambda: b"x" * 1_200_000, workers=[worker.address], pure=False) for worker in small]
    await wait(futures)
    state = await begin(scheduler, 1)
    assert state["leaving"] == []
    (kept,) = state["kept"]
    assert kept["nbytes"] >= 1_200_000
    assert "no room" in kept["why"]


async def test_refusals(scheduler: Scheduler, start: Any, client: Client) -> None:
    """Nothing is touched where results would be lost, pods lack the preload, or somebody else is at it."""
    await start()
    future = client.submit(sum, [1, 2])
    await wait(future)
    state = await begin(scheduler, 0)
    assert (state["refused"], state["results"], state["tasks"]) == ("at stake", 1, 0)
    await start()
    await begin(scheduler, 1, number="2")
    state = await begin(scheduler, 1, number="3", who="bob")
    assert (state["refused"], state["who"]) == ("busy", "ada")
    async with Worker(scheduler.address, name="dask-worker-default-stranger", dashboard_address="127.0.0.1:0"):
        state = await begin(scheduler, 1, number="4")
        assert (state["refused"], state["workers"]) == ("strangers", ["dask-worker-default-stranger"])


async def test_asking_twice_is_asking_once(scheduler: Scheduler, start: Any) -> None:
    """A request whose answer was lost may be repeated."""
    for _ in range(3):
        await start()
    first = await begin(scheduler, 1)
    assert first == await begin(scheduler, 1)


async def test_candidates_are_of_the_group(scheduler: Scheduler, start: Any) -> None:
    """Another group's workers stay, however cheap."""
    mine = [await start("gpu") for _ in range(2)]
    others = [await start("default") for _ in range(2)]
    state = await begin(scheduler, 0, group="gpu")
    assert state["leaving"] == sorted(worker.name for worker in mine)
    assert statuses(*others) == [Status.running] * 2


async def test_a_newcomer_beyond_the_number_goes_as_it_came(scheduler: Scheduler, start: Any) -> None:
    """A pod that was still starting, and registers in between, is out of service before the number is patched."""
    for _ in range(2):
        await start()
    await begin(scheduler, 1)
    late = await start()
    await until(lambda: late.status == Status.closing_gracefully)
    state = await ask(scheduler, "scaling_look", number="1")
    assert late.name in state["leaving"]
    assert state["in_service"] == 1


async def test_a_wrong_victim_is_mended(scheduler: Scheduler, start: Any) -> None:
    """Where Kubernetes ends another pod than those that were emptied, one of these is put back into service."""
    workers = [await start() for _ in range(3)]
    state = await begin(scheduler, 2)
    (chosen,) = [worker for worker in workers if worker.name in state["leaving"]]
    wrong = next(worker for worker in workers if worker is not chosen)
    await ask(scheduler, "scaling_end", number="1", outcome="done", replicas=2, calls=3)
    await wrong.close()
    entries = scheduler.plugins["dask-kubernetes-helm"].journal.entries
    await until(lambda: len(entries) == 2)
    assert chosen.status == Status.running
    done, mended = entries
    assert (done["outcome"], done["to"]) == ("done", 2)
    assert mended["outcome"] == "mended"
    assert f"deleted {wrong.name} instead of {chosen.name}" in mended["why"]


async def test_a_newcomer_is_no_wrong_victim(scheduler: Scheduler, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who registers once all have been counted may be ended with those that were emptied; nobody is put back for it."""
    monkeypatch.setattr(shrinking, "_ARRIVAL", 60.0)  # it has no time to be emptied as well
    workers = [await start() for _ in range(3)]
    state = await begin(scheduler, 2)
    (chosen,) = [worker for worker in workers if worker.name in state["leaving"]]
    await ask(scheduler, "scaling_look", number="1")
    late = await start()
    desk = scheduler.plugins["dask-kubernetes-helm"]
    shrink = desk._shrinks["1"]
    await ask(scheduler, "scaling_end", number="1", outcome="done", replicas=2, calls=3)
    await late.close()
    await asyncio.sleep(3 * shrinking._INTERVAL)
    await chosen.close()
    await until(lambda: shrink.is_over)
    assert [entry["outcome"] for entry in desk.journal.entries] == ["done"]


async def test_kubernetes_may_take_its_time(scheduler: Scheduler, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as one after the other goes, those still to go stay out of service, however long all of it takes."""
    now = [0.0, 0.0]

    def clock() -> float:
        now[1] += 1
        return now[0]

    async def looked() -> None:
        asked = now[1]
        await until(lambda: now[1] > asked + 3)

    workers = [await start() for _ in range(4)]
    state = await begin(scheduler, 1)
    monkeypatch.setattr(shrinking, "monotonic", clock)
    await ask(scheduler, "scaling_end", number="1", outcome="done", replicas=1, calls=3)
    leaving = [worker for worker in workers if worker.name in state["leaving"]]
    while leaving:
        await looked()
        now[0] += shrinking.SETTLING * 0.9
        await looked()
        assert {worker.status for worker in leaving} == {Status.closing_gracefully}
        await leaving.pop().close()
    assert len(scheduler.plugins["dask-kubernetes-helm"].journal.entries) == 1


async def test_the_journal_takes_what_others_did(scheduler: Scheduler) -> None:
    """Python tells what it did alone, and everybody reads it."""
    await ask(scheduler, "scaling_record", who="ada", why="scale(3)", group="default", seen=1, replicas=3, calls=1)
    async with rpc(scheduler.address) as remote:
        (entry,) = await remote.scaling_history()
    assert (entry["who"], entry["from"], entry["to"], entry["calls"]) == ("ada", 1, 3, 1)

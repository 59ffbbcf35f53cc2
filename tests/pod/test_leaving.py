"""A pod on its way out has its worker emptied, and waits for nobody who can't help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from distributed import Client, Scheduler, Worker, wait
from distributed.core import rpc

from dask_kubernetes_helm_pod import leaving

from .conftest import until


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """A bound that is behaviour, several times what it takes."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


async def leave(worker: Worker) -> None:
    await leaving.be_emptied(worker.scheduler, worker.address)


async def test_results_are_elsewhere_and_running_tasks_have_ended(
    scheduler: Scheduler, start: Any, client: Client
) -> None:
    """Scattered data moves, and a running task ends, before the worker may."""
    worker, other = [await start() for _ in range(2)]
    (data,) = await client.scatter([b"x" * 1000], workers=[worker.address])
    began, release = asyncio.Event(), asyncio.Event()
    future = client.submit(_task, began, release, workers=[worker.address], allow_other_workers=True)
    await began.wait()
    going = asyncio.ensure_future(leave(worker))
    await until(lambda: data.key in other.data)
    assert not going.done()
    release.set()
    await going
    assert {data.key, future.key} <= set(other.data)


async def _task(began: asyncio.Event, release: asyncio.Event) -> int:
    began.set()
    await release.wait()
    return 1


async def test_nobody_waits_when_all_leave(
    scheduler: Scheduler, start: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Where everybody leaves at once nobody can take anything, so it takes three seconds at most."""
    workers = [await start() for _ in range(3)]
    await wait([client.submit(lambda i=i: i, workers=[w.address]) for i, w in enumerate(workers)])
    futures = client.map(lambda i: i, range(30))
    await wait(futures)
    with within(3):
        await asyncio.gather(*(leave(worker) for worker in workers))
    assert "Leaving with what is left" in caplog.text


async def test_nobody_waits_for_a_scheduler_that_is_gone(
    scheduler: Scheduler, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a scheduler a worker leaves within three seconds."""
    worker = await start()
    with within(3):
        async with rpc("tcp://127.0.0.1:9", timeout=1) as gone:
            await leaving.be_emptied(gone, worker.address)
    assert "does not answer" in caplog.text


async def test_nobody_waits_for_a_scheduler_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """A scheduler that takes connections and answers nothing holds nobody up."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    with within(3):
        async with rpc(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}") as hung:
            await leaving.be_emptied(hung, "tcp://127.0.0.1:1")
    server.close()
    assert "does not answer" in caplog.text


async def test_a_scheduler_without_the_preload(caplog: pytest.LogCaptureFixture) -> None:
    """A scheduler of another release tells nothing, and nothing is waited for."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as plain:
        async with rpc(plain.address) as remote:
            with within(3):
                await leaving.be_emptied(remote, "tcp://127.0.0.1:1")
    assert "lacks the chart's preload" in caplog.text

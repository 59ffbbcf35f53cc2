"""A pod on its way out has its worker emptied, and waits for nobody who can't help."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Scheduler, Worker, wait
from distributed.core import rpc

from dask_kubernetes_helm_pod import leaving

from .conftest import until

BEGAN, RELEASE = threading.Event(), threading.Event()


def _task() -> int:
    BEGAN.set()
    RELEASE.wait(20)
    return 1


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
    BEGAN.clear()
    RELEASE.clear()
    future = client.submit(_task, workers=[worker.address], allow_other_workers=True)
    await until(BEGAN.is_set)
    going = asyncio.ensure_future(leave(worker))
    await until(lambda: data.key in other.data)
    assert not going.done()
    RELEASE.set()
    await going
    assert {data.key, future.key} <= set(other.data)


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


async def test_nobody_waits_for_a_scheduler_that_hangs(
    scheduler: Scheduler, start: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that takes requests and answers nothing holds a worker up no longer than its pod may take."""
    monkeypatch.setattr(leaving, "TIMEOUT", 1.0)
    worker = await start()
    scheduler.handlers["echo"] = scheduler.handlers["scaling_leave"] = lambda **_: asyncio.sleep(20)
    with within(3):
        await leave(worker)
    assert "does not answer" in caplog.text


async def test_a_scheduler_that_is_busy_is_not_gone(
    scheduler: Scheduler, start: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker holds is moved although its scheduler was silent for longer than it takes to answer."""
    monkeypatch.setattr(leaving, "_ANSWER", 0.1)
    worker, other = [await start() for _ in range(2)]
    (data,) = await client.scatter([b"x"], workers=[worker.address])
    scheduler.handlers["echo"] = lambda **_: asyncio.sleep(0.5)
    await leave(worker)
    assert data.key in other.data


async def test_a_scheduler_without_the_preload(caplog: pytest.LogCaptureFixture) -> None:
    """A scheduler of another release tells nothing, and nothing is waited for."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as plain:
        remote = rpc(plain.address)
        with within(3):
            await leaving.be_emptied(remote, "tcp://127.0.0.1:1")
        await remote.close_rpc()
    assert "lacks the chart's preload" in caplog.text


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_a_signal_to_the_nannys_group() -> None:
    """A process that has left the group of the one that started it outlives what is sent to all of that group."""
    script = "import time; from dask_kubernetes_helm_pod import leaving; leaving.apart_from_the_nanny(); "
    command = f"{sys.executable} -c '{script}print(flush=True); time.sleep(60)' & sleep 60 & wait"
    with subprocess.Popen(
        ["sh", "-c", command],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(leaving.__file__).parents[1])},
    ) as group:
        assert group.stdout is not None
        assert group.stdout.readline(), "the process that leaves its group did not get there"
        children = Path(f"/proc/{group.pid}/task/{group.pid}/children").read_text().split()
        apart, within = map(int, children)
        try:
            os.killpg(group.pid, signal.SIGKILL)
            await until(lambda: not _runs(within))
            assert _runs(apart)
        finally:
            os.kill(apart, signal.SIGKILL)

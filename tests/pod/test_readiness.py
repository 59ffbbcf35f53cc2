"""A worker's socket listens exactly while the worker is in service; its nanny ends it while it still listens."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from distributed import Nanny, Scheduler, Worker
from distributed.core import Status

from tests.chart.helm import CHART

from .conftest import LOCAL, mounted, start_worker, until


def _answers(port: int, host: str = "127.0.0.1") -> bool:
    """What the kubelet's tcpSocket probe finds."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


async def test_open_while_registered(scheduler: Scheduler, preload: str, port: int) -> None:
    """The socket opens once the scheduler knows the worker, and closes with it."""
    assert not _answers(port)
    async with start_worker(scheduler, preload) as worker:
        await until(lambda: _answers(port))
        assert {worker.address} == set(scheduler.workers)
    assert not _answers(port)


async def test_closed_before_registration(scheduler: Scheduler, preload: str, port: int) -> None:
    """A worker that starts but isn't registered is not Ready."""
    registered = asyncio.Event()
    add_worker = scheduler.add_worker

    async def later(comm: Any, **kwargs: Any) -> None:
        await registered.wait()
        await add_worker(comm, **kwargs)

    scheduler.handlers["register-worker"] = later
    worker = Worker(scheduler.address, nthreads=1, preload=[preload], **LOCAL)
    starting = asyncio.ensure_future(worker.start())
    await until(lambda: hasattr(worker, "readiness"))
    await asyncio.sleep(3 * worker.readiness.callback.callback_time / 1000)
    assert worker.status == Status.init
    assert not _answers(port)
    registered.set()
    await starting
    await until(lambda: _answers(port))
    await worker.close()


async def test_closed_while_retiring_and_open_again(scheduler: Scheduler, preload: str, port: int) -> None:
    """Retirement closes the socket while the process stays, and a worker that is back in service opens it again."""
    async with start_worker(scheduler, preload) as worker:
        await until(lambda: _answers(port))
        async with start_worker(scheduler, "import os"):
            retired = await scheduler.retire_workers([worker.address], close_workers=False, remove=False)
            assert {worker.address} == set(retired)
            await until(lambda: not _answers(port))
            assert worker.address in scheduler.workers
            worker.handle_worker_status_change("running", "test")
            await until(lambda: _answers(port))


async def test_paused_is_in_service(scheduler: Scheduler, preload: str, port: int) -> None:
    """A worker that is short of memory is still one: voting it out would lose what it holds."""
    async with start_worker(scheduler, preload) as worker:
        await until(lambda: _answers(port))
        worker.status = Status.paused
        worker.readiness.update()
        assert _answers(port)


async def test_two_workers_share_the_port(scheduler: Scheduler, preload: str, port: int) -> None:
    """With several workers in a pod it stays Ready until the last is out of service."""
    async with start_worker(scheduler, preload) as first, start_worker(scheduler, preload) as second:
        await until(lambda: bool(first.readiness.listener and second.readiness.listener))
        first.readiness.callback.stop()
        first.readiness.close()
        assert all(_answers(port) for _ in range(20))
        second.readiness.callback.stop()
        second.readiness.close()
        assert not _answers(port)


async def test_the_kernel_answers_for_a_held_gil(scheduler: Scheduler, preload: str, port: int) -> None:
    """Probes are answered while Python can't run, for as many as an hour of them."""
    async with start_worker(scheduler, preload):
        await until(lambda: _answers(port))
        # Nothing of this loop runs until the block ends, as with user code that holds the GIL.
        knocks = [socket.create_connection(("127.0.0.1", port), timeout=1) for _ in range(500)]
        for knock in knocks:
            knock.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_ipv6(scheduler: Scheduler, preload: str, port: int) -> None:
    """The probe may come by IPv6."""
    async with start_worker(scheduler, preload):
        await until(lambda: _answers(port, "::1"))


async def test_a_taken_port_is_said_once(
    scheduler: Scheduler, preload: str, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where something else has the port the log says so once, and the pod becomes Ready when it is free."""
    with closing(socket.create_server(("", port))):
        async with start_worker(scheduler, preload) as worker:
            await until(lambda: worker.readiness.refused)
            worker.readiness.update()
            said = [record.getMessage() for record in caplog.records if "can't become Ready" in record.getMessage()]
            assert len(said) == 1
            assert str(port) in said[0]


def test_it_needs_only_what_every_image_has() -> None:
    """What is mounted into pods imports the standard library, Dask and tornado only."""
    pattern = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)
    files = [*CHART.glob("files/*.py"), *CHART.glob("files/*/*.py")]
    imported = {name for file in files for name in pattern.findall(file.read_text())}
    assert imported - set(sys.stdlib_module_names) == {"dask", "distributed", "tornado", "dask_kubernetes_helm_pod"}


async def test_a_nanny_ends_its_worker_while_it_still_listens(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its preload the worker has ended when its nanny stops listening, so none waits for a deaf nanny."""
    path = mounted("nanny", tmp_path)
    workers_at_stop = []
    async with Nanny(scheduler.address, nthreads=1, preload_nanny=[path], **LOCAL) as nanny:
        stop = nanny.stop

        def noted() -> None:
            workers_at_stop.append(nanny.process and nanny.process.status)
            stop()

        monkeypatch.setattr(nanny, "stop", noted)
    assert workers_at_stop[0] == Status.stopped

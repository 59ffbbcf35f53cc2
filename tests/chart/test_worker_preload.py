"""chart/files/worker.py in a real Worker: its socket listens exactly while the worker is in service."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from distributed import Nanny, Scheduler, Worker
from distributed.core import Status
from distributed.utils import import_file

from tests.chart.helm import CHART

PRELOAD = CHART / "files" / "worker.py"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, host: str = "127.0.0.1") -> bool:
    """What the kubelet's tcpSocket probe finds."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


async def _until(reached: Callable[[], bool], timeout: float = 10) -> None:
    async with asyncio.timeout(timeout) if hasattr(asyncio, "timeout") else _forever():
        while not reached():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _forever() -> AsyncIterator[None]:
    yield


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port that the preload is told."""
    number = _free_port()
    monkeypatch.setenv("READINESS_PORT", str(number))
    return number


@pytest.fixture
def preload(port: int, tmp_path: Path) -> str:
    """The preload's path, under the name that the chart mounts it by."""
    path = tmp_path / "dask_kubernetes_helm_worker.py"
    path.write_text(PRELOAD.read_text())
    return str(path)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as running:
        yield running


@asynccontextmanager
async def _worker(scheduler: Scheduler, preload: str, **options: Any) -> AsyncIterator[Worker]:
    address = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    async with Worker(scheduler.address, nthreads=1, preload=[preload], **address, **options) as running:
        yield running


async def test_open_while_registered(scheduler: Scheduler, preload: str, port: int) -> None:
    """The socket opens once the scheduler knows the worker, and closes with it."""
    assert not _answers(port)
    async with _worker(scheduler, preload) as worker:
        await _until(lambda: _answers(port))
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
    worker = Worker(scheduler.address, nthreads=1, preload=[preload], host="127.0.0.1", dashboard_address="127.0.0.1:0")
    starting = asyncio.ensure_future(worker.start())
    await _until(lambda: hasattr(worker, "readiness"))
    await asyncio.sleep(3 * worker.readiness.callback.callback_time / 1000)
    assert worker.status == Status.init
    assert not _answers(port)
    registered.set()
    await starting
    await _until(lambda: _answers(port))
    await worker.close()


async def test_closed_while_retiring_and_open_again(scheduler: Scheduler, preload: str, port: int) -> None:
    """Retirement closes the socket while the process stays, and a worker that is back in service opens it again."""
    async with _worker(scheduler, preload) as worker:
        await _until(lambda: _answers(port))
        async with _worker(scheduler, "import os"):
            retired = await scheduler.retire_workers([worker.address], close_workers=False, remove=False)
            assert {worker.address} == set(retired)
            await _until(lambda: not _answers(port))
            assert worker.address in scheduler.workers
            worker.handle_worker_status_change("running", "test")
            await _until(lambda: _answers(port))


async def test_paused_is_in_service(scheduler: Scheduler, preload: str, port: int) -> None:
    """A worker that is short of memory is still one: voting it out would lose what it holds."""
    async with _worker(scheduler, preload) as worker:
        await _until(lambda: _answers(port))
        worker.status = Status.paused
        worker.readiness.update()
        assert _answers(port)


async def test_two_workers_share_the_port(scheduler: Scheduler, preload: str, port: int) -> None:
    """With several workers in a pod it stays Ready until the last is out of service."""
    async with _worker(scheduler, preload) as first, _worker(scheduler, preload) as second:
        await _until(lambda: bool(first.readiness.listener and second.readiness.listener))
        first.readiness.callback.stop()
        first.readiness.close()
        assert all(_answers(port) for _ in range(20))
        second.readiness.callback.stop()
        second.readiness.close()
        assert not _answers(port)


async def test_the_kernel_answers_for_a_held_gil(scheduler: Scheduler, preload: str, port: int) -> None:
    """Probes are answered while Python can't run, for as many as an hour of them."""
    async with _worker(scheduler, preload):
        await _until(lambda: _answers(port))
        # Nothing of this loop runs until the block ends, as with user code that holds the GIL.
        knocks = [socket.create_connection(("127.0.0.1", port), timeout=1) for _ in range(500)]
        for knock in knocks:
            knock.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_ipv6(scheduler: Scheduler, preload: str, port: int) -> None:
    """The probe may come by IPv6."""
    async with _worker(scheduler, preload):
        await _until(lambda: _answers(port, "::1"))


async def test_a_taken_port_is_said_once(
    scheduler: Scheduler, preload: str, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where something else has the port the log says so once, and the pod becomes Ready when it is free."""
    with closing(socket.create_server(("", port))):
        async with _worker(scheduler, preload) as worker:
            await _until(lambda: worker.readiness.refused)
            worker.readiness.update()
            said = [record.getMessage() for record in caplog.records if "can't become Ready" in record.getMessage()]
            assert len(said) == 1
            assert str(port) in said[0]


def test_it_needs_only_what_every_image_has() -> None:
    """The preload imports the standard library, distributed and tornado only."""
    modules: list[ModuleType] = import_file(str(PRELOAD))
    assert [module.__name__ for module in modules] == ["worker"]
    lines = PRELOAD.read_text().splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"contextlib", "logging", "os", "socket", "distributed", "tornado"}


async def test_a_nanny_ends_its_worker_while_it_still_listens(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By chart/files/nanny.py the worker has ended when its nanny stops listening, so none waits for a deaf nanny."""
    path = tmp_path / "dask_kubernetes_helm_nanny.py"
    path.write_text((CHART / "files" / "nanny.py").read_text())
    address = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    workers_at_stop = []
    async with Nanny(scheduler.address, nthreads=1, preload_nanny=[str(path)], **address) as nanny:
        stop = nanny.stop

        def noted() -> None:
            workers_at_stop.append(nanny.process and nanny.process.status)
            stop()

        monkeypatch.setattr(nanny, "stop", noted)
    assert workers_at_stop[0] == Status.stopped

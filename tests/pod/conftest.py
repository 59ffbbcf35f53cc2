"""Fixtures for what runs inside the pods: a scheduler and workers in this process, with the chart's preloads."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Scheduler, Worker

from tests.chart.helm import CHART

LOCAL = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(reached: Callable[[], bool], timeout: float = 10) -> None:
    """Poll until something is so."""

    async def poll() -> None:
        while not reached():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), timeout)


def mounted(role: str, folder: Path) -> str:
    """A preload's path, under the name that the chart mounts it by."""
    path = folder / f"dask_kubernetes_helm_{role}.py"
    path.write_text((CHART / "files" / f"preload_{role}.py").read_text())
    return str(path)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port that the preload is told."""
    number = free_port()
    monkeypatch.setenv("DASKHELM_READINESS_PORT", str(number))
    return number


@pytest.fixture
def preload(port: int, tmp_path: Path) -> str:
    """The worker's preload."""
    return mounted("worker", tmp_path)


@pytest.fixture
async def scheduler(tmp_path: Path) -> AsyncIterator[Scheduler]:
    """A scheduler as the chart starts one."""
    options = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(preload=[mounted("scheduler", tmp_path)], **options) as running:
        yield running


@asynccontextmanager
async def start_worker(scheduler: Scheduler, preload: str, **options: Any) -> AsyncIterator[Worker]:
    """A worker with one thread."""
    async with Worker(scheduler.address, nthreads=1, preload=[preload], **LOCAL, **options) as running:
        yield running


@pytest.fixture
async def start(
    scheduler: Scheduler, preload: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Starts workers, each as if in a pod of its own."""
    async with AsyncExitStack() as stack:

        async def one(group: str = "default", pod: str | None = None, **options: Any) -> Worker:
            pod = pod or f"dask-worker-{group}-{uuid.uuid4().hex[:5]}"
            monkeypatch.setenv("DASKHELM_POD_NAME", pod)
            monkeypatch.setenv("DASKHELM_WORKER_GROUP", group)
            return await stack.enter_async_context(start_worker(scheduler, preload, name=pod, **options))

        yield one


@pytest.fixture
async def client(scheduler: Scheduler) -> AsyncIterator[Client]:
    async with Client(scheduler.address, asynchronous=True) as running:
        yield running

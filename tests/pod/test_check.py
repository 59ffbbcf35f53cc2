"""What `helm test` computes, and what it says where that does not work."""

from __future__ import annotations

from typing import Any

import pytest
from distributed import Scheduler

from dask_kubernetes_helm_pod import check

from .conftest import free_port


async def test_it_computes_on_every_worker(scheduler: Scheduler, start: Any) -> None:
    """It computes on all workers, moves results between them, and says what came out."""
    workers = [await start() for _ in range(2)]
    said = await check.check(scheduler.address, 20)
    assert said == "100 tasks on 2 workers: the sum of their squares is 328350"
    for worker in workers:
        assert worker.state.executed_count
    assert any(worker.transfer_incoming_log for worker in workers)


async def test_no_worker(scheduler: Scheduler) -> None:
    """Without a worker it says so, and how to see why."""
    with pytest.raises(check.CheckError, match=r"No worker came within 0.5 s.*kubectl describe pods"):
        await check.check(scheduler.address, 0.5)


async def test_no_scheduler() -> None:
    """Without a scheduler it says where it looked for one."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(check.CheckError, match=f"No connection to the scheduler at {address} within 0.5 s"):
        await check.check(address, 0.5)


async def test_wrong_results(scheduler: Scheduler, start: Any, monkeypatch: Any) -> None:
    """A sum that is wrong is no success."""
    await start()
    monkeypatch.setattr(check, "pow", lambda number, _: number, raising=False)
    with pytest.raises(check.CheckError, match="computed 4950 in the place of 328350"):
        await check.check(scheduler.address, 20)

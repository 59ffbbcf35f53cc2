"""A process with a real scheduler, the chart's preload in it, and a simulated worker for each pod.

Belongs here: what the kubelet's stand-in and the experiment ask of that process, beside what the chart's desk answers.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import dask
from distributed import Client, Scheduler, scheduler, wait

from bench.many import memory
from bench.many.workers import Sender, SimulatedWorker
from dask_kubernetes_helm import contract

POD_FILES = contract.chart_path() / "files"
_NBYTES = 1000


class Herd:
    """The simulated workers, and requests about them.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Where they register.
    """

    def __init__(self, scheduler) -> None:
        self._scheduler = scheduler
        self._workers: dict[str, SimulatedWorker] = {}
        self._numbers = itertools.count()
        self._changes: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self._computed: Counter = Counter()
        self._futures: list = []
        scheduler.handlers.update(
            herd_add=self.add,
            herd_remove=self.remove,
            herd_changes=self.changes,
            herd_compute=self.compute,
            herd_facts=self.facts,
            herd_watch_memory=memory.begin,
        )

    def add(self, pods: list[str]) -> int:
        """Pods have started."""
        for pod in pods:
            number = next(self._numbers)
            address = f"tcp://10.{number >> 16}.{number >> 8 & 255}.{number & 255}:3000"
            self._workers[pod] = worker = SimulatedWorker(pod, address, self._note, _NBYTES)
            worker.register(self._scheduler)
        return len(self._workers)

    async def remove(self, pods: list[str]) -> int:
        """Pods have been deleted."""
        gone = [self._workers.pop(pod) for pod in pods if pod in self._workers]
        await asyncio.gather(*(worker.end() for worker in gone))
        self._computed.update(key for worker in gone for key in worker.computed.elements())
        return len(self._workers)

    def _note(self, pod: str, ready: bool) -> None:  # noqa: FBT001 - as what it stands for
        self._changes[pod] = ready
        self._changed.set()

    async def changes(self, seconds: float) -> dict[str, bool]:
        """Pods whose readiness has changed since it was asked before; waits for the first."""
        waiting = asyncio.ensure_future(self._changed.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()
        self._changed.clear()
        changes, self._changes = self._changes, {}
        return changes

    async def compute(self, number: int) -> int:
        """Have the workers hold so many results."""
        client = await Client(self._scheduler.address, asynchronous=True)
        self._futures = client.map(_result, range(number), pure=False)
        await wait(self._futures, timeout=120)
        return number

    def facts(self, group: str) -> dict:
        """What the scheduler has, and what reading and choosing cost it."""
        known = self._scheduler
        computed = Counter(self._computed)
        for worker in self._workers.values():
            computed.update(worker.computed)
        held = [task for task in known.tasks.values() if task.state == "memory"]
        return {
            "workers": len(known.workers),
            "running": len(known.running),
            "results": sum(bool(task.who_has & known.running) for task in held),
            "recomputed": sum(number - 1 for number in computed.values()),
            "memory": memory.grown(),
            **self._timed(group),
        }

    def _timed(self, group: str) -> dict:
        from dask_kubernetes_helm_pod import facts, policy  # noqa: PLC0415 - the preload has put it on the path

        began = time.perf_counter()
        pods = facts.pods(self._scheduler, group)
        read = time.perf_counter()
        policy.choose(pods, len(pods) // 2)
        return {"read": read - began, "choose": time.perf_counter() - read}


def _result(index: int) -> int:
    return index


async def main() -> None:
    """Serve until standard input ends."""
    # Simulated workers send no heartbeats, and nobody reads what was sent to each of thousands.
    dask.config.set({"distributed.scheduler.worker-ttl": None, "distributed.admin.low-level-log-length": 10})
    scheduler.BatchedSend = Sender
    with tempfile.TemporaryDirectory() as folder:
        preload = Path(folder) / "dask_kubernetes_helm_scheduler.py"
        preload.write_text((POD_FILES / "preload_scheduler.py").read_text())
        sys.path.append(str(POD_FILES))
        where = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
        async with Scheduler(preload=[str(preload)], **where) as running:
            Herd(running)
            print(running.address, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

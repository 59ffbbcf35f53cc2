"""A process with this package, as a user's Python has it: scales, and tells when each of its acts began and ended.

Reads one JSON object a line, `{"target": 500}`, and answers with one. Belongs here: taking notes, without any change to
what is noted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from typing import Any

from distributed import rpc

from bench.many import memory
from dask_kubernetes_helm import contract
from dask_kubernetes_helm.desk import Desk
from dask_kubernetes_helm.elasticity import scaling, steering
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.releases.release import Release

Notes = dict[str, Any]


class NotedDesk(Desk):
    """Notes when the surplus was empty, and who is to leave."""

    notes: Notes

    async def begin(self, check, **order):
        self.notes["asked"] = time.time()
        return self._note(await super().begin(check, **order))

    async def look(self, check, number):
        return self._note(await super().look(check, number))

    def _note(self, state):
        if state and state["phase"] == contract.EMPTY:
            self.notes.setdefault("empty", time.time())
            self.notes.update(leaving=state["leaving"], kept=state["kept"])
        return state


class NotedKube(Kube):
    """Notes when the number was patched."""

    notes: Notes

    async def scale(self, *arguments, **options):
        self.notes["patching"] = time.time()
        try:
            return await super().scale(*arguments, **options)
        finally:
            self.notes["patched"] = time.time()


async def act(scaler: scaling.Scaling, kube: NotedKube, target: int, timeout: float) -> Notes:
    """Scale once."""
    notes: Notes = {}
    kube.notes = NotedDesk.notes = notes
    calls, used = kube.calls, _processor_time()
    notes["began"] = time.time()
    await scaler.scale(target, None, force=False, timeout=timeout)
    notes["ended"] = time.time()
    return {**notes, "calls": kube.calls - calls, "cpu": _processor_time() - used, "memory": memory.peak()}


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    """Act until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("namespace", "release", "scheduler"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    kube = await NotedKube.connect(namespace=options.namespace)
    release = Release(options.release, kube)
    await release.find()
    remote = rpc(options.scheduler)
    desk = NotedDesk(lambda: remote)
    scaler = scaling.Scaling(release, desk, steering.Steering(release, desk))
    print(json.dumps({"memory": memory.peak()}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await act(scaler, kube, **json.loads(line))), flush=True)
    await scaler.close()
    await remote.close_rpc()
    await kube.close()


if __name__ == "__main__":
    asyncio.run(main())

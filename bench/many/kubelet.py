"""A process that stands in for the kubelets and the readiness probes of pods that run nothing.

Belongs here: pods that start or are deleted told to the simulated workers, and workers that leave service told to
Kubernetes, by one PATCH of the pod's status each. Never here: this package's own part.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from datetime import datetime, timezone

from distributed import rpc
from distributed.core import Server

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi import transport
from dask_kubernetes_helm.kubeapi.kube import Kube

AGENT = "stand-in-kubelet"
#: Requests at a time; fifty kubelets would make more.
_AT_ONCE = 16
_PAUSE = 0.05


class Kubelet:
    """What happens to the pods of a release's worker group.

    Parameters
    ----------
    kube : Kube
        The API, under a name of its own.
    scheduler : distributed.core.rpc
        The process with the simulated workers.
    release : str
        Whose pods.
    """

    def __init__(self, kube: Kube, scheduler, release: str) -> None:
        self._kube, self._scheduler = kube, scheduler
        self._requests = transport.Transport(kube.credentials, kube.namespace)
        self._selector = contract.selector(release, contract.WORKER)
        self._conditions: dict[str, list] = {}
        self._out_of_service: set[str] = set()
        self._started: list[str] = []
        self._ended: list[str] = []
        self._patches: dict[str, asyncio.Task] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._gone: list[str] = []
        self._patched: list[float] = []
        self._counts: list[tuple[float, int]] = []

    def facts(self, since: float) -> dict:
        """What has happened since a time."""
        return {
            "pods": len(self._conditions),
            "gone": self._gone,
            "patched": [at for at in self._patched if at >= since],
            "counts": [(at, number) for at, number in self._counts if at >= since],
        }

    def forget(self) -> None:
        """Begin to note anew."""
        self._gone, self._patched = [], []

    async def run(self) -> None:
        """Go on until cancelled."""
        await asyncio.gather(self._follow_pods(), self._follow_deployment(), self._tell(), self._hear())

    async def _follow_pods(self) -> None:
        items, version = await self._kube.snapshot("pods", self._selector)
        for item in items:
            self._note("ADDED", item)
        async with contextlib.aclosing(self._kube.watch("pods", self._selector, version)) as changes:
            async for kind, item in changes:
                self._note(kind, item)
        raise RuntimeError("the watch of the pods has ended")

    def _note(self, kind: str, pod: dict) -> None:
        name = pod["metadata"]["name"]
        if kind == "DELETED" or pod["metadata"].get("deletionTimestamp"):
            if self._conditions.pop(name, None):
                self._gone.append(name)
                self._ended.append(name)
            return
        conditions = pod["status"].get("conditions", [])
        ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
        if name in self._conditions:
            self._conditions[name] = conditions
            # Others set it, too: where a node's heartbeat is late, all its pods are taken for not Ready.
            if ready == (name in self._out_of_service):
                self._report(name)
        elif ready:
            self._conditions[name] = conditions
            self._started.append(name)

    async def _follow_deployment(self) -> None:
        items, version = await self._kube.snapshot("deployments", self._selector)
        self._count(items[0])
        async with contextlib.aclosing(self._kube.watch("deployments", self._selector, version)) as changes:
            async for _, item in changes:
                self._count(item)
        raise RuntimeError("the watch of the Deployment has ended")

    def _count(self, deployment: dict) -> None:
        self._counts.append((time.time(), deployment.get("status", {}).get("readyReplicas", 0)))

    async def _tell(self) -> None:
        """Tell simulated workers of their pods."""
        while True:
            started, self._started = self._started, []
            ended, self._ended = self._ended, []
            if started:
                await self._scheduler.herd_add(pods=started)
            if ended:
                await self._scheduler.herd_remove(pods=ended)
            await asyncio.sleep(_PAUSE)

    async def _hear(self) -> None:
        """Tell Kubernetes which pods are Ready."""
        while True:
            for name, ready in (await self._scheduler.herd_changes(seconds=1)).items():
                (self._out_of_service.discard if ready else self._out_of_service.add)(name)
                self._report(name)

    def _report(self, name: str) -> None:
        """Tell Kubernetes whether a pod is Ready, unless that is waiting to be told."""
        if name not in self._patches:
            self._patches[name] = asyncio.ensure_future(self._patch(name))

    async def _patch(self, name: str) -> None:
        async with self._slots:
            del self._patches[name]
            if name not in self._conditions:
                return
            ready = "False" if name in self._out_of_service else "True"
            now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
            conditions = [
                {**condition, "status": ready, "lastTransitionTime": now}
                if condition["type"] in ("Ready", "ContainersReady")
                else condition
                for condition in self._conditions[name]
            ]
            path = f"/api/v1/namespaces/{self._kube.namespace}/pods/{name}/status"
            with contextlib.suppress(WorkloadNotFoundError):  # deleted meanwhile
                await self._requests.json("PATCH", path, body={"status": {"conditions": conditions}}, patience=20)
                self._patched.append(time.time())


async def main() -> None:
    """Stand in until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("namespace", "release", "scheduler"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    transport.USER_AGENT = AGENT
    kube = await Kube.connect(namespace=options.namespace)
    kubelet = Kubelet(kube, rpc(options.scheduler), options.release)
    server = Server({"facts": kubelet.facts, "forget": kubelet.forget})
    await server.listen("tcp://127.0.0.1:0")
    print(json.dumps({"address": server.address}), flush=True)
    running = asyncio.ensure_future(kubelet.run())
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()


if __name__ == "__main__":
    asyncio.run(main())

"""One worker group of many pods, scaled, with what that took.

Belongs here: starting the parts, waiting for a state, and telling from their notes whose time was whose.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from distributed import rpc

from bench import common
from tests.rig import audit, kwok
from tests.rig.settings import Settings

OURS = "dask-kubernetes-helm"
RELEASE = "many"
_SCHEDULER = "scheduler"


@dataclass(frozen=True)
class Scaled:
    """What one change of the number took.

    Attributes
    ----------
    pods, target : int
        From how many, to how many.
    emptying, reacting, patching : float
        Seconds of our part: from the call until the surplus was empty; from when Kubernetes knew these as not Ready
        until the number was patched; for the patch and for the end of the call.
    readiness, following : float
        Seconds of others: until Kubernetes knew the surplus as not Ready; from the patch until the pods were as many.
    calls : dict
        Our requests to the API, by verb.
    memory, scheduler_memory : int
        Bytes: the most that our process needed, and by how much the scheduler's grew (what it had freed is used first).
    cpu : float
        Seconds of processor time of our process.
    wrong : int
        Pods that Kubernetes deleted although they had not been emptied.
    lost : int
        Results that had to be computed again, or that are nowhere any more.
    read, choose : float
        Seconds for reading the scheduler's state, and for choosing who leaves.
    """

    pods: int
    target: int
    emptying: float
    reacting: float
    patching: float
    readiness: float
    following: float
    calls: dict[str, int]
    memory: int
    scheduler_memory: int
    cpu: float
    wrong: int
    lost: int
    read: float
    choose: float

    @property
    def ours(self) -> float:
        """Seconds of our part."""
        return self.emptying + self.reacting + self.patching


class Experiment:
    """A release whose worker pods are many.

    Parameters
    ----------
    cluster : Settings
        Where it is, with KWOK's nodes.
    namespace : str
        A fresh one.
    stack : contextlib.ExitStack
        Ends its processes.
    """

    def __init__(self, cluster: Settings, namespace: str, logs: Path, stack: contextlib.ExitStack) -> None:
        self._cluster, self._namespace, self._logs, self._stack = cluster, namespace, logs, stack
        self.pods = self.results = 0

    def begin(self, pods: int) -> None:
        """Make the release with so many pods, and wait until all of them work."""
        common.run("kubectl", "--namespace", self._namespace, "apply", "--filename=-", text=_objects(pods))
        self._scheduler = self._start("scheduling").readline().strip()
        where = ["--namespace", self._namespace, "--release", RELEASE, "--scheduler", self._scheduler]
        self._kubelet = json.loads(self._start("kubelet", *where).readline())["address"]
        self._acting = self._start("acting", *where)
        self._acting.readline()
        self.settle(pods)

    def _start(self, module: str, *arguments: str) -> _Lines:
        log = self._stack.enter_context((self._logs / f"{module}.log").open("w"))
        process = subprocess.Popen(
            [sys.executable, "-m", f"bench.many.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=common.ROOT,
        )
        self._stack.enter_context(process)
        self._stack.callback(process.terminate)
        return _Lines(process, log.name)

    def settle(self, pods: int) -> None:
        """Wait until there are so many pods, each with its worker in service."""
        self._until(lambda: self._facts()["workers"] == pods == self._seen()["pods"], pods)
        self.pods = pods

    def compute(self, results: int) -> None:
        """Have the workers hold so many results."""
        self.results = _ask(self._scheduler, "herd_compute", number=results)

    def scale(self, target: int, timeout: float = 60) -> Scaled:
        """Change the number of pods, and wait until it is so."""
        pods, before, began = self.pods, self._facts(), time.time()
        _ask(self._kubelet, "forget")
        _ask(self._scheduler, "herd_watch_memory")
        notes = self._acting.ask({"target": target, "timeout": timeout})
        grown = self._facts()["memory"]
        ended = datetime.now(timezone.utc)
        self._until(lambda: self._seen()["pods"] == target, max(target, self.pods))
        followed = time.time()
        self.settle(target)
        seen, after = self._seen(since=began), self._facts()
        calls = self._calls(datetime.fromtimestamp(began, timezone.utc), ended)
        return Scaled(
            pods=pods,
            target=target,
            **_phases(notes, seen["counts"], target),
            following=followed - notes["patched"],
            calls=dict(calls),
            memory=notes["memory"],
            scheduler_memory=grown,
            cpu=notes["cpu"],
            wrong=len(set(seen["gone"]) - set(notes.get("leaving", ()))),
            lost=self.results - after["results"] + after["recomputed"] - before["recomputed"],
            read=before["read"],
            choose=before["choose"],
        )

    def _facts(self) -> dict[str, Any]:
        return dict(_ask(self._scheduler, "herd_facts", group="default"))

    def _seen(self, since: float = float("inf")) -> dict[str, Any]:
        return dict(_ask(self._kubelet, "facts", since=since))

    def _calls(self, since: datetime, until: datetime) -> Counter[str]:
        """Our requests by verb; a watch is logged when it begins and when it ends."""
        verbs = {}
        for entry in audit.events(self._cluster):
            received = datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00"))
            ours = entry.get("userAgent", "").startswith(OURS)
            if ours and since <= received <= until and entry.get("objectRef", {}).get("namespace") == self._namespace:
                verbs[entry["auditID"]] = entry["verb"]
        return Counter(verbs.values())

    def _until(self, reached: Callable[[], bool], pods: int) -> None:
        """Poll; Kubernetes' controllers change some twenty pods a second."""
        deadline = time.monotonic() + 60 + pods / 5
        while not reached():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not {pods} pods: {self._facts()}, {self._seen()['pods']} (see {self._logs})")
            time.sleep(0.25)


class _Lines:
    """What a process is asked and answers, a line each."""

    def __init__(self, process: subprocess.Popen[str], log: str) -> None:
        self._process, self._log = process, log

    def readline(self) -> str:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process has ended: {Path(self._log).read_text()[-2000:]}")
        return line

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self.readline()))


def _phases(notes: dict[str, Any], counts: list[tuple[float, int]], target: int) -> dict[str, float]:
    """Whose time was whose; growing is a patch only."""
    empty = notes.get("empty", notes["patching"])
    known = [at for at, number in counts if number == target and at <= notes["patching"]]
    ready = min(max(known[0], empty), notes["patching"]) if known else empty
    return {
        "emptying": empty - notes["began"],
        "readiness": ready - empty,
        "reacting": notes["patching"] - ready,
        "patching": notes["ended"] - notes["patching"],
    }


@contextlib.contextmanager
def experiment(cluster: Settings, namespace: str, logs: Path) -> Iterator[Experiment]:
    """The parts, for as long as the context goes on."""
    with contextlib.ExitStack() as stack:
        yield Experiment(cluster, namespace, logs, stack)


def _ask(address: str, request: str, **arguments: Any) -> Any:
    async def ask() -> Any:
        async with rpc(address) as remote:
            return await getattr(remote, request)(**arguments)

    return asyncio.run(ask())


def _objects(pods: int) -> str:
    """The chart's objects with their workers on KWOK's nodes; the scheduler runs elsewhere."""
    toleration = {"key": kwok.TAINT["key"], "operator": "Exists"}
    values = {
        "tls": {"enabled": False},
        "worker": {"replicas": pods, "nodeSelector": kwok.LABEL, "tolerations": [toleration]},
    }
    command = ("helm", "template", RELEASE, "chart", "--values", "values/ci.yaml", "--values=-")
    objects = [item for item in yaml.safe_load_all(common.run(*command, text=json.dumps(values))) if item]
    kept = [item for item in objects if item["kind"] != "Deployment" or _component(item) != _SCHEDULER]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": kept})


def _component(item: dict[str, Any]) -> str:
    return str(item["metadata"]["labels"]["app.kubernetes.io/component"])

"""One round of one peer, in a process of its own with the peer's interpreter; prints the figures as JSON.

Run as `python -m bench.elasticity.drive PEER NAMESPACE`. It leaves the cluster as it is; who started it deletes the
namespace.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from distributed import Client, get_worker, wait

from bench.elasticity.pods import Pods
from tests.cluster import workload

FEW, MANY, RESULTS = 2, 10, 200
#: Seconds that a number of workers has to last to count.
CALM = 2.0
#: Seconds until a number of workers is given up.
DEADLINE = 120.0


def result(index: int) -> Any:
    """A result that leaves a note when it is computed."""
    get_worker().log_event("started", index)
    return np.full(1000, index)


def lasting(client: Client, wanted: int, calm: Callable[[], bool] = lambda: True) -> float:
    """The time since which the scheduler has that many workers; told when it has kept them, and all is calm.

    A worker that was told to leave may come back, as long as its pod is there.
    """
    deadline, since = time.time() + DEADLINE, None
    while since is None or time.time() - since < CALM or not calm():
        now, found = time.time(), len(client.nthreads())
        since = (since or now) if found == wanted else None
        if now > deadline:
            raise TimeoutError(f"{found} workers instead of {wanted} to stay after {DEADLINE:.0f} s")
        time.sleep(0.02)  # between two looks
    return since


def measure(peer: str, namespace: str) -> dict[str, Any]:
    """Seconds from a call until the number of workers is there to stay, and in which span its calls to the API lie.

    The span is longer, as it ends when the pods are as many as they should be, too; those on their way out don't count.
    """
    pods = Pods(namespace)
    seconds, spans = {}, {}
    began = time.time()
    client, scale = importlib.import_module(f"bench.elasticity.{peer}").start(namespace, FEW)
    seconds["first"] = lasting(client, FEW) - began
    others = len(pods) - FEW

    def to(workers: int) -> None:
        name, began = "grow" if workers == MANY else "shrink", time.time()
        scale(workers)
        seconds[name] = lasting(client, workers, lambda: len(pods) == others + workers) - began
        seconds[f"{name} pods"] = pods.changed - began
        spans[name] = (began, time.time())
        print(seconds, file=sys.stderr, flush=True)  # told where what follows fails

    to(MANY)
    futures = client.map(result, range(RESULTS), pure=False)
    wait(futures, timeout=DEADLINE)
    to(FEW)
    wait(futures, timeout=DEADLINE)
    helped = getattr(sys.modules[f"bench.elasticity.{peer}"], "helped", None)
    return {
        "seconds": seconds,
        "spans": spans,
        "lost": workload.recomputed(client),
        "recomputed": len(workload.started(client)) - RESULTS,
        "helped": bool(helped and helped.is_set()),
    }


def main() -> None:
    """Measure, print, and leave at once."""
    figures = measure(*sys.argv[1:])
    print(json.dumps(figures), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()

"""A worker with a nanny against one without: start, memory, removal, and recovery from a task that takes all memory.

Each try is a release of its own with two workers; both kinds take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import time
from statistics import median
from typing import Any

from distributed import Client, KilledWorker

from bench import common
from dask_kubernetes_helm import HelmCluster

WORKERS = 2
#: MiB that a greedy task takes; twice a worker's limit in values/ci.yaml.
GREED = 2048
#: Seconds after which a measurement of recovery is given up.
WELL_TIMEOUT = 240


def one_try(namespace: str, *, nanny: bool, greedy: bool) -> dict[str, float]:
    """Figures of one release."""
    values = {"worker": {"nanny": nanny}}
    began = time.monotonic()
    cluster = HelmCluster(
        namespace=namespace, environment="ci", values=values, n_workers=WORKERS, image=common.image(), quiet=True
    )
    with cluster, Client(cluster) as client:
        client.wait_for_workers(WORKERS, timeout=120)
        figures = {"start s": time.monotonic() - began, "memory MiB": _memory(namespace)}
        if greedy:
            figures["well again s"] = _until_well(client)
        began = time.monotonic()
    return {**figures, "removal s": time.monotonic() - began}


def _memory(namespace: str) -> float:
    """Anonymous memory of a worker pod, its processes together."""
    kubectl = ("kubectl", "--namespace", namespace)
    selector = "--selector=app.kubernetes.io/component=worker"
    pods = common.run(*kubectl, "get", "pods", selector, "--output=name").split()
    script = "cat /sys/fs/cgroup/memory.stat 2>/dev/null || cat /sys/fs/cgroup/memory/memory.stat"
    taken = []
    for pod in pods:
        stat = common.run(*kubectl, "exec", pod, "--", "sh", "-c", script)
        taken.append(int(re.search(r"^(?:anon|total_rss) (\d+)$", stat, re.MULTILINE)[1]) / 2**20)  # type: ignore[index]
    return median(taken)


def _greedy() -> int:
    block: Any = []
    for _ in range(GREED // 64):
        block.append(b"x" * (64 << 20))
        time.sleep(0.02)  # slowly enough for a nanny to see it
    return len(block)


def _until_well(client: Client) -> float:
    """Seconds from a task that takes more memory than there is until all workers serve again."""
    known = set(client.nthreads())
    began = time.monotonic()
    future = client.submit(_greedy, pure=False, retries=0)
    with contextlib.suppress(KilledWorker):
        future.result(timeout=120)
    while True:
        present = set(client.nthreads())
        if len(present) == WORKERS and present != known:
            return time.monotonic() - began
        if time.monotonic() - began > WELL_TIMEOUT:
            sys.exit(f"{len(present)} of {WORKERS} workers are back after {WELL_TIMEOUT} s")
        time.sleep(0.1)  # between two looks


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=6)
    options = parser.parse_args()
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    with common.namespace() as namespace:
        for number in range(options.tries):
            common.say(f"nanny: try {number + 1} of {options.tries}")
            for nanny, figures in found.items():
                # One greedy try is enough, as it takes long: Dask tries a task on four workers before it gives up.
                figures.append(one_try(namespace, nanny=nanny, greedy=number == options.tries - 1))
    rows = []
    for name in ("start s", "memory MiB", "removal s", "well again s"):
        with_it, without = ([figures[name] for figures in found[nanny] if name in figures] for nanny in (True, False))
        spans = [f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})" for values in (with_it, without)]
        rows.append((name, *spans, median(with_it) / median(without)))
    common.show("A worker with and without a nanny", ["", "nanny", "no nanny", "ratio"], rows)


if __name__ == "__main__":
    main()

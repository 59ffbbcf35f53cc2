"""What clusters leave behind that are made and closed again and again.

One process makes a cluster, connects a client, and closes both, many times. Counted afterwards: Helm releases, Secrets
and other objects in Kubernetes, threads and sockets in Python, and how much memory has grown since the third time.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time

import psutil
from distributed import Client

from bench import common
from dask_kubernetes_helm import HelmCluster

#: Cycles after which what libraries keep for good is there.
WARM = 3
KINDS = "pods,deployments,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,roles,rolebindings"


def cycle(namespace: str) -> float:
    """Make a cluster, connect, close; seconds."""
    began = time.monotonic()
    settled = {"environment": "ci", "image": common.image(), "n_workers": 0, "quiet": True}
    with HelmCluster(namespace=namespace, **settled) as cluster, Client(cluster) as client:
        client.scheduler_info()
    return time.monotonic() - began


def kept() -> tuple[int, int, float]:
    """Threads, sockets and MiB of this process."""
    gc.collect()
    me = psutil.Process()
    return threading.active_count(), len(me.net_connections()), me.memory_info().rss / (1 << 20)


def count(namespace: str, kinds: str) -> int:
    """Objects in the namespace, but for Kubernetes' own."""
    names = common.run("kubectl", "--namespace", namespace, "get", kinds, "--output=name").split()
    return len(set(names) - {"configmap/kube-root-ca.crt", "serviceaccount/default"})


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=100)
    cycles = parser.parse_args().cycles
    with common.namespace() as namespace:
        for _ in range(WARM):
            cycle(namespace)
        before, taken = kept(), []
        for number in range(cycles):
            taken.append(cycle(namespace))
            common.say(f"cycles: {number + 1} of {cycles}: {taken[-1]:.1f} s, {kept()[2] - before[2]:+.1f} MiB")
        after = kept()
        rows = [
            ("Helm releases", len(common.run("helm", "list", "--all", "--short", "--namespace", namespace).split())),
            ("Secrets", count(namespace, "secrets")),
            ("other objects", count(namespace, KINDS)),
            ("threads", after[0] - before[0]),
            ("sockets", after[1] - before[1]),
            ("MiB of memory", after[2] - before[2]),
            ("seconds each", sum(taken) / len(taken)),
        ]
    common.show(f"Left after {cycles} cycles", ["", "left"], rows)


if __name__ == "__main__":
    main()

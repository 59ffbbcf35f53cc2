"""From nothing to the first result on two workers: KubeCluster against classic dask-kubernetes 2024.4.1, both local.

Each try is a process of its own with its own interpreter, timed once `distributed` is imported; both kinds take turns.
Both get the same pod template, and an address of this machine that pods reach; classic, which has no translation of
commands, gets `dask worker` in place of `dask-worker`.
"""

from __future__ import annotations

import argparse
import sys
import time

from distributed import Client

from bench import common
from tests.rig.settings import Settings

BOUND = 1.15
WORKERS = 2


def one_try(kind: str, namespace: str) -> float:
    """Seconds from the import of the package to the first result."""
    began = time.monotonic()
    if kind == "classic":
        from dask_kubernetes.classic import KubeCluster, make_pod_spec  # noqa: PLC0415 - each has its own interpreter
    else:
        from dask_kubernetes_helm import KubeCluster, make_pod_spec  # noqa: PLC0415
    pod = make_pod_spec(
        image=common.image(),
        threads_per_worker=1,
        cpu_request="50m",
        cpu_limit="1",
        memory_request="64M",
        memory_limit="512M",
    )
    if kind == "classic":
        pod.spec.containers[0].args[:1] = ["dask", "worker"]
    more = {} if kind == "classic" else {"quiet": True}
    where = {"namespace": namespace, "host": Settings.from_environment().gateway, "dashboard_address": ":0"}
    made = KubeCluster(pod, deploy_mode="local", n_workers=WORKERS, **where, **more)
    with made as cluster, Client(cluster) as client:
        client.wait_for_workers(WORKERS, timeout=120)
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        return time.monotonic() - began


def main() -> None:
    """Measure, or (as a child) do one try."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=7)
    parser.add_argument("--child", choices=["ours", "classic"])
    parser.add_argument("--namespace")
    options = parser.parse_args()
    if options.child:
        print(one_try(options.child, options.namespace))
        return
    from bench.elasticity import environments  # noqa: PLC0415 - the parent's only

    pythons = {"classic": str(environments.interpreter("classic.txt")), "ours": sys.executable}
    title = f"KubeCluster, first result on {WORKERS} workers (at most {BOUND} times)"
    common.in_turns("bench.kubecluster", pythons, options.tries, title)


if __name__ == "__main__":
    main()

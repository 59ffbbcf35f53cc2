"""What a HelmCluster costs that nobody uses: time of the CPU, and requests to the Kubernetes API.

A process of its own makes a cluster with two workers and sleeps; its CPU time and the requests are counted for some
minutes. Beside it, for comparison, the same with Dask's LocalCluster of processes, whose scheduler is in that process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from distributed import LocalCluster

from bench import common
from dask_kubernetes_helm import HelmCluster

SETTLED, VALUES = 10, {"worker": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}}


def _child(kind: str, namespace: str, seconds: float) -> None:
    """Measure in this process; prints percent of a core, and requests a minute."""
    if kind == "HelmCluster":
        cluster = HelmCluster(
            namespace=namespace, environment="ci", image=common.image(), n_workers=2, values=VALUES, quiet=True
        )
        cluster.wait_for_workers(2, timeout=120)
        calls = lambda: cluster._release.kube.calls  # noqa: E731, SLF001
    else:
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        calls = int
    time.sleep(SETTLED)
    used, asked, began = time.process_time(), calls(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    figures = 100 * (time.process_time() - used) / took, 60 * (calls() - asked) / took
    cluster.close()
    print(*figures)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--child")
    parser.add_argument("--namespace", default="")
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.namespace, options.seconds)
        return
    rows = []
    with common.namespace() as namespace:
        for kind in ("HelmCluster", "LocalCluster"):
            common.say(f"idle: {kind}, {options.seconds:.0f} s")
            command = [sys.executable, "-m", "bench.idle", "--child", kind, "--namespace", namespace]
            command += ["--seconds", str(options.seconds)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout
            rows.append((kind, *map(float, printed.split()[-2:])))
    common.show("Idle", ["", "% of a core", "requests a minute"], rows)


if __name__ == "__main__":
    main()

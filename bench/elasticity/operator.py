"""KubeCluster of dask-kubernetes 2026.3.0, with its operator in the cluster.

Given what it needs: `dask scheduler` and `dask worker` in place of commands that current Dask no longer installs. Given
what is best for it: no search for the Service by its cluster-internal name, which takes ten seconds from outside.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Callable

from dask_kubernetes.operator import KubeCluster, make_cluster_spec
from distributed import Client

from bench import common
from bench.elasticity import manifests

NAME = "peer"
#: Seconds without news after which a cluster that is Pending is told to be Running; see `_help`.
_PATIENCE = 0.5
#: Whether it had to be.
helped = threading.Event()


def start(namespace: str, workers: int) -> tuple[Client, Callable[[int], object]]:
    """A client of a new cluster, and its scale."""
    spec = make_cluster_spec(
        NAME,
        image=common.image(),
        n_workers=workers,
        resources=manifests.RESOURCES,
        worker_command=" ".join(["dask", "worker", *manifests.WORKER_OPTIONS]),
    )
    scheduler = spec["spec"]["scheduler"]["spec"]["containers"][0]
    scheduler["args"][:1] = ["dask", "scheduler"]
    scheduler["resources"] = manifests.SCHEDULER_RESOURCES
    ready = threading.Event()
    threading.Thread(target=_help, args=(namespace, ready), daemon=True).start()
    cluster = KubeCluster(custom_cluster_spec=spec, namespace=namespace, port_forward_cluster_ip=True, quiet=True)
    ready.set()
    return Client(cluster), cluster.scale


def _help(namespace: str, ready: threading.Event) -> None:
    """Lead the client out of a race of the operator's, in which it waits until it gives up.

    Two handlers write the phase, and where Pending comes last it stays: dask/dask-kubernetes#968.
    """
    kubectl = ("kubectl", "--namespace", namespace)
    watch = [*kubectl, "get", "daskclusters", "--watch", '--output=jsonpath={.status.phase}{"\\n"}']
    phases: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        threading.Thread(target=lambda: [phases.put(line.strip()) for line in process.stdout], daemon=True).start()
        phase = ""
        while not ready.is_set():
            with contextlib.suppress(queue.Empty):
                phase = phases.get(timeout=_PATIENCE)
                continue
            if phase == "Pending":
                patch = json.dumps({"status": {"phase": "Running"}})
                common.run(*kubectl, "patch", "daskcluster", NAME, "--type=merge", f"--patch={patch}")
                helped.set()
        process.terminate()

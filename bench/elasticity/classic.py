"""The classic KubeCluster of dask-kubernetes 2024.4.1, its scheduler in the Python process.

Its remote mode, the default, doesn't start with current libraries. Given what it needs: `dask worker` in place of the
command `dask-worker`, which current Dask no longer installs, and an address of this machine that pods reach.
"""

from __future__ import annotations

from collections.abc import Callable

from dask_kubernetes.classic import KubeCluster, make_pod_spec
from distributed import Client

from bench import common
from bench.elasticity import manifests
from tests.rig.settings import Settings


def start(namespace: str, workers: int) -> tuple[Client, Callable[[int], object]]:
    """A client of a new cluster, and its scale."""
    requests, limits = manifests.RESOURCES["requests"], manifests.RESOURCES["limits"]
    pod = make_pod_spec(
        image=common.image(),
        threads_per_worker=1,
        cpu_request=requests["cpu"],
        cpu_limit=limits["cpu"],
        memory_request=requests["memory"],
        memory_limit=limits["memory"],
    )
    pod.spec.containers[0].args[:1] = ["dask", "worker"]
    cluster = KubeCluster(
        pod,
        namespace=namespace,
        deploy_mode="local",
        n_workers=workers,
        host=Settings.from_environment().gateway,
        dashboard_address=":0",
    )
    return Client(cluster), cluster.scale

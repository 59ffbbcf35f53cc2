"""The same from a pod inside the cluster, under a Role that has just what it takes."""

from __future__ import annotations

from . import inside
from .conftest import Namespace

SCRIPT = """
import os
from dask_kubernetes_helm import HelmCluster
from distributed import Client
with HelmCluster(environment="ci", image=os.environ["IMAGE"], n_workers=1) as cluster, Client(cluster) as client:
    cluster.wait_for_workers(1, timeout=60)
    cluster.upgrade({"worker": {"annotations": {"example.com/a": "1"}}})
    print("ROUTE", cluster.connection.route, cluster.namespace, client.submit(sum, [1, 2]).result())
print("LEFT")
"""


def test_inside_the_cluster(namespace: Namespace, image: str) -> None:
    """With the pod's service account and the documented Role, DNS leads to the scheduler and all goes as outside."""
    inside.account(namespace, "helm")
    inside.start(namespace, image, SCRIPT)
    log = inside.log_at_end(namespace)
    assert f"ROUTE in-cluster DNS {namespace.name} 3" in log, log
    assert log.rstrip().endswith("LEFT"), log
    assert set() == namespace.objects()

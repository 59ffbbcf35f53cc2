"""HelmCluster of dask-kubernetes 2024.4.1, on a chart of plain Deployments.

It attaches to a release that `helm install` made. The Dask chart that it was written for is no Python package, so the
release is made of the same plain objects that kubectl is given here; what differs is who scales them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from dask_kubernetes import HelmCluster
from distributed import Client

from bench import common
from bench.elasticity import manifests


def start(namespace: str, workers: int) -> tuple[Client, Callable[[int], object]]:
    """A client of a new cluster, and its scale."""
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder)
        (chart / "templates").mkdir()
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: dask\nversion: 0.0.1\n")
        objects = manifests.plain(common.image(), workers)
        # It can't be attached to a scheduler that doesn't listen yet.
        probe = {"tcpSocket": {"port": 8786}, "periodSeconds": 1}
        objects[1]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
        (chart / "templates" / "objects.yaml").write_text("\n---\n".join(map(json.dumps, objects)))
        common.run("helm", "install", "dask", folder, "--namespace", namespace, "--wait", "--timeout=60s")
    cluster = HelmCluster(release_name="dask", namespace=namespace, port_forward_cluster_ip=True)
    return Client(cluster), cluster.scale

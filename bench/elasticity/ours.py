"""This project's HelmCluster, with its defaults."""

from __future__ import annotations

from collections.abc import Callable

from distributed import Client

from bench import common
from dask_kubernetes_helm import HelmCluster
from tests.cluster.workload import SMALL


def start(namespace: str, workers: int) -> tuple[Client, Callable[[int], object]]:
    """A client of a new cluster, and its scale."""
    cluster = HelmCluster(
        namespace=namespace,
        environment="ci",
        values=SMALL,
        n_workers=workers,
        image=common.image(),
        timeout=120,
        quiet=True,
    )
    return Client(cluster), cluster.scale

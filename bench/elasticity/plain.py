"""Deployments by `kubectl apply` and `kubectl scale`: what no tool on top can be faster than.

Given what is best for it: the scheduler is reached at its pod's own address.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from distributed import Client

from bench import common
from bench.elasticity import manifests


def start(namespace: str, workers: int) -> tuple[Client, Callable[[int], object]]:
    """A client of a new cluster, and its scale."""
    kubectl = ("kubectl", "--namespace", namespace)
    objects = {"apiVersion": "v1", "kind": "List", "items": manifests.plain(common.image(), workers)}
    common.run(*kubectl, "apply", "--filename=-", text=json.dumps(objects))
    find = ("get", "pods", "--selector=component=scheduler", "--output=jsonpath={.items[*].status.podIP}")
    deadline = time.monotonic() + 60
    while not (address := common.run(*kubectl, *find)):
        if time.monotonic() > deadline:
            raise TimeoutError("the scheduler's pod has no address after 60 s")
    client = Client(f"tcp://{address}:8786", timeout=60)
    return client, lambda n: common.run(*kubectl, "scale", "deployment/dask-worker", f"--replicas={n}")

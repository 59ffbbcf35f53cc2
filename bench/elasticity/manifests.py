"""What every peer is given: resources of a pod, and the plain objects of those that bring none of their own."""

from __future__ import annotations

from typing import Any

from tests.cluster.workload import SMALL

#: Of a worker pod; as text, which is all that the operator takes.
RESOURCES = {
    kind: {name: str(quantity) for name, quantity in quantities.items()}
    for kind, quantities in SMALL["worker"]["resources"].items()
}
#: Of a scheduler's; as in values/ci.yaml.
SCHEDULER_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
#: Dask's words for RESOURCES, for peers that don't derive them.
WORKER_OPTIONS = ["--nthreads=1", "--memory-limit=512MiB"]


def plain(image: str, workers: int) -> list[dict[str, Any]]:
    """A scheduler, its Service and workers, as one would write them by hand; named as the old HelmCluster expects."""
    scheduler = _deployment("scheduler", image, 1, ["dask", "scheduler"], SCHEDULER_RESOURCES)
    command = ["dask", "worker", "tcp://dask-scheduler:8786", *WORKER_OPTIONS]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "dask-scheduler"},
        "spec": {"selector": {"component": "scheduler"}, "ports": [{"name": "tcp-comm", "port": 8786}]},
    }
    return [service, scheduler, _deployment("worker", image, workers, command, RESOURCES)]


def _deployment(
    component: str, image: str, replicas: int, args: list[str], resources: dict[str, Any]
) -> dict[str, Any]:
    container = {"name": component, "image": image, "args": args, "resources": resources}
    labels = {"component": component}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"dask-{component}", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                # Kubernetes' variables for the Service would be taken for Dask's configuration.
                "spec": {"containers": [container], "enableServiceLinks": False},
            },
        },
    }

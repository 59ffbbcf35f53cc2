"""A manifest of the operator, converted and installed as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from distributed import Client

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.cli import main

from .conftest import Namespace

API = "kubernetes.dask.org/v1"


def role(image: str, *arguments: str, **container: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
    settled = {"name": "any", "image": image, "imagePullPolicy": "IfNotPresent", "resources": resources}
    return {"spec": {"containers": [{**settled, "args": list(arguments), **container}]}}


def manifest(image: str) -> list[dict[str, Any]]:
    """As the operator's documentation has them: a cluster, and a group with a resource of its own."""
    named = ("--name", "$(DASK_WORKER_NAME)")
    probe = {"httpGet": {"port": "http-dashboard", "path": "/health"}, "periodSeconds": 10}
    ports = [{"name": "tcp-comm", "containerPort": 8786}, {"name": "http-dashboard", "containerPort": 8787}]
    service = {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": "simple", "dask.org/component": "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": 8786, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": 80, "targetPort": "http-dashboard"},
        ],
    }
    variables = [{"name": "GREETING", "value": "I am $(DASK_WORKER_NAME)"}]
    dashboard = ("--dashboard", "--dashboard-address", "8788")
    worker = {"replicas": 1, **role(image, "dask-worker", *named, *dashboard, env=variables)}
    scheduler = {
        **role(image, "dask-scheduler", ports=ports, readinessProbe=probe, livenessProbe=probe),
        "service": service,
    }
    group = {"replicas": 1, **role(image, "dask", "worker", *named, "--resources", "GROUP=1")}
    return [
        {
            "apiVersion": API,
            "kind": "DaskCluster",
            "metadata": {"name": "simple"},
            "spec": {"idleTimeout": 0, "worker": worker, "scheduler": scheduler},
        },
        {
            "apiVersion": API,
            "kind": "DaskWorkerGroup",
            "metadata": {"name": "simple-special"},
            "spec": {"cluster": "simple", "worker": group},
        },
    ]


def test_a_converted_manifest_computes(
    make_cluster: Callable[..., HelmCluster], namespace: Namespace, image: str, tmp_path: Path
) -> None:
    """Its workers come up under its variables, its group apart from them with its own resource, and both compute."""
    source, output = tmp_path / "cluster.yaml", tmp_path / "values.yaml"
    source.write_text(yaml.safe_dump_all(manifest(image)))
    converted = CliRunner().invoke(main, ["convert", "--strict", str(source), "-o", str(output)])
    assert converted.exit_code == 0, converted.output
    cluster = make_cluster(environment=None, values=str(output))
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        assert client.submit(os.getenv, "GREETING", resources={"GROUP": 1}, pure=False).result(timeout=60) is None
        said = [words for words in client.run(os.getenv, "GREETING").values() if words]
    (pod,) = namespace.get("pods", "dask.org/worker-group=default")
    assert said == [f"I am {pod['metadata']['name']}"]
    (service,) = namespace.get("services")
    assert {port["port"] for port in service["spec"]["ports"]} == {8786, 80}

"""What is converted renders to what was meant, with Helm 3 and 4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dask_kubernetes_helm.cli import main
from tests.chart import helm
from tests.moving.convert import FILES, target

pytestmark = pytest.mark.helm
HELMS = pytest.mark.parametrize("program", ["helm", "helm3"])


def rendered(name: str, folder: Path, program: str) -> list[helm.Object]:
    """The objects of a file that is converted and given to helm as it is printed."""
    output = folder / "values.yaml"
    assert CliRunner().invoke(main, ["convert", str(FILES / name), "-o", str(output)]).exit_code == 0
    return helm.render(None, output, release="demo", helm=program)


def worker(objects: list[helm.Object], group: str = "default") -> tuple[helm.Object, dict[str, Any]]:
    """A group's Deployment, and its Dask container."""
    (found,) = (
        item
        for item in objects
        if item["kind"] == "Deployment" and item["metadata"]["labels"].get("dask.org/worker-group") == group
    )
    return found, found["spec"]["template"]["spec"]["containers"][0]


@HELMS
def test_dask_helm_chart(program: str, tmp_path: Path) -> None:
    """Names, Service, images, arguments and security are those that the file asks for; groups differ as they did."""
    objects = rendered("helm-chart.yaml", tmp_path, program)
    service = helm.one(objects, "Service", "scheduler")
    assert service["metadata"]["name"] == "analytics-scheduler"
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == {"tcp-comm": 8786, "http-dashboard": 80}
    assert (service["spec"]["type"], service["spec"]["loadBalancerIP"]) == ("LoadBalancer", "10.0.0.1")
    deployment, container = worker(objects)
    pod = deployment["spec"]["template"]["spec"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (5, {"type": "Recreate"})
    assert container["image"] == "ghcr.io/dask/dask:2025.11"
    assert "--nthreads=2" in container["args"]
    assert container["args"][-2:] == ["--worker-port", "4040"]
    assert pod["securityContext"] == {"runAsUser": 0}
    assert "securityContext" not in container
    assert pod["serviceAccountName"] == "s3-reader"
    assert pod["automountServiceAccountToken"] is True
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    gpu, container = worker(objects, "gpu-big")
    assert gpu["spec"]["replicas"] == 0
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "8Gi", "nvidia.com/gpu": "1"}
    assert "--resources=GPU=1" in container["args"]
    assert gpu["spec"]["template"]["spec"]["nodeSelector"] == {"accelerator": "a100"}
    _, container = worker(objects, "hi-mem")
    assert "--nthreads=4" in container["args"]
    assert container["resources"]["limits"]["memory"] == "64Gi"


@HELMS
def test_documented_defaults(program: str, tmp_path: Path) -> None:
    """dask/helm-chart's own defaults are this chart's pods, but for image and port."""
    objects = rendered("helm-chart-defaults.yaml", tmp_path, program)
    plain = helm.render({"image": {"tag": "2025.11.0"}, "webUI": {"servicePort": 80}}, helm=program)
    for component in ("scheduler", "worker"):
        assert helm.one(objects, "Deployment", component) == helm.one(plain, "Deployment", component)
    assert helm.one(objects, "Service", "scheduler") == helm.one(plain, "Service", "scheduler")


@HELMS
def test_dask_cluster(program: str, tmp_path: Path) -> None:
    """The workers adapt within the autoscaler's bounds; a group has nothing of the cluster's workers."""
    objects = rendered("daskcluster.yaml", tmp_path, program)
    deployment, container = worker(objects)
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "lab"
    assert [word for word in container["args"] if word.startswith("--name")] == ["--name=$(DASKHELM_POD_NAME)"]
    assert {"--nthreads=4", "--dashboard-address=:8788"} <= set(container["args"])
    names = [variable["name"] for variable in container["env"]]
    assert names.index("DASK_WORKER_NAME") < names.index("MY_NAME")
    group, container = worker(objects, "highmem")
    assert group["spec"]["replicas"] == 0
    assert "team" not in group["spec"]["template"]["metadata"]["labels"]
    assert {"--nthreads=$(DASKHELM_CPU_LIMIT)", "--dashboard-address=:8790", "--resources=MEMORY=64"} <= set(
        container["args"]
    )
    assert "MY_NAME" not in [variable["name"] for variable in container["env"]]
    service = helm.one(objects, "Service", "scheduler")
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert {port["port"] for port in service["spec"]["ports"]} == {8786, 80}


@HELMS
def test_worker_spec(program: str, tmp_path: Path) -> None:
    """Scheduler and workers have what KubeCluster gives both; the workers have the file's threads and memory."""
    objects = rendered("worker-spec.yml", tmp_path, program)
    _, container = worker(objects)
    assert {"--nthreads=2", "--memory-limit=6000000000", "--no-dashboard"} <= set(container["args"])
    for component in ("scheduler", "worker"):
        pod = helm.one(objects, "Deployment", component)["spec"]["template"]
        assert pod["metadata"]["labels"]["foo"] == "bar"
        assert pod["spec"]["containers"][0]["image"] == "ghcr.io/dask/dask:latest"
        assert [one["name"] for one in pod["spec"]["initContainers"]] == ["dask-packages"]


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"worker": {"nodeSelector": {"a": None}}}, True),
        ({"worker": {"groups": {"a": {"podLabels": {"b": None}}}}}, True),
        ({"worker": {"readinessProbe": None, "securityContext": {"runAsUser": None}}}, False),
        ({"worker": {"groups": {"a": {"threads_per_worker": None}}}}, False),
    ],
)
def test_nulls_are_judged_as_helm_does(values: dict[str, Any], refused: bool) -> None:
    """Null takes a default out; where there is none, it stays, and the schema decides."""
    assert bool(target().violations(values)) == refused
    if refused:
        assert "null" in helm.refusal(values)
    else:
        helm.render(values)

"""Two releases of three worker groups each in one namespace: nobody takes the other's pods, work or address."""

from __future__ import annotations

import json
from typing import Any

from distributed import Client

from dask_kubernetes_helm import HelmCluster, contract
from dask_kubernetes_helm.chartvalues.values import merge

from .conftest import Namespace, run, until
from .test_upgrading import CHART, named
from .workload import SMALL, workers

#: As long as Helm allows, and without the chart's name in it.
LONG = "as-long-as-helm-allows-names-of-releases-to-be-and-no"
GROUPS = {"worker": {"replicas": 1, "groups": {"first": {"replicas": 1}, "second": {"replicas": 1}}}}


def pods(namespace: Namespace, release: str, component: str) -> list[dict[str, Any]]:
    return namespace.get("pods", contract.selector(release, component))


def test_two_releases_of_three_groups(namespace: Namespace, image: str) -> None:
    """Each scheduler has its own release's workers, each Service its scheduler, and one's end is not the other's."""
    assert len(LONG) == 53
    values = merge(SMALL, GROUPS, {"image": named(image)})
    for release, more in ((LONG, {}), ("my-dask", {"fullnameOverride": "grid"})):
        command = ("helm", "install", release, str(CHART), "--namespace", namespace.name, "--values", "-")
        run(*command, text=json.dumps(merge(values, more)))
    names = {item["metadata"]["name"] for item in namespace.get("deployments")}
    groups = ("scheduler", "worker", "worker-first", "worker-second")
    assert {f"grid-{group}" for group in groups} <= names
    assert {f"{LONG}-scheduler", f"{LONG}-worker"} <= names
    assert len(names) == 8
    arguments: dict[str, Any] = {"namespace": namespace.name, "quiet": True, "timeout": 180}
    with (
        HelmCluster.from_name(LONG, **arguments) as one,
        HelmCluster.from_name("my-dask", **arguments) as two,
        Client(one) as first,
        Client(two) as second,
    ):
        clients = {LONG: first, "my-dask": second}
        until(lambda: [len(workers(client)) for client in clients.values()] == [3, 3], timeout=180)
        for release, client in clients.items():
            own = {pod["metadata"]["name"] for pod in pods(namespace, release, "worker")}
            assert {worker["name"] for worker in workers(client).values()} == own
            assert client.submit(sum, [1, 2], pure=False).result() == 3
        each_selects_its_own(namespace)
        one.scale(0, worker_group="first")
        until(lambda: len(workers(first)) == 2)
        assert len(workers(second)) == 3
        run("helm", "uninstall", LONG, "--namespace", namespace.name)
        until(lambda: not pods(namespace, LONG, "worker"), timeout=90)
        assert len(workers(second)) == 3
        assert second.submit(sum, [1, 2], pure=False).result() == 3


def each_selects_its_own(namespace: Namespace) -> None:
    """Every selector of Deployments takes one pod, and every Service leads to its release's scheduler alone."""
    for item in namespace.get("deployments"):
        labels = item["spec"]["selector"]["matchLabels"]
        (pod,) = namespace.get("pods", ",".join(f"{key}={value}" for key, value in labels.items()))
        (owner,) = pod["metadata"]["ownerReferences"]
        assert owner["name"].startswith(f"{item['metadata']['name']}-")
    for service in namespace.get("services"):
        release = service["metadata"]["labels"][contract.INSTANCE_LABEL]
        (scheduler,) = pods(namespace, release, "scheduler")
        slices = namespace.get("endpointslices", f"kubernetes.io/service-name={service['metadata']['name']}")
        found = [address for item in slices for point in item["endpoints"] for address in point["addresses"]]
        assert found == [scheduler["status"]["podIP"]]

"""The scheduler reached by each type of Service, at the ports that the values say."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.releases.release import Release

from .conftest import Namespace, run, until

NOBODY_PROVISIONS = 3


def exposed(kind: str, **scheduler: Any) -> dict[str, Any]:
    return {"scheduler": {"serviceType": kind, **scheduler}}


def computes(cluster: HelmCluster) -> bool:
    with Client(cluster) as client:
        return bool(client.submit(sum, range(10)).result(timeout=60) == 45)


def nodes() -> dict[str, str]:
    """Addresses of the nodes by name."""
    items = json.loads(run("kubectl", "get", "nodes", "--output=json"))["items"]
    return {
        item["metadata"]["name"]: address["address"]
        for item in items
        for address in item["status"]["addresses"]
        if address["type"] == "InternalIP"
    }


def scheduler_node(namespace: Namespace) -> str:
    (pod,) = namespace.get("pods", "app.kubernetes.io/component=scheduler")
    return nodes()[pod["spec"]["nodeName"]]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has clusters wait so many seconds for a load balancer."""

    def wait(seconds: float) -> None:
        reach = Release.reach

        async def patiently(
            self: Release, probe: Any, progress: Any, timeout: float, routing: Routing | None = None
        ) -> Any:
            wanted = dataclasses.replace(routing or Routing.configured(), load_balancer_timeout=seconds)
            return await reach(self, probe, progress, timeout, wanted)

        monkeypatch.setattr(Release, "reach", patiently)

    return wait


@pytest.fixture
def provider(namespace: Namespace) -> Iterator[list[str]]:
    """Plays a cloud: gives the Service a node's address once its scheduler is Ready; the addresses given."""
    given: list[str] = []
    ended = threading.Event()

    def is_ready(pod: dict[str, Any]) -> bool:
        conditions = pod["status"].get("conditions", [])
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def provide() -> None:
        deadline = time.monotonic() + 120
        while not given and not ended.wait(0.2) and time.monotonic() < deadline:
            pods = namespace.get("pods", "app.kubernetes.io/component=scheduler")
            if pods and all(map(is_ready, pods)):
                given.append(next(iter(nodes().values())))
                assign(namespace, given[0])

    thread = threading.Thread(target=provide)
    thread.start()
    yield given
    ended.set()
    thread.join()


def assign(namespace: Namespace, address: str, name: str = "") -> None:
    """Play a cloud that gives a Service, by default the only one, an address."""
    name = name or next(item["metadata"]["name"] for item in namespace.get("services"))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    namespace.kubectl("patch", "service", name, "--subresource=status", "--patch", json.dumps(status))


def test_nobody_provides_a_load_balancer(namespace: Namespace, make_cluster, patient) -> None:
    """Where no load balancer comes, the error says so within its time, and nothing is left of the release."""
    patient(NOBODY_PROVISIONS)
    began = time.monotonic()
    with pytest.raises(errors.LoadBalancerTimeoutError) as caught:
        make_cluster(values=exposed("LoadBalancer"), timeout=100)
    assert NOBODY_PROVISIONS < time.monotonic() - began < 60
    assert str(caught.value).startswith("Timed out waiting for Load Balancer to be provisioned")
    assert f"namespace {namespace.name}" in str(caught.value)
    assert namespace.objects() == set()


def test_a_load_balancer_that_comes_while_it_is_awaited(make_cluster, patient, provider: list[str]) -> None:
    """The scheduler is reached at the load balancer's address and the Service's own port, and computes."""
    patient(100)
    cluster = make_cluster(values=exposed("LoadBalancer", servicePort=9000))
    assert cluster.connection.route == "load balancer"
    assert cluster.connection.address == f"tls://{provider[0]}:9000"
    assert computes(cluster)


def test_a_load_balancer_that_nobody_awaits(namespace: Namespace, make_cluster) -> None:
    """HelmCluster doesn't wait: a port-forward leads there, which says why; who comes later uses the load balancer."""
    cluster = make_cluster(values=exposed("LoadBalancer"))
    assert cluster.connection.route == "port-forward"
    assert "no load balancer yet" in cluster.connection.reason
    assign(namespace, scheduler_node(namespace))

    def reached() -> bool:
        with HelmCluster.from_name(cluster.name, namespace=namespace.name, quiet=True) as later:
            return later.connection.route == "load balancer" and computes(later)

    until(reached)


def test_a_nodes_port(namespace: Namespace, make_cluster) -> None:
    """The scheduler is reached at the node that its pod is on, at the nodes' port, and computes."""
    cluster = make_cluster(values=exposed("NodePort", servicePort=9000))
    (service,) = namespace.get("services")
    (port,) = [item["nodePort"] for item in service["spec"]["ports"] if item["name"] == "tcp-comm"]
    assert cluster.connection.route == "node port"
    assert cluster.connection.address == f"tls://{scheduler_node(namespace)}:{port}"
    assert computes(cluster)


def test_a_port_of_the_services_own(make_cluster) -> None:
    """Another port of the Service changes nothing for a port-forward and for the workers."""
    cluster = make_cluster(values=exposed("ClusterIP", servicePort=9000))
    assert cluster.connection.route == "port-forward"
    assert computes(cluster)

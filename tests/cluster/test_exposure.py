"""A dashboard reached from outside: by a Service of its own, and by an Ingress under a path; and Gateway API's kind."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from dask_kubernetes_helm import HelmCluster
from tests.chart.helm import EVERYTHING, render
from tests.rig import gateway

from .conftest import Namespace, run, until
from .frontdoor import opened
from .test_routes import assign, computes, nodes, scheduler_node

HOST = "dask.example.com"
INGRESS = {"enabled": True, "hosts": [HOST]}


def get(url: str, host: str = "") -> tuple[int, str, str]:
    """Status, address after redirections, and text of a page."""

    async def ask() -> tuple[int, str, str]:
        headers = {"Host": host} if host else {}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, str(answer.url), await answer.text()

    return asyncio.run(ask())


def shows_dashboard(url: str, host: str = "") -> bool:
    status, _, text = get(url, host)
    return status == 200 and "Dask Diagnostic UI" in text


def streams(url: str, host: str) -> bool:
    """Whether a page's websocket opens, by which Bokeh draws."""

    async def ask() -> bool:
        headers, protocols = {"Host": host}, ("bokeh",)
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as page:
            token = (await page.text()).partition('"token":"')[2].partition('"')[0]
            socket = session.ws_connect(f"{url}/ws", headers=headers, protocols=(*protocols, token))
            async with socket as opened_socket:
                message = await opened_socket.receive(timeout=20)
                return message.type is aiohttp.WSMsgType.TEXT

    return asyncio.run(ask())


def test_under_a_path(namespace: Namespace, make_cluster) -> None:
    """The dashboard is at a node's port and behind an Ingress, under the path, and Python links to it."""
    webui: dict[str, Any] = {"prefix": "team/dask", "serviceType": "NodePort", "servicePort": 80}
    cluster = make_cluster(values={"webUI": webui}, n_workers=1)
    assert cluster.connection.route == "port-forward"
    (service,) = namespace.get("services", "app.kubernetes.io/component=dashboard")
    (port,) = service["spec"]["ports"]
    node = f"http://{scheduler_node(namespace)}:{port['nodePort']}"
    assert cluster.dashboard_link == f"{node}/team/dask/status"
    until(lambda: shows_dashboard(cluster.dashboard_link))
    assert get(f"{node}/team/dask/health")[::2] == (200, "ok")
    assert get(f"{node}/health")[0] == 404
    assert get(f"{node}/team/dask/")[1] == cluster.dashboard_link

    (before,) = namespace.get("pods", "app.kubernetes.io/component=scheduler")
    cluster.upgrade({"webUI": {"ingress": INGRESS}})
    (after,) = namespace.get("pods", "app.kubernetes.io/component=scheduler")
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    (ingress,) = namespace.get("ingresses")
    backend = (scheduler_node(namespace), port["nodePort"])
    names = (service["metadata"]["name"], port["name"])
    with opened(ingress, lambda *asked: {names: backend}[asked]) as door:
        page = f"http://127.0.0.1:{door}/team/dask/status"
        assert shows_dashboard(page, HOST)
        assert streams(page, HOST)
        assert get(f"http://127.0.0.1:{door}/status", HOST)[0] == 404
    with HelmCluster.from_name(cluster.name, namespace=namespace.name, quiet=True) as later:
        assert later.dashboard_link == f"http://{HOST}/team/dask/status"
        assert computes(later)


def test_a_load_balancer_for_the_dashboard_alone(namespace: Namespace, make_cluster) -> None:
    """Kubernetes takes all options; the comm stays inside, and Python links to the balancer once there is one."""
    options = {
        "allocateLoadBalancerNodePorts": False,
        "externalTrafficPolicy": "Local",
        "ipFamilyPolicy": "SingleStack",
        "loadBalancerClass": "example.com/played",
        "loadBalancerSourceRanges": ["0.0.0.0/0"],
        "sessionAffinity": "ClientIP",
        "sessionAffinityTimeout": 60,
    }
    cluster = make_cluster(values={"webUI": {"serviceType": "LoadBalancer", "servicePort": 8080, "service": options}})
    assert cluster.dashboard_link.startswith("http://127.0.0.1:")
    until(lambda: shows_dashboard(cluster.dashboard_link))
    (service,) = namespace.get("services", "app.kubernetes.io/component=dashboard")
    spec = service["spec"]
    assert {key: spec[key] for key in options if key != "sessionAffinityTimeout"}.items() <= options.items()
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 60}}
    assign(namespace, scheduler_node(namespace), service["metadata"]["name"])

    def linked() -> bool:
        with HelmCluster.from_name(cluster.name, namespace=namespace.name, quiet=True) as later:
            assert later.connection.route == "port-forward"
            link = later.dashboard_link
            return link == f"http://{scheduler_node(namespace)}:8080/status" and shows_dashboard(link)

    until(linked)
    assert set(nodes().values()).isdisjoint({cluster.connection.host})


@pytest.fixture
def http_route() -> Any:
    """A cluster that knows the Gateway API's HTTPRoute."""
    run("kubectl", "apply", "--server-side", "-f", str(gateway.http_routes()))
    until(lambda: "httproutes" in run("kubectl", "api-resources", "--api-group=gateway.networking.k8s.io"))
    yield
    run("kubectl", "delete", "crd/httproutes.gateway.networking.k8s.io")


def test_the_gateway_apis_kind(namespace: Namespace, http_route: None) -> None:
    """HTTPRoutes with all their values are what the Gateway API's own definition allows, down to the last field."""
    routes = [item for item in render({}, EVERYTHING) if item["kind"] == "HTTPRoute"]
    text = "\n---\n".join(map(json.dumps, routes))
    said = namespace.kubectl("apply", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-", text=text)
    accepted = [item["spec"]["parentRefs"] for item in json.loads(said)["items"]]
    assert [refs[0]["name"] for refs in accepted] == ["public", "public"]

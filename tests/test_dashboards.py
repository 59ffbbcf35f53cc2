"""Where a dashboard is seen: which link is shown, and the way to a dashboard that has a Service of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dask
import distributed
import pytest
import yaml

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.connections import dashboards, routing
from dask_kubernetes_helm.connections.connect import Connection, Router
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import FakeKube, pod, service

HOME = "127.0.0.1"
READY = {
    "containerStatuses": [{"name": "scheduler", "state": {"running": {}}}],
    "conditions": [{"type": "Ready", "status": "True"}],
    "hostIP": HOME,
}


def own(kind: str, port: int, *ingress: dict[str, str], node_port: int = 0) -> dict[str, Any]:
    """A dashboard's own Service as the API has it."""
    offered = service(kind, *ingress, port=1)
    offered["metadata"]["name"] = "r-dashboard"
    offered["spec"]["ports"] = [{"name": "http-dashboard", "port": port, "nodePort": node_port}]
    return offered


async def led(connection: Connection, offered: dict[str, Any], scheduler: dict[str, Any] | None = None) -> Connection:
    """A connection with its way to the dashboard; closed again."""
    kube = FakeKube(("ADDED", pod(**READY)))
    async with Watcher(kube, "r") as watcher:
        router = Router(kube, "r", scheduler or service(), Routing(), watcher, 10, Progress("r", quiet=True), _nothing)
        while not watcher.of("scheduler"):
            await asyncio.sleep(0)
        await dashboards.lead(connection, router, offered)
    await connection.close()
    return connection


def _nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "_TRIAL", 0.3)


@pytest.fixture
async def listening() -> AsyncIterator[int]:
    """A port that takes connections."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOME, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


# The link -----------------------------------------------------------------------------------------------


def test_what_dask_links_to_by_itself() -> None:
    """The template that no user has changed is Dask's own."""
    path = distributed.__file__.replace("__init__.py", "distributed.yaml")
    with open(path) as file:  # noqa: PTH123 - Dask's own name of it
        assert yaml.safe_load(file)["distributed"]["dashboard"]["link"] == routing.DASK_LINK


def test_the_releases_link() -> None:
    """A release's link is shown as it is, with host and port of the way there where it has fields for them."""
    assert routing.link("https://dask.example.com/status", "h", 1) == "https://dask.example.com/status"
    assert (
        routing.link("{scheme}://{host}:{port}/dask/status", "[2001:db8::7]", 80)
        == "http://[2001:db8::7]:80/dask/status"
    )
    with dask.config.set({"distributed.scheduler.dashboard.tls.cert": "cert.pem"}):
        assert routing.link("{scheme}://{host}:{port}/x", "h", 1) == "https://h:1/x"


def test_the_users_link_comes_first() -> None:
    """Who has a template of their own, a hub say, keeps it."""
    with dask.config.set({"distributed.dashboard.link": "/user/ada/proxy/{port}/status"}):
        assert routing.link("https://dask.example.com/status", "h", 1) == ""


@pytest.mark.parametrize("template", ["", "javascript:alert(1)", "//evil.example.com", "{SECRET}"])
def test_links_that_are_none(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no URL of a page is not shown."""
    monkeypatch.setenv("SECRET", "https://x")
    assert routing.link(template, "h", 1) == ""


def test_no_secret_gets_into_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may annotate a Service can't have a reader's environment sent somewhere."""
    monkeypatch.setenv("SECRET", "s3cr3t")
    assert "s3cr3t" not in routing.link("https://evil.example.com/{SECRET}/{host.__class__}", "h", 1)


# The way ------------------------------------------------------------------------------------------------


async def test_beside_the_comm() -> None:
    """Without a Service of its own the dashboard is where the scheduler is; the Service's annotation is its link."""
    scheduler = service()
    scheduler["metadata"]["annotations"] = {"dask.org/dashboard-link": "https://d.example.com/status"}
    connection = await led(Connection("load balancer", "", "192.0.2.7", 8786, 80), {}, scheduler)
    assert connection.dashboard == ("192.0.2.7", 80)
    assert connection.link == "https://d.example.com/status"


async def test_inside_by_its_name() -> None:
    """In a pod its Service's name leads there, whatever the type."""
    connection = await led(Connection("in-cluster DNS", "", "r-scheduler.lab.svc", 8786, 0), own("LoadBalancer", 80))
    assert connection.dashboard == ("r-dashboard.lab.svc", 80)


async def test_by_its_load_balancer(listening: int) -> None:
    """Its load balancer leads there, while the comm goes another way."""
    connection = await led(Connection("port-forward", "", HOME, 1, 2), own("LoadBalancer", listening, {"ip": HOME}))
    assert connection.dashboard == (HOME, listening)


async def test_by_a_nodes_port(listening: int) -> None:
    """The node that the scheduler's pod is on leads there."""
    connection = await led(Connection("port-forward", "", HOME, 1, 2), own("NodePort", 80, node_port=listening))
    assert connection.dashboard == (HOME, listening)


@pytest.mark.parametrize(
    "offered",
    [
        own("ClusterIP", 80),
        own("LoadBalancer", 80),
        own("LoadBalancer", 1, {"ip": HOME}),
        own("NodePort", 80, node_port=1),
    ],
    ids=["inside only", "no load balancer yet", "deaf load balancer", "deaf node"],
)
async def test_by_a_port_forward(offered: dict[str, Any]) -> None:
    """Where no address of it leads there, a port-forward does: the comm's companion, or one of its own."""
    beside = await led(Connection("port-forward", "", HOME, 1, 2, tunnels=[_Held()]), offered)  # type: ignore[list-item]
    assert beside.dashboard == (HOME, 2)
    alone = await led(Connection("load balancer", "", "192.0.2.7", 8786, 0), offered)
    assert alone.host == "192.0.2.7"
    assert alone.dashboard_host == HOME
    assert alone.dashboard_port > 1


class _Held:
    """A port-forward that is there."""

    async def close(self) -> None:
        """End."""


# The release that is meant ------------------------------------------------------------------------------


def test_which_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """from_name means the release that is named, else the configured one, else it says what is missing."""
    made: list[Any] = []
    monkeypatch.setattr(HelmCluster, "__init__", lambda self, name, **_: made.append(name))
    monkeypatch.setattr(HelmCluster, "__del__", lambda self: None, raising=False)
    with dask.config.set({"kubernetes.release": "dask"}):
        HelmCluster.from_name()
        HelmCluster.from_name("other")
    assert made == ["dask", "other"]
    with pytest.raises(errors.InvalidArgumentError, match=r"kubernetes\.release"):
        HelmCluster.from_name()

"""Connections that heal: a client computes on while the way to its scheduler is cut, still, or refused."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from distributed import Client, wait
from distributed.client import FutureCancelledError

from dask_kubernetes_helm import HelmCluster

from .conftest import Namespace, fresh_namespace, until
from .faults import FORWARD, Proxy
from .workload import SMALL, connections

CUTS, TASKS = 20, 800
#: Seconds that a connection may take to be there again once it can be; several times what it takes.
HEALED = 5
#: Seconds that the API server is away for.
AWAY = 60


def square(number: int) -> int:
    time.sleep(0.02)
    return number * number


# The pods don't have the tests, and what is of `__main__` is sent to them whole.
square.__module__ = "__main__"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.fixture(scope="module")
def space() -> Iterator[Namespace]:
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(proxy: Proxy, space: Namespace, image: str) -> Iterator[HelmCluster]:
    """A cluster all of whose ways go through the proxy; helm's do not."""
    settled = {"namespace": space.name, "quiet": True, "timeout": 120}
    with (
        HelmCluster(environment="ci", image=image, n_workers=2, values=SMALL, **settled) as installed,
        HelmCluster.from_name(installed.name, auth=proxy.auth, **settled) as made,
    ):
        made.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture
def client(cluster: HelmCluster, proxy: Proxy) -> Iterator[Client]:
    with Client(cluster) as made:
        yield made
    proxy.heal()


def test_a_computation_outlives_cuts(cluster: HelmCluster, client: Client, proxy: Proxy) -> None:
    """Twenty cuts and three API servers that are away for a second: the result is right, and the client never knew."""
    before, health = connections(client), cluster.connection.health
    futures = client.map(square, range(TASKS), pure=False)
    total = client.submit(sum, futures)
    for number in range(CUTS + 3):
        seen = health.reconnections
        proxy.go_away(1 if number >= CUTS else 0)
        until(lambda seen=seen: health.reconnections > seen and health.state == "open", 30)
    assert total.result(timeout=120) == sum(number * number for number in range(TASKS))
    assert connections(client) == before
    assert cluster.connection.state == "open"
    assert cluster.connection.reconnections >= CUTS


def test_a_paused_api(cluster: HelmCluster, client: Client, proxy: Proxy) -> None:
    """An API server that says nothing for 20 s: who connects meanwhile waits, and all of it goes on afterwards."""
    future = client.submit(square, 7, pure=False)
    wait(future)
    proxy.pause(20)
    began = time.monotonic()
    with Client(cluster) as late:
        assert late.submit(square, 8, pure=False).result(timeout=60) == 64
    assert 15 < time.monotonic() - began < 20 + 5 * HEALED
    assert future.result(timeout=30) == 49
    until(lambda: cluster.connection.state == "open", HEALED)


def test_an_api_that_is_away(cluster: HelmCluster, client: Client, proxy: Proxy) -> None:
    """Away for a minute: work goes on, the widget says so in plain words, and it heals within 5 s of its return."""
    futures = client.map(square, range(200), pure=False)
    back = time.monotonic() + AWAY
    proxy.go_away(AWAY)
    until(lambda: cluster.connection.state == "reconnecting", 10)
    until(lambda: "Kubernetes API unreachable since" in cluster._repr_html_(), 10)
    assert cluster.connection.error
    until(lambda: cluster.connection.state == "open", AWAY + HEALED)
    assert 0 <= time.monotonic() - back <= HEALED
    assert client.gather(futures) == [number * number for number in range(200)]
    assert "reconnected" in cluster._repr_html_()


def test_a_token_that_has_ended(cluster: HelmCluster, client: Client, proxy: Proxy) -> None:
    """Credentials that are refused once are read anew, and the connection comes back by them."""
    seen = cluster.connection.reconnections
    refused = proxy.breaks(FORWARD, 401, 1)
    proxy.go_away(0)
    until(lambda: cluster.connection.reconnections > seen, 30)
    assert refused.hits == 1
    assert client.submit(square, 3, pure=False).result(timeout=30) == 9


def test_another_scheduler(cluster: HelmCluster, client: Client, space: Namespace) -> None:
    """A new pod is reached at the same local port; results of the old one are lost with an error that says so."""
    address, future = cluster.scheduler_address, client.submit(square, 5, pure=False)
    wait(future)
    space.kubectl("delete", "pod", "--selector=app.kubernetes.io/component=scheduler", "--wait=false")
    with pytest.raises(FutureCancelledError, match="lost the connection to the scheduler"):
        until(lambda: future.cancelled() and future.result(timeout=1), 60)
    until(lambda: len(cluster.scheduler_info["workers"]) == 2, 90)
    assert client.submit(square, 6, pure=False).result(timeout=60) == 36
    assert cluster.scheduler_address == address
    until(lambda: cluster.connection.state == "open", HEALED)

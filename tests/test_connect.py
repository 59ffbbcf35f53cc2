"""The route to the scheduler: which one is taken, when, why, and by which ports."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.connections import connect
from dask_kubernetes_helm.connections.connect import Connection, Router
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import FakeKube, pod, service, waiting

HOME = "127.0.0.1"
RUNNING = {"containerStatuses": [{"name": "scheduler", "state": {"running": {}}}], "hostIP": HOME}
READY = {**RUNNING, "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests run outside of a cluster unless they say otherwise, and wait less."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(connect, "_TRIAL", 0.3)
    monkeypatch.setattr(connect, "_ATTEMPT", 0.1)
    monkeypatch.setattr(connect, "_INTERVAL", 0.02)
    monkeypatch.setattr(connect, "_DNS_INTERVAL", 0.0)


@contextlib.asynccontextmanager
async def routed(kube: FakeKube, offered: dict[str, Any], wanted: Routing | None = None) -> AsyncIterator[Connection]:
    """The route that is taken; given up afterwards."""
    async with Watcher(kube, "r") as watcher:
        progress = Progress("r", quiet=True)
        router = Router(
            kube, "r", offered, wanted or Routing(), watcher=watcher, timeout=10, progress=progress, tick=lambda: None
        )
        connection = await router.connect()
        yield connection
        await connection.close()


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Runs the test in a pod whose DNS knows names at the nth question; the names that were asked for."""

    def answering_at(nth: int) -> list[str]:
        asked: list[str] = []

        async def getaddrinfo(host: str, port: int | None) -> list[Any]:
            asked.append(host)
            if len(asked) < nth:
                raise socket.gaierror(socket.EAI_NONAME, "unknown")
            return []

        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked

    return answering_at


# By DNS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
async def test_in_a_pod_the_name_leads_there(dns, kind: str) -> None:
    """In a pod any type of Service is reached by its name, at its own ports, and nothing is awaited."""
    asked = dns(1)
    offered = service(kind, port=9000, node_port=30001)
    async with routed(FakeKube(), offered, Routing(load_balancer_timeout=0)) as connection:
        assert connection.route == "in-cluster DNS"
        assert connection.address == "tcp://r-scheduler.lab.svc:9000"
        assert connection.dashboard_port == 80
    assert asked == ["r-scheduler.lab.svc"]


async def test_the_name_is_looked_for_again(dns) -> None:
    """A name that the DNS learns late is found, if there are as many questions."""
    asked = dns(3)
    async with routed(FakeKube(), service(), Routing(resolutions=3)) as connection:
        assert connection.route == "in-cluster DNS"
    assert len(asked) == 3


async def test_a_name_that_is_not_found(dns) -> None:
    """After the last question there is a port-forward, which says why."""
    asked = dns(3)
    async with routed(FakeKube(), service(), Routing(resolutions=2)) as connection:
        assert connection.route == "port-forward"
        assert "DNS does not know r-scheduler.lab.svc" in connection.reason
    assert len(asked) == 2


# By a load balancer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ingress", "host"),
    [
        ({"ip": "192.0.2.7"}, "192.0.2.7"),
        ({"hostname": "lb.example.org", "ip": "192.0.2.7"}, "lb.example.org"),
        ({"ip": "2001:db8::7"}, "[2001:db8::7]"),
    ],
)
async def test_a_load_balancer_is_awaited(ingress: dict[str, str], host: str) -> None:
    """Once the Service has an ingress, its name or address is used, with the Service's own ports."""
    offered, changed = service("LoadBalancer", port=9000), service("LoadBalancer", ingress, port=9000)
    kube = FakeKube(services=[("ADDED", offered), ("MODIFIED", changed)])
    async with routed(kube, offered, Routing(load_balancer_timeout=10)) as connection:
        assert connection.route == "load balancer"
        assert connection.address == f"tcp://{host}:9000"
        assert connection.dashboard_port == 80


async def test_no_load_balancer_in_time() -> None:
    """The error has classic dask-kubernetes' words, which release it is, and what to do."""
    offered = service("LoadBalancer")
    with pytest.raises(errors.LoadBalancerTimeoutError) as caught:
        await _hold(FakeKube(), offered, Routing(load_balancer_timeout=0.2))
    message = str(caught.value)
    assert message.startswith("Timed out waiting for Load Balancer to be provisioned")
    for words in ("release r, namespace lab", "kubectl describe service r-scheduler", "ClusterIP", "timeout"):
        assert words in message
    assert isinstance(caught.value, TimeoutError)


async def test_zero_awaits_a_load_balancer_as_long_as_it_takes() -> None:
    """A time of 0 is no time that can be over."""
    with pytest.raises(asyncio.TimeoutError) as caught:
        await asyncio.wait_for(_hold(FakeKube(), service("LoadBalancer"), Routing(load_balancer_timeout=0)), 0.5)
    assert not isinstance(caught.value, errors.HelmClusterError)


async def _hold(kube: FakeKube, offered: dict[str, Any], wanted: Routing | None = None) -> None:
    async with routed(kube, offered, wanted):
        pass


async def test_a_pod_that_cannot_start_ends_the_wait_for_a_load_balancer() -> None:
    """A terminal cause is told at once, not after the load balancer's time."""
    kube = FakeKube(("ADDED", pod(containerStatuses=[waiting("ImagePullBackOff")])))
    with pytest.raises(errors.ImagePullError):
        await _hold(kube, service("LoadBalancer"), Routing(load_balancer_timeout=60))


async def test_a_load_balancer_that_nobody_awaits() -> None:
    """Without a time for it, a Service that has no load balancer yet is reached by a port-forward, which says why."""
    async with routed(FakeKube(), service("LoadBalancer")) as connection:
        assert connection.route == "port-forward"
        assert "no load balancer yet" in connection.reason


async def test_a_load_balancer_that_is_there(listening: int) -> None:
    """Without a time for it, one that is there is used if it takes connections."""
    offered = service("LoadBalancer", {"ip": HOME}, port=listening)
    async with routed(FakeKube(("ADDED", pod(**READY))), offered) as connection:
        assert (connection.route, connection.address) == ("load balancer", f"tcp://{HOME}:{listening}")


# By a node's port ---------------------------------------------------------------------------------------


@pytest.fixture
async def listening() -> AsyncIterator[int]:
    """A port that takes connections."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOME, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
def closed() -> int:
    """A port that takes none."""
    with socket.socket() as free:
        free.bind((HOME, 0))
        return int(free.getsockname()[1])


async def test_the_port_of_the_pods_node(listening: int) -> None:
    """The address is that of the node which the pod is on, and the ports are the nodes', not the Service's."""
    kube = FakeKube(("ADDED", pod()), ("MODIFIED", pod(**RUNNING)))
    async with routed(kube, service("NodePort", node_port=listening), Routing(scheme="tls")) as connection:
        assert (connection.route, connection.address) == ("node port", f"tls://{HOME}:{listening}")
        assert connection.dashboard_port == listening + 1


async def test_a_node_that_cannot_be_reached(closed: int) -> None:
    """Where no connection can be made although the scheduler listens, there is a port-forward, which says why."""
    async with routed(FakeKube(("ADDED", pod(**READY))), service("NodePort", node_port=closed)) as connection:
        assert connection.route == "port-forward"
        assert f"{HOME}:{closed} takes no connection" in connection.reason


async def test_a_scheduler_that_does_not_listen_yet(closed: int) -> None:
    """No node is given up before the scheduler listens."""
    kube = FakeKube(("ADDED", pod(**RUNNING)))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_hold(kube, service("NodePort", node_port=closed)), 1)


# By the user's word -------------------------------------------------------------------------------------


async def test_an_address_that_was_told(listening: int, dns) -> None:
    """An address comes before all that could be found out, in a pod as well, and the reason names the key."""
    asked = dns(1)
    wanted = Routing(address=f"{HOME}:{listening}", scheme="tls")
    async with routed(FakeKube(("ADDED", pod(**RUNNING))), service("NodePort", node_port=1), wanted) as connection:
        assert (connection.route, connection.address) == ("address", f"tls://{HOME}:{listening}")
        assert "kubernetes.scheduler-address" in connection.reason
    assert asked == []


async def test_nobody_at_the_address(closed: int) -> None:
    """Where nothing answers there although the scheduler is Ready, that is an error with address and key."""
    with pytest.raises(errors.SchedulerUnreachableError, match=rf"{HOME}:{closed}.*scheduler-address.*release r"):
        await _hold(FakeKube(("ADDED", pod(**READY))), service(), Routing(address=f"tcp://{HOME}:{closed}"))


@pytest.mark.parametrize("wrong", ["here", "http://here:80", "a b:1", "::1:80", "here:", 8786])
def test_what_is_no_address(wrong: Any) -> None:
    """Something else than a host and a port is refused with the key and an example."""
    with pytest.raises(errors.InvalidArgumentError, match="scheduler-address"):
        Routing(address=wrong)


def test_an_address_for_each_release() -> None:
    """One setting does for many releases; IPv6 has its brackets."""
    assert Routing(address="{release}.{namespace}.example.org:80").place("r", "lab") == ("r.lab.example.org", 80)
    assert Routing(address="tls://[2001:db8::7]:8786").place("r", "lab") == ("2001:db8::7", 8786)


# By a port-forward --------------------------------------------------------------------------------------


async def test_a_port_forward_has_the_asked_for_ports(closed: int) -> None:
    """Outside, a ClusterIP Service is reached by a port-forward at the local ports that were asked for."""
    async with routed(FakeKube(), service(), Routing(comm_port=closed, scheme="tls")) as connection:
        assert (connection.route, connection.address) == ("port-forward", f"tls://{HOME}:{closed}")
        assert connection.reason == "this process runs outside the cluster"


async def test_a_taken_port_leaves_no_other_open(listening: int, closed: int) -> None:
    """When the second local port is taken, the first one is given back."""
    with pytest.raises(errors.PortInUseError, match=str(listening)):
        await _hold(FakeKube(), service(), Routing(comm_port=closed, dashboard_port=listening))
    with pytest.raises(OSError):
        await asyncio.open_connection(HOME, closed)


async def test_a_service_without_the_comms_name(dns) -> None:
    """A Service whose ports have other names is not guessed at."""
    dns(1)
    offered = service()
    offered["spec"]["ports"][0]["name"] = "comm"
    async with routed(FakeKube(), offered) as connection:
        assert connection.route == "port-forward"
        assert "no port that is named tcp-comm" in connection.reason


# What was asked for -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "many", None])
def test_a_wrong_number_of_questions(wrong: Any) -> None:
    """Fewer than one question to the DNS, or no number, is refused with the key that says it."""
    with pytest.raises(errors.InvalidArgumentError, match="scheduler-service-name-resolution-retries"):
        Routing(resolutions=wrong)


@pytest.mark.parametrize("wrong", [-1, "soon", float("nan")])
def test_a_wrong_time_for_a_load_balancer(wrong: Any) -> None:
    """A time before now, or no time, is refused with the key that says it."""
    with pytest.raises(errors.InvalidArgumentError, match="scheduler-service-wait-timeout"):
        Routing(load_balancer_timeout=wrong)


def test_what_is_not_asked_for_is_configured() -> None:
    """Ports and questions come from Dask's configuration, where they aren't given; a load balancer isn't awaited."""
    import dask

    assert Routing.configured() == Routing(resolutions=20)
    with dask.config.set({"kubernetes.scheduler-forward-port": 7, "kubernetes.dashboard-forward-port": 8}):
        assert Routing.configured(dashboard_port=9, resolutions=2) == Routing(7, 9, resolutions=2)
    assert dask.config.get("kubernetes.scheduler-service-wait-timeout") == 30

"""An API server that takes connections and never answers: whatever is called ends, with an error that says so."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import psutil
import pytest

from dask_kubernetes_helm import HelmCluster, contract, errors
from dask_kubernetes_helm.auth import KubeAuth
from dask_kubernetes_helm.helmcli.helm import Helm
from dask_kubernetes_helm.kubeapi import transport

from .conftest import Namespace
from .faults import Proxy
from .workload import SMALL

pytestmark = pytest.mark.alone

#: Seconds that a call may take beyond its own time.
GRACE = 2
#: Seconds that one request may take, and one helm.
REQUEST, HELM = 3, 3
#: Seconds for which a scheduler is asked.
ANSWER = 10


@pytest.fixture
def mute() -> Iterator[KubeAuth]:
    """A server whose kernel accepts connections, and nobody else does."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield KubeAuth(f"http://127.0.0.1:{server.getsockname()[1]}")


def helms() -> list[str]:
    """The helm processes of this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(child.name())
    return [name for name in found if "helm" in name]


def ended(call: Callable[[], Any], limit: float) -> str:
    """What a call says that has to end in time, and in vain."""
    began = time.monotonic()
    with pytest.raises((errors.HelmClusterError, TimeoutError)) as caught:
        call()
    took = time.monotonic() - began
    said = f"{took:.1f} of {limit} s: {caught.value!r}"
    print(said)
    assert took <= limit + GRACE, said
    assert helms() == []
    return said


@pytest.mark.parametrize("make", [HelmCluster, HelmCluster.from_name])
def test_nothing_starts(mute: KubeAuth, image: str, make: Callable[..., Any]) -> None:
    """Creating and attaching end within their timeout, with the address that does not answer."""
    more = {"environment": "ci", "image": image} if make is HelmCluster else {}
    said = ended(lambda: make("quiet", namespace="lab", auth=mute, timeout=3, quiet=True, **more), 3)
    assert "ApiUnreachableError" in said
    assert "no answer in time" in said
    assert "http://127.0.0.1:" in said


async def test_helm_ends(mute: KubeAuth, tmp_path) -> None:
    """Each call of helm ends within kubernetes.helm.timeout, names it, and leaves no process."""
    helm = await Helm.find(await mute.load(), "lab", None, HELM)
    chart, calls = contract.chart_path(), 0
    for call in (
        lambda: helm.install("r", chart, {}, {"a": "b"}),
        lambda: helm.upgrade("r", chart, {}),
        lambda: helm.uninstall("r"),
        lambda: helm.values("r"),
        lambda: helm.manifest("r"),
        lambda: helm.rendered("r", chart, {}, upgrade=False),
    ):
        began = time.monotonic()
        with pytest.raises(errors.HelmClusterError) as caught:
            await call()
        print(f"{time.monotonic() - began:.1f} s: {caught.value}")
        assert time.monotonic() - began <= HELM + GRACE
        assert helms() == []
        calls += 1
    assert calls == 6


def test_a_cluster_whose_api_falls_silent(make_cluster, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verb ends within its timeout, or that of one request; so does closing."""
    monkeypatch.setattr(transport, "REQUEST_TIMEOUT", REQUEST)
    own = make_cluster(n_workers=1, values=SMALL)
    own.wait_for_workers(1, timeout=60)
    with Proxy() as proxy, dask.config.set({"kubernetes.helm.timeout": HELM}):
        cluster = HelmCluster.from_name(own.name, namespace=namespace.name, auth=proxy.auth, quiet=True)
        proxy.pause(600)
        for call, limit in (
            (lambda: cluster.wait_for_workers(2, timeout=3), 3),
            (cluster.get_logs, REQUEST),
            (cluster.events, REQUEST),
            (cluster.startup_report, ANSWER + REQUEST),
            (cluster.diagnose, ANSWER + REQUEST),
            (cluster.lost_workers, ANSWER + REQUEST),
            (cluster.permissions, REQUEST),
            (cluster.scaling_history, ANSWER),
            (lambda: cluster.upgrade({"worker": {"annotations": {"a": "b"}}}), HELM),
            (lambda: cluster.close(timeout=5), 5),
        ):
            ended(call, limit)

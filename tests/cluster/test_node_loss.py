"""A node that is lost, and an API server that is away for all: on a cluster of its own, as others would suffer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from distributed import Client, wait

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.auth import KubeConfig
from tests.rig import controlplane
from tests.rig.settings import Settings

from .conftest import until
from .test_leaving import SPREAD
from .workload import SMALL, array, connections, recomputed, retired, start_noted, started, workers

pytestmark = [pytest.mark.rig, pytest.mark.timeout(600)]
FOURTH = Settings(3)


def rig(command: str) -> None:
    environment = {**os.environ, "RIG_INSTANCE": str(FOURTH.instance)}
    done = subprocess.run([sys.executable, "-m", "tests.rig", command], env=environment, check=False, timeout=600)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def fourth() -> Iterator[Settings]:
    rig("up")
    yield FOURTH
    rig("down")


@pytest.fixture
def make(fourth: Settings, image: str) -> Iterator[Callable[..., HelmCluster]]:
    """Makes clusters whose scheduler is on the first node, and whose releases go with the Kubernetes cluster."""
    made: list[HelmCluster] = []
    spread = {
        "scheduler": {"nodeSelector": {"kubernetes.io/hostname": "node-1"}},
        "worker": {"topologySpreadConstraints": [SPREAD]},
    }

    def make(n_workers: int) -> HelmCluster:
        auth = KubeConfig(fourth.kubeconfig)
        namespace = f"test-{uuid.uuid4().hex[:8]}"
        controlplane.kubectl(fourth, "create", "namespace", namespace)
        settled: dict[str, Any] = {"namespace": namespace, "environment": "ci", "image": image, "quiet": True}
        values = [SMALL, spread]
        made.append(HelmCluster(n_workers=n_workers, values=values, auth=auth, shutdown_on_close=False, **settled))
        made[-1].wait_for_workers(n_workers, timeout=120)
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    """Runs a call beside the test, whose error is the test's."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_api_server_away_for_all(
    make: Callable[..., HelmCluster], fourth: Settings, background: ThreadPoolExecutor
) -> None:
    """The API server is killed in the middle of a shrink and is back after 30 s: it goes on, and nothing is lost.

    Kubernetes' own controllers are blind for a while afterwards and may delete others than those that were emptied.
    """
    cluster = make(4)
    (server,) = (daemon for daemon in controlplane.daemons(fourth) if daemon.name == "kube-apiserver")
    with Client(cluster) as client:
        results = client.map(array, range(40), pure=False)
        wait(results)
        # A client's own futures end with the port-forward.
        client.publish_dataset(results=results)
        shrinking = background.submit(cluster.scale, 2)
        until(lambda: retired(client) > 0)
        server.signal(signal.SIGKILL)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 30)
    server.start()
    shrinking.result(90)
    with Client(cluster) as client:
        # Kubernetes' own controllers come back to the API server up to a minute after it is there again.
        until(lambda: len(workers(client)) == 2, timeout=120)
        assert [int(value[0]) for value in client.gather(client.get_dataset("results"))] == list(range(40))
        assert recomputed(client) == 0
        until(lambda: retired(client) == 0)
        first, *mended = cluster.scaling_history()
        assert (first["outcome"], first["to"], len(first["left"])) == ("done", 2, 2)
        assert all(entry["outcome"] == "mended" for entry in mended)


def test_an_api_server_that_restarts(make: Callable[..., HelmCluster], fourth: Settings) -> None:
    """It is killed and started again three times in one computation: the client never knew, and each task ran once."""
    cluster = make(2)
    (server,) = (daemon for daemon in controlplane.daemons(fourth) if daemon.name == "kube-apiserver")
    health = cluster.connection.health
    with Client(cluster) as client:
        before = connections(client)
        futures = client.map(start_noted, range(600), seconds=0.1, pure=False)
        for _ in range(3):
            seen = health.reconnections
            server.signal(signal.SIGKILL)
            until(lambda: server.pid() is None)
            server.start()
            until(lambda seen=seen: health.reconnections > seen and health.state == "open", 60)
        assert not all(future.done() for future in futures), "it was too short to tell anything"
        assert client.gather(futures) == list(range(600))
        assert started(client) == list(range(600))
        assert connections(client) == before
    cluster.scale(1)


def test_a_lost_node(make: Callable[..., HelmCluster], fourth: Settings) -> None:
    """The second node vanishes with its worker: that is noticed and told, and every result is right."""
    cluster = make(2)
    with Client(cluster) as client:
        futures = client.map(start_noted, range(100), seconds=0.2, pure=False)
        until(lambda: len(started(client)) > 20)
        subprocess.run(["ip", "link", "delete", fourth.nodes[1].link], check=True)
        until(lambda: len(workers(client)) == 1, timeout=90)
        assert client.gather(futures) == list(range(100))
    losses = until(lambda: [loss for loss in cluster.lost_workers() if loss.reason == "NodeGone"], timeout=120)
    assert len({loss.pod for loss in losses}) == 1
    assert errors.NodeLostError in {finding.error for finding in cluster.diagnose().findings}

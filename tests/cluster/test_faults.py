"""Scaling while the API server is in trouble: it goes on, or it fails with an error and everybody in service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, wait

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.auth import ClusterAuth, KubeConfig
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError, KubernetesError

from .conftest import Namespace, run, until
from .faults import CUT, GONE, HALF, LIST, LOST, PATCH, WATCH, Proxy, Rule
from .workload import SMALL, WORKERS, array, recomputed, retired, start_noted, started, workers

pytestmark = pytest.mark.alone

RESULTS = 60


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


class Stage:
    """A release with results, watched directly, and scaled by somebody whose way to the API server is in trouble."""

    def __init__(self, cluster: HelmCluster, auth: ClusterAuth, namespace: Namespace, client: Client) -> None:
        self.client, self.namespace = client, namespace
        self.cluster = HelmCluster.from_name(cluster.name, namespace=namespace.name, auth=auth, quiet=True)
        self.results = client.map(array, range(RESULTS), pure=False)
        wait(self.results)

    def scaled(self, number: int, timeout: float = 60) -> float:
        """Scale, wait for the workers, and see that all is well; the seconds that the call took."""
        began = time.monotonic()
        self.cluster.scale(number)
        took = time.monotonic() - began
        assert self.namespace.replicas() == number
        until(lambda: len(workers(self.client)) == self.ready() == number, timeout)
        self.is_well()
        return took

    def ready(self) -> int:
        (deployment,) = self.namespace.get("deployments", WORKERS)
        return int(deployment["status"].get("readyReplicas", 0))

    def shrinks(self, rules: list[Rule]) -> None:
        """Scale from 3 to 2, again where a request was not needed: the readiness may be told before it is asked for."""
        for _ in range(5):
            self.scaled(2)
            if all(rule.hits for rule in rules):
                return
            self.scaled(3)
        raise AssertionError([rule for rule in rules if not rule.hits])

    def is_well(self) -> None:
        """Nobody is out of service, and no result was lost or computed again."""
        until(lambda: retired(self.client) == 0)
        assert recomputed(self.client) == 0
        assert all(np.all(value == index) for index, value in enumerate(self.client.gather(self.results)))

    def fails(self, number: int, error: type[HelmClusterError] = KubernetesError) -> tuple[str, float]:
        """Scale in vain; the error and the seconds that it took, once all are Ready again."""
        before = self.namespace.replicas()
        began = time.monotonic()
        with pytest.raises(error) as caught:
            self.cluster.scale(number)
        took = time.monotonic() - began
        self.is_well()
        assert self.namespace.replicas() == before
        until(lambda: self.ready() == before)
        return str(caught.value), took


@pytest.fixture
def stage(make_cluster, namespace: Namespace, proxy: Proxy) -> Iterator[Stage]:
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        made = Stage(cluster, proxy.auth, namespace, client)
        yield made
        made.cluster.close()


def test_what_passes(stage: Stage, proxy: Proxy) -> None:
    """Refusals that pass, at each request of scale(), cost nothing but time: of 409 three seconds, of 429 its own."""
    for status, times, seconds in ((409, 3, 3), (429, 5, 10), (500, 3, 6), (503, 3, 6)):
        growing = proxy.breaks(PATCH, status, times)
        assert stage.scaled(3) < seconds
        assert growing.hits == times
        stage.shrinks([proxy.breaks(site, status, min(times, 3)) for site in (LIST, WATCH, PATCH)])


def test_broken_connections(stage: Stage, proxy: Proxy) -> None:
    """Watches that close or are too old, and answers that break off or are lost, at each request of scale()."""
    for faults in (((WATCH, CUT), (LIST, HALF), (PATCH, HALF)), ((WATCH, GONE), (LIST, LOST), (PATCH, LOST))):
        growing = proxy.breaks(*faults[-1], 2)
        stage.scaled(3)
        assert growing.hits == 2
        stage.shrinks([proxy.breaks(site, fault, 2) for site, fault in faults])


def test_growing_from_a_number_that_somebody_else_has_set(stage: Stage, proxy: Proxy) -> None:
    """Where scale() has to look first, refusals and a closed watch cost nothing there either."""
    (deployment,) = stage.namespace.get("deployments", WORKERS)
    stage.namespace.kubectl("scale", f"deployment/{deployment['metadata']['name']}", "--replicas=1")
    until(lambda: len(workers(stage.client)) == 1)
    stage.namespace.kubectl("rollout", "restart", f"deployment/{deployment['metadata']['name']}")
    faults = ((PATCH, 409), (LIST, 500), (WATCH, 409), (WATCH, 429), (WATCH, 500), (WATCH, CUT), (LIST, LOST))
    rules = [proxy.breaks(site, fault, 1) for site, fault in faults]
    stage.scaled(2)
    assert [rule.hits for rule in rules] == [1] * len(rules)


def test_what_does_not_pass(stage: Stage, proxy: Proxy) -> None:
    """A lasting 500 after the workers were emptied: within 30 s an error with code and path, and all in service."""
    rule = proxy.breaks(PATCH, 500)
    message, took = stage.fails(1)
    assert took < 30
    assert rule.hits > 3
    for text in ("500", f"PATCH /apis/apps/v1/namespaces/{stage.namespace.name}/deployments/", "/scale", "rig says no"):
        assert text in message
    assert stage.cluster.name in message
    (entry,) = [entry for entry in stage.cluster.scaling_history() if entry["outcome"] != "done"]
    assert "500" in entry["outcome"]
    proxy.heal()
    stage.scaled(1)


def test_the_api_server_away_for_30_seconds(make_cluster, stage: Stage, proxy: Proxy) -> None:
    """In the middle of a shrink the API server and the port-forward through it are away: it goes on afterwards."""
    futures = stage.client.map(start_noted, range(2), pure=False, seconds=4)
    until(lambda: len(started(stage.client)) == 2)
    shrinking = threading.Thread(target=stage.cluster.scale, args=(1,))
    shrinking.start()
    until(lambda: retired(stage.client) == 1)
    proxy.go_away(30)
    shrinking.join(60)
    assert not shrinking.is_alive()
    assert stage.namespace.replicas() == 1
    until(lambda: len(workers(stage.client)) == 1)
    stage.is_well()
    assert stage.client.gather(futures) == [0, 1]
    assert started(stage.client) == [0, 1]
    assert stage.cluster.scaling_history()[-1]["outcome"] == "done"


def test_without_the_permission(stage: Stage, namespace: Namespace, tmp_path) -> None:
    """A Role without patch on deployments/scale: the error names verb and object, and all are in service."""
    may = ("--resource=deployments", "--resource=services", "--resource=pods", "--verb=list", "--verb=watch")
    namespace.kubectl("create", "serviceaccount", "reader")
    namespace.kubectl("create", "role", "reader", *may)
    namespace.kubectl("create", "role", "forwarder", "--resource=pods/portforward", "--verb=get", "--verb=create")
    certificates = f"--resource-name={stage.cluster.name}-tls"
    namespace.kubectl("create", "role", "connector", "--resource=secrets", "--verb=get", certificates)
    for role in ("reader", "forwarder", "connector"):
        namespace.kubectl("create", "rolebinding", role, f"--role={role}", f"--serviceaccount={namespace.name}:reader")
    path = tmp_path / "kubeconfig"
    path.write_text(run("kubectl", "config", "view", "--raw", "--minify"))
    token = namespace.kubectl("create", "token", "reader").strip()
    run("kubectl", "config", "set-credentials", "reader", f"--token={token}", KUBECONFIG=str(path))
    run("kubectl", "config", "set-context", "--current", "--user=reader", KUBECONFIG=str(path))
    other = Stage(stage.cluster, KubeConfig(path), namespace, stage.client)
    for number in (3, 1):
        message, _ = other.fails(number, ForbiddenError)
        assert "may not patch deployments/scale in namespace" in message
    other.cluster.close()

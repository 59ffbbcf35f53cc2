"""Pods that Kubernetes ends lose nothing: deleted, drained, evicted, replaced, scaled away by kubectl."""

from __future__ import annotations

import json
import random
import subprocess
import time

import pytest
from distributed import Client, wait

from dask_kubernetes_helm.diagnosis import is_ready

from .conftest import Namespace, until
from .workload import SMALL, WORKERS, array, hold_the_gil, recomputed, start_noted, started, workers

pytestmark = pytest.mark.alone

#: A worker on each node, so that a drained one finds another.
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}},
}


class Victim:
    """A worker with scattered data and a running task, whose pod is about to go."""

    def __init__(self, client: Client, pod: str, number: int) -> None:
        self.client, self.number = client, number
        (address,) = (key for key, worker in workers(client).items() if worker["name"] == pod)
        self.data = client.scatter({f"data-{number}": number}, workers=[address])[f"data-{number}"]
        where = {"workers": [address], "allow_other_workers": True}
        self.future = client.submit(start_noted, number, key=f"task-{number}", **where)
        until(lambda: number in started(client))

    def lost_nothing(self) -> bool:
        """Whether the data and the task's one result are there."""
        data, task = self.client.gather([self.data, self.future])
        return [data, task, started(self.client).count(self.number)] == [self.number, self.number, 1]


def pods(namespace: Namespace, **where: str) -> list[str]:
    """Names of worker pods that nobody deletes yet."""
    return [
        pod["metadata"]["name"]
        for pod in namespace.get("pods", WORKERS)
        if "deletionTimestamp" not in pod["metadata"] and all(pod["spec"].get(k) == v for k, v in where.items())
    ]


def ready(namespace: Namespace) -> int:
    (deployment,) = namespace.get("deployments", WORKERS)
    return int(deployment["status"].get("readyReplicas", 0))


def settled(client: Client, namespace: Namespace, number: int) -> bool:
    names = {worker["name"] for worker in workers(client).values()}
    return len(names) == number and names == set(pods(namespace))


@pytest.mark.parametrize("nanny", [True, False])
def test_twenty_deleted_pods(make_cluster, namespace: Namespace, nanny: bool) -> None:
    """`kubectl delete pod`, twenty times with and without a nanny: data and running tasks survive each."""
    rounds = 20 if nanny else 5
    cluster = make_cluster(n_workers=3, values=[SMALL, {"worker": {"nanny": nanny}}])
    cluster.wait_for_workers(3, timeout=60)
    dice = random.Random(1)
    with Client(cluster) as client:
        for number in range(rounds):
            until(lambda: settled(client, namespace, 3))
            pod = dice.choice(pods(namespace))
            victim = Victim(client, pod, number)
            namespace.kubectl("delete", "pod", pod)
            assert victim.lost_nothing()
            del victim


def test_five_drained_nodes(make_cluster, namespace: Namespace) -> None:
    """`kubectl drain` of the second node, five times: data and running tasks survive each."""
    cluster = make_cluster(n_workers=2, values=[SMALL, {"worker": {"topologySpreadConstraints": [SPREAD]}}])
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        for number in range(5):
            until(lambda: settled(client, namespace, 2))
            (pod,) = pods(namespace, nodeName="node-2")
            victim = Victim(client, pod, number)
            drain = ("drain", "node-2", "--pod-selector", f"{WORKERS},app.kubernetes.io/instance={cluster.name}")
            try:
                namespace.kubectl(*drain, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=90s")
                assert victim.lost_nothing()
            finally:
                namespace.kubectl("uncordon", "node-2")


def evict(namespace: Namespace, pod: str) -> str:
    """Ask the Eviction API to take a pod away; what it says to that where it refuses."""
    metadata = {"name": pod, "namespace": namespace.name}
    body = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/eviction"
    command = ["kubectl", "create", "--raw", path, "-f", "-"]
    result = subprocess.run(command, input=body, capture_output=True, text=True, check=False)
    return result.stderr if result.returncode else ""


def test_an_eviction(make_cluster, namespace: Namespace) -> None:
    """What the Eviction API takes away loses nothing."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        (pod, _) = pods(namespace)
        victim = Victim(client, pod, 1)
        assert evict(namespace, pod) == ""
        assert victim.lost_nothing()
        until(lambda: pod not in {worker["name"] for worker in workers(client).values()})
        assert victim.lost_nothing()


def test_an_evicted_scheduler(make_cluster, namespace: Namespace) -> None:
    """The scheduler can't be evicted, results stay, until an upgrade allows it, which ends no pod by itself."""
    cluster = make_cluster(n_workers=1, values=SMALL)
    cluster.wait_for_workers(1, timeout=60)

    def scheduler() -> list[str]:
        return [pod["metadata"]["name"] for pod in namespace.get("pods", "app.kubernetes.io/component=scheduler")]

    (pod,) = scheduler()
    # Until then the budget protects nothing.
    until(lambda: [item for item in namespace.get("pods", "app.kubernetes.io/component=scheduler") if is_ready(item)])
    with Client(cluster) as client:
        held = client.submit(array, 7)
        until(lambda: "disruption budget" in evict(namespace, pod))
        cluster.upgrade({"scheduler": {"podDisruptionBudget": {"enabled": False}}})
        assert int(held.result()[0]) == 7
        assert scheduler() == [pod]
    until(lambda: evict(namespace, pod) == "")
    until(lambda: pod not in scheduler())


def test_kubectl_scale(make_cluster, namespace: Namespace) -> None:
    """Somebody's `kubectl scale` from five to two, victims chosen by Kubernetes, loses nothing."""
    cluster = make_cluster(n_workers=5, values=SMALL)
    cluster.wait_for_workers(5, timeout=60)
    (deployment,) = namespace.get("deployments", WORKERS)
    with Client(cluster) as client:
        held = client.map(array, range(50), pure=False)
        wait(held)
        futures = client.map(start_noted, range(15), pure=False, seconds=1)
        until(lambda: len(started(client)) >= 5)
        namespace.kubectl("scale", f"deployment/{deployment['metadata']['name']}", "--replicas=2")
        assert client.gather(futures) == list(range(15))
        until(lambda: len(workers(client)) == 2)
        assert started(client) == list(range(15))
        assert [int(value[0]) for value in client.gather(held)] == list(range(50))
        assert recomputed(client) == 0


def test_a_rollout(make_cluster, namespace: Namespace) -> None:
    """All workers are replaced under running tasks: never fewer are there, nothing is lost, no task starts twice."""
    cluster = make_cluster(n_workers=4, values=SMALL)
    cluster.wait_for_workers(4, timeout=60)
    (deployment,) = namespace.get("deployments", WORKERS)
    name = f"deployment/{deployment['metadata']['name']}"
    with Client(cluster) as client:
        before = set(workers(client))
        held = client.map(array, range(50), pure=False)
        wait(held)
        futures = client.map(start_noted, range(24), pure=False, seconds=1)
        until(lambda: len(started(client)) >= 4)
        until(lambda: ready(namespace) == 4)  # a worker is registered before Kubernetes calls it Ready
        namespace.kubectl("rollout", "restart", name)
        seen: list[int] = []

        def replaced() -> bool:
            seen.append(ready(namespace))
            return len(workers(client)) == 4 and not set(workers(client)) & before

        until(replaced, timeout=120)
        assert min(seen) >= 4
        assert client.gather(futures) == list(range(24))
        assert started(client) == list(range(24))
        assert [int(value[0]) for value in client.gather(held)] == list(range(50))
        assert recomputed(client) == 0


def test_all_leave_at_once(make_cluster, namespace: Namespace) -> None:
    """Where nobody stays nobody is waited for: pods are gone long before their grace period ends."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    with Client(cluster) as client:
        wait(client.map(array, range(30), pure=False))
        (deployment,) = namespace.get("deployments", WORKERS)
        began = time.monotonic()
        namespace.kubectl("scale", f"deployment/{deployment['metadata']['name']}", "--replicas=0")
        until(lambda: not namespace.get("pods", WORKERS))
        assert time.monotonic() - began < 15


def test_a_held_gil_is_no_reason_to_leave(make_cluster, namespace: Namespace) -> None:
    """Workers whose tasks hold the GIL for twenty seconds stay Ready, so no shrink would pick them."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        until(lambda: ready(namespace) == 2)
        futures = client.map(hold_the_gil, range(2), pure=False)
        seen = set()
        while not all(future.done() for future in futures):
            seen.add(ready(namespace))
        assert client.gather(futures) == [0, 1]
    assert seen == {2}


def test_closing_while_workers_start(make_cluster, namespace: Namespace) -> None:
    """Pods that are still starting when their release is removed don't sit out their grace period."""
    cluster = make_cluster(n_workers=1, values=SMALL)
    cluster.wait_for_workers(1, timeout=60)
    cluster.scale(4)
    until(lambda: len([pod for pod in namespace.get("pods", WORKERS) if pod["status"]["phase"] == "Running"]) >= 3)
    began = time.monotonic()
    cluster.close()
    assert time.monotonic() - began < 30

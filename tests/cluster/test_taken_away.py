"""Workers that Kubernetes takes away in the middle of a computation, for real: who is told what, and the result."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, get_worker

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.diagnosis import losses

from .conftest import Namespace, run, until
from .test_denied import applied
from .test_leaving import SPREAD
from .workload import SMALL, WORKERS, start_noted, started, workers

#: Seconds from Kubernetes' event until it is told.
TOLD = 10.0
#: Something to count that only this module's node and pods have, so that nobody else's are displaced for it.
SEAT = "dask-kubernetes-helm.test/seat"


def gone(cluster: HelmCluster, reason: str) -> list[losses.LostWorker]:
    return [item for item in cluster.lost_workers() if item.reason == reason]


def told_after(namespace: Namespace, event: str, records: list[logging.LogRecord]) -> tuple[float, str]:
    """Seconds from Kubernetes' event about a pod until a log told of its loss, and what that said."""
    (told,) = [record for record in records if "was lost" in record.getMessage()]
    (happened,) = [
        item
        for item in namespace.get("events")
        if item["reason"] == event and f"worker {item['involvedObject']['name']} was lost" in told.getMessage()
    ]
    moment = happened.get("eventTime") or happened.get("firstTimestamp")
    since = told.created - datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    print(f"{event}: told after {since:.1f} s: {told.getMessage()}\n{happened['message']}")
    return since, told.getMessage()


def write(size: int) -> None:
    """Have a worker write more to its disk than it may."""
    folder = Path(get_worker().local_directory)
    with (folder / "much").open("wb") as file:
        file.write(bytes(size))


write.__module__ = "__main__"


@pytest.mark.timeout(240)
def test_a_worker_over_its_disk(make_cluster, namespace: Namespace, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that writes more than its volume may hold is evicted; that is told, and the results are right."""
    cluster = make_cluster(n_workers=2, values=[SMALL, {"worker": {"scratchSizeLimit": "20Mi"}}])
    with Client(cluster) as client, caplog.at_level(logging.WARNING):
        cluster.wait_for_workers(2, timeout=60)
        address, victim = next(iter(workers(client).items()))
        client.submit(write, 50 * 2**20, workers=[address]).result()
        futures = client.map(start_noted, range(400), seconds=0.2, pure=False)
        until(lambda: "was lost" in caplog.text, timeout=150)
        assert client.gather(futures) == list(range(400))
    (loss,) = gone(cluster, losses.EVICTED)
    assert loss.pod == victim["name"]
    since, text = told_after(namespace, "Evicted", caplog.records)
    print(loss)
    assert since < TOLD
    assert 'EmptyDir volume "dask-scratch" exceeds the limit "20Mi"' in loss.message
    assert loss.message in text


@contextlib.contextmanager
def seats(number: int) -> Iterator[None]:
    """The first node has some."""
    path = "/status/capacity/" + SEAT.replace("/", "~1")
    patch = ["kubectl", "patch", "node", "node-1", "--subresource=status", "--type=json", "--patch"]
    run(*patch, json.dumps([{"op": "add", "path": path, "value": str(number)}]))
    read = ("kubectl", "get", "node", "node-1", "--output=jsonpath={.status.allocatable}")
    until(lambda: SEAT in run(*read))  # the kubelet makes it so with its next status
    try:
        yield
    finally:
        run(*patch, json.dumps([{"op": "remove", "path": path}]))


def priority(name: str, value: int) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
    }  # fmt: skip


def important(name: str, image: str) -> dict[str, Any]:
    """A pod that takes somebody's seat."""
    container = {
        "name": "sits", "image": image, "command": ["sleep", "3600"],
        "resources": {"limits": {SEAT: "1", "cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "10m"}},
    }  # fmt: skip
    spec = {"priorityClassName": name, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "urgent", "labels": {"app": "urgent"}},
        "spec": spec,
    }


def test_a_worker_that_is_displaced(
    make_cluster, namespace: Namespace, image: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that goes for a pod that is more important is told, with that pod, and the results are right."""
    low, high = f"{namespace.name}-low", f"{namespace.name}-high"
    taken = {"worker": {"priorityClassName": low, "resources": {"requests": {SEAT: 1}, "limits": {SEAT: 1}}}}
    with seats(2), applied(priority(low, -1000)), applied(priority(high, -500)):
        cluster = make_cluster(n_workers=2, values=[SMALL, taken])
        with Client(cluster) as client, caplog.at_level(logging.WARNING):
            cluster.wait_for_workers(2, timeout=120)
            names = {pod["metadata"]["name"] for pod in namespace.get("pods", WORKERS)}
            futures = client.map(start_noted, range(60), seconds=0.2, pure=False)
            until(lambda: len(started(client)) > 10)
            namespace.kubectl("apply", "-f", "-", text=json.dumps(important(high, image)))
            uid = namespace.get("pods", "app=urgent")[0]["metadata"]["uid"]
            until(
                lambda: any(uid in loss.message or "urgent" in loss.message for loss in gone(cluster, losses.PREEMPTED))
            )
            (loss,) = gone(cluster, losses.PREEMPTED)
            assert client.gather(futures) == list(range(60))
        since, _ = told_after(namespace, "Preempted", caplog.records)
        print(loss)
        assert since < TOLD
        assert loss.pod in names
        cluster.close()


@pytest.mark.alone
def test_a_worker_whose_node_is_drained(make_cluster, namespace: Namespace, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that a drain takes away is told as evicted, and the results are right."""
    cluster = make_cluster(n_workers=2, values=[SMALL, {"worker": {"topologySpreadConstraints": [SPREAD]}}])
    drain = ("drain", "node-2", "--pod-selector", f"{WORKERS},app.kubernetes.io/instance={cluster.name}")
    with Client(cluster) as client, caplog.at_level(logging.WARNING):
        cluster.wait_for_workers(2, timeout=60)
        (victim,) = [pod for pod in namespace.get("pods", WORKERS) if pod["spec"]["nodeName"] == "node-2"]
        futures = client.map(start_noted, range(60), seconds=0.2, pure=False)
        until(lambda: len(started(client)) > 10)
        try:
            namespace.kubectl(*drain, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=60s")
        finally:
            run("kubectl", "uncordon", "node-2")
        until(lambda: gone(cluster, losses.EVICTED))
        assert client.gather(futures) == list(range(60))
    (loss,) = gone(cluster, losses.EVICTED)
    since, _ = told_after(namespace, "Killing", caplog.records)
    print(loss)
    assert since < TOLD
    assert loss.pod == victim["metadata"]["name"]
    assert loss.message == "Eviction API: evicting"

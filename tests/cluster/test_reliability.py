"""Processes of a release that die, and workers that can't leave: it heals, and computes right.

Elsewhere: pods that are deleted (test_leaving.py), a scheduler or a Python that dies while scaling, and results for
which nobody is left (test_shrinking.py), a node that is lost (test_node_loss.py).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from typing import Any

import pytest
from distributed import Client, KilledWorker, wait
from distributed.client import FutureCancelledError

from .conftest import Namespace, until
from .workload import SMALL, array, retired, workers

pytestmark = pytest.mark.alone

#: Ends all that runs in a container: the first process of the pod is not of it.
KILL = "import os; os.kill(-1, 9)"


def square(index: int) -> int:
    time.sleep(0.01)
    return index * index


def eat(size: int) -> int:
    """Takes memory faster than a nanny looks."""
    return len(bytearray(b"1") * size)


# As in workload.py.
square.__module__ = eat.__module__ = "__main__"


def kill(namespace: Namespace, component: str, number: int = 1) -> None:
    """SIGKILL for all processes of some pods' containers."""
    for pod in namespace.get("pods", f"app.kubernetes.io/component={component}")[:number]:
        name = pod["metadata"]["name"]
        with pytest.raises(AssertionError, match="exit code 137"):
            namespace.kubectl("exec", name, "-c", component, "--", "sh", "-c", f"python -c '{KILL}' & wait")


def restarts(namespace: Namespace, component: str) -> list[int]:
    pods = namespace.get("pods", f"app.kubernetes.io/component={component}")
    return sorted(pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods)


@pytest.mark.parametrize(("victims", "seconds"), [(1, 30), (4, 60)])
def test_killed_workers(make_cluster, namespace: Namespace, victims: int, seconds: float) -> None:
    """SIGKILL for one or all of four workers under a thousand tasks: all come back, and every result is right."""
    cluster = make_cluster(n_workers=4, values=SMALL)
    cluster.wait_for_workers(4, timeout=60)
    with Client(cluster) as client:
        futures = client.map(square, range(1000), pure=False)
        until(lambda: sum(future.done() for future in futures) > 100)
        began = time.monotonic()
        kill(namespace, "worker", victims)
        until(lambda: restarts(namespace, "worker") == [0] * (4 - victims) + [1] * victims)
        cluster.wait_for_workers(4, timeout=seconds - (time.monotonic() - began))
        assert client.gather(futures) == [index * index for index in range(1000)]


def test_a_killed_scheduler(make_cluster, namespace: Namespace) -> None:
    """SIGKILL for the scheduler: what it held is told as lost, and the same cluster goes on with all its workers."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)

    def anew() -> Client | None:
        with contextlib.suppress(OSError):
            return cluster.get_client()
        return None

    with Client(cluster) as client:
        lost = client.submit(array, 1)
        wait(lost)
        began = time.monotonic()
        kill(namespace, "scheduler")
        with pytest.raises(FutureCancelledError, match="lost the connection to the scheduler"):
            until(lambda: lost.status != "finished" and lost.result())
    with until(anew, timeout=60 - (time.monotonic() - began)) as client:
        until(lambda: len(workers(client)) == 2, timeout=60 - (time.monotonic() - began))
        assert client.submit(square, 7).result() == 49
        cluster.scale(1)
        until(lambda: len(workers(client)) == 1)
        assert client.submit(square, 8).result() == 64


def test_a_worker_over_its_memory_limit(make_cluster, namespace: Namespace) -> None:
    """A task that needs more than the limit fails with its name, and the cluster goes on computing."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        greedy = client.submit(eat, 2**30, key="greedy")
        with pytest.raises(KilledWorker, match="greedy"):
            greedy.result(timeout=120)
        until(lambda: len(workers(client)) == 2)
        assert client.gather(client.map(square, range(100))) == [index * index for index in range(100)]


def test_actors_stay(make_cluster, namespace: Namespace, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that holds an actor is not chosen; where it has to stay, a warning and the journal name it."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    with Client(cluster) as client:
        futures = [client.submit(Counter, "aab", actor=True, key=f"actor-{index}") for index in range(2)]
        actors: list[Any] = client.gather(futures)
        homes = {workers(client)[actor._address]["name"] for actor in actors}
        assert len(homes) == 2
        cluster.scale(2)
        until(lambda: {worker["name"] for worker in workers(client).values()} == homes)
        with caplog.at_level(logging.WARNING, "dask_kubernetes_helm"):
            cluster.scale(1)
        assert namespace.replicas() == 2
        (kept,) = cluster.scaling_history()[-1]["kept"]
        assert (kept["pod"] in homes, "actor" in kept["why"]) == (True, True)
        assert f"worker {kept['pod']} stays" in caplog.text
        assert retired(client) == 0
        assert [actor.most_common(1).result() for actor in actors] == [[("a", 2)]] * 2

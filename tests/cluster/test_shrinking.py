"""Fewer workers without losing a result, on real pods."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from distributed import Client, wait

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import PreloadMissingError, ResultsAtStakeError, ScaleConflictError
from tests.rig import audit
from tests.rig.settings import Settings

from .conftest import Namespace, until
from .workload import SMALL, WORKERS, array, recomputed, retired, start_noted, started, step, workers

pytestmark = pytest.mark.alone


@pytest.fixture
def ten(make_cluster) -> HelmCluster:
    cluster = make_cluster(n_workers=10, values=SMALL)
    cluster.wait_for_workers(10, timeout=120)
    return cluster


def test_ten_to_two_with_two_hundred_results(ten: HelmCluster, namespace: Namespace) -> None:
    """No result is lost or computed again, Kubernetes gets one write, and the journal has one line."""
    with Client(ten) as client:
        futures = client.map(array, range(200), pure=False)
        wait(futures)
        # Dask may want one more connection to its scheduler at any time.
        with audit.count(Settings.from_environment(), namespace.name, without=["portforward"]) as calls:
            ten.scale(2)
        assert namespace.replicas() == 2
        until(lambda: len(workers(client)) == 2)
        assert [int(value[0]) for value in client.gather(futures)] == list(range(200))
        assert recomputed(client) == 0
        assert calls["dask-kubernetes-helm"] <= 5
        (shrunk,) = ten.scaling_history()
    assert (shrunk["from"], shrunk["to"], shrunk["outcome"], len(shrunk["left"])) == (10, 2, "done", 8)
    assert shrunk["calls"] == calls["dask-kubernetes-helm"]


def test_under_running_tasks(ten: HelmCluster) -> None:
    """Every task starts once: running ones end where they are, the others begin on who stays."""
    with Client(ten) as client:
        futures = client.map(start_noted, range(40), pure=False)
        until(lambda: len(started(client)) >= 10)
        ten.scale(2)
        assert client.gather(futures) == list(range(40))
        assert started(client) == list(range(40))
        until(lambda: len(workers(client)) == 2)


def test_random_scaling_under_a_computation_that_holds_state(make_cluster) -> None:
    """A hundred changes at random: the result is a local run's, and nothing is computed twice."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    dice = random.Random(7)

    chains, length = 6, 150
    with Client(cluster) as client:
        heads = client.scatter([np.full(100, chain) for chain in range(chains)])
        indices = iter(range(chains * length))
        states: list[list[Any]] = []
        for head in heads:
            states.append([head])
            for _ in range(length):
                states[-1].append(client.submit(step, states[-1][-1], next(indices), pure=False))
        for _ in range(100):
            cluster.scale(dice.randint(1, 6))
        results = client.gather([chain[-1] for chain in states])
        # The chains' whole past is held, so that a lost result would have to be computed again.
        noted = started(client)
        history = cluster.scaling_history()
    # A number that is raised again before Kubernetes has seen it takes nobody; a wrong victim would be named.
    wrong = [entry for entry in history if entry["outcome"] != "done" and "deleted nobody" not in entry["why"]]
    assert wrong == []
    expected = []
    counter = 0
    for chain in range(chains):
        state = np.full(100, chain)
        for _ in range(length):
            state = state * 31 % 1_000_003 + counter
            counter += 1
        expected.append(state)
    assert all(np.array_equal(one, other) for one, other in zip(results, expected, strict=True))
    assert noted == list(range(chains * length))


def test_the_newest_wish_wins(make_cluster, namespace: Namespace) -> None:
    """Wishes every tenth of a second for a minute end at the last one, with nothing lost."""
    cluster = make_cluster(n_workers=2, values=SMALL, asynchronous=False)
    cluster.wait_for_workers(2, timeout=60)
    dice = random.Random(3)
    with Client(cluster) as client:
        futures = client.map(array, range(50), pure=False)
        wait(futures)
        calls = []
        for _ in range(600):
            thread = threading.Thread(target=cluster.scale, args=(dice.randint(1, 5),))
            thread.start()
            calls.append(thread)
            time.sleep(0.1)
        last = threading.Thread(target=cluster.scale, args=(3,))
        last.start()
        for thread in [*calls, last]:
            thread.join(60)
        assert namespace.replicas() == 3
        until(lambda: len(workers(client)) == 3)
        until(lambda: all(worker["status"] == "running" for worker in workers(client).values()))
        assert [int(value[0]) for value in client.gather(futures)] == list(range(50))
        assert recomputed(client) == 0


def test_python_killed_in_the_middle(ten: HelmCluster, namespace: Namespace) -> None:
    """Whoever began is gone: after 75 s all are back in service, and nothing is lost."""
    script = (
        "import sys; from dask_kubernetes_helm import HelmCluster\n"
        "cluster = HelmCluster.from_name(sys.argv[1], namespace=sys.argv[2], quiet=True)\n"
        "print('ready', flush=True)\n"
        "cluster.scale(2)\n"
    )
    with Client(ten) as client:
        held = client.map(array, range(50), pure=False)
        wait(held)
        futures = client.map(start_noted, range(10), pure=False, seconds=8)
        until(lambda: len(started(client)) == 10)
        other = subprocess.Popen([sys.executable, "-c", script, ten.name, namespace.name], stdout=subprocess.PIPE)
        until(lambda: retired(client) == 8, timeout=60)
        os.kill(other.pid, signal.SIGKILL)
        other.communicate()
        assert client.gather(futures) == list(range(10))
        until(lambda: retired(client) == 0, timeout=100)
        until(lambda: namespace.get("deployments", WORKERS)[0]["status"].get("readyReplicas") == 10)
        assert started(client) == list(range(10))
        assert len(client.gather(held)) == 50
        assert "not heard of" in ten.scaling_history()[-1]["outcome"]
        assert namespace.replicas() == 10


def test_the_scheduler_killed_in_the_middle(ten: HelmCluster, namespace: Namespace) -> None:
    """With the scheduler goes what was held, but no worker stays retired or NotReady."""
    with Client(ten) as client:
        futures = client.map(start_noted, range(10), pure=False, seconds=20)
        until(lambda: len(started(client)) == 10)
        scaling = threading.Thread(target=_scale_quietly, args=(ten, 2))
        scaling.start()
        until(lambda: retired(client) == 8, timeout=60)
        del futures
    (pod,) = namespace.get("pods", "app.kubernetes.io/component=scheduler")
    namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    scaling.join(100)
    assert not scaling.is_alive()
    wanted = namespace.replicas()
    until(lambda: namespace.get("deployments", WORKERS)[0]["status"].get("readyReplicas") == wanted, timeout=120)
    with Client(ten) as client:
        until(lambda: len(workers(client)) == wanted and retired(client) == 0)


def _scale_quietly(cluster: HelmCluster, n: int) -> None:
    with contextlib.suppress(ScaleConflictError):
        cluster.scale(n)


def test_nobody_left_for_the_results(make_cluster, namespace: Namespace) -> None:
    """scale(0) with results in memory is refused with their number, and done with force."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        futures = client.map(array, range(20), pure=False)
        wait(futures)
        with pytest.raises(ResultsAtStakeError, match="20 results") as caught:
            cluster.scale(0)
        assert cluster.name in str(caught.value)
        assert namespace.replicas() == 2
        assert retired(client) == 0
        cluster.scale(0, force=True)
        until(lambda: not workers(client))
        assert namespace.replicas() == 0


def test_somebody_elses_number_is_left_alone(make_cluster, namespace: Namespace) -> None:
    """A kubectl scale in the middle wins; scale() says so, and everybody is back in service."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    (name,) = (item["metadata"]["name"] for item in namespace.get("deployments", WORKERS))
    with Client(cluster) as client:
        futures = client.map(start_noted, range(3), pure=False, seconds=4)
        until(lambda: len(started(client)) == 3)
        caught: list[BaseException] = []

        def scale() -> None:
            try:
                cluster.scale(1)
            except ScaleConflictError as error:
                caught.append(error)

        scaling = threading.Thread(target=scale)
        scaling.start()
        until(lambda: retired(client) == 2)
        namespace.kubectl("scale", f"deployment/{name}", "--replicas=5")
        scaling.join(60)
        assert "Somebody else" in str(caught[0])
        assert namespace.replicas() == 5
        until(lambda: len(workers(client)) == 5 and retired(client) == 0)
        assert client.gather(futures) == [0, 1, 2]
        assert started(client) == [0, 1, 2]


def test_pending_pods_leave_first(make_cluster, namespace: Namespace) -> None:
    """Pods that fit no node are the first to go, and no worker is emptied for them."""
    cluster = make_cluster(n_workers=2, values=SMALL)
    cluster.wait_for_workers(2, timeout=60)
    with Client(cluster) as client:
        futures = client.map(array, range(20), pure=False)
        wait(futures)
        before = set(workers(client))
        cluster.scale(300)
        until(lambda: any(pod["status"]["phase"] == "Pending" for pod in namespace.get("pods", WORKERS)))
        cluster.scale(2)
        until(lambda: len(namespace.get("pods", WORKERS)) == 2, timeout=120)
        until(lambda: len(workers(client)) == 2)
        assert set(workers(client)) == before
        assert len(client.gather(futures)) == 20


def test_a_rollout_is_waited_for(make_cluster, namespace: Namespace) -> None:
    """While pods are being replaced nobody is taken out of service; afterwards the wish is fulfilled."""
    cluster = make_cluster(n_workers=4, values=SMALL)
    cluster.wait_for_workers(4, timeout=60)
    (name,) = (item["metadata"]["name"] for item in namespace.get("deployments", WORKERS))
    with Client(cluster) as client:
        futures = client.map(array, range(40), pure=False)
        wait(futures)
        namespace.kubectl("rollout", "restart", f"deployment/{name}")
        cluster.scale(2)
        (deployment,) = namespace.get("deployments", WORKERS)
        assert deployment["status"]["updatedReplicas"] == deployment["status"]["replicas"]
        assert deployment["spec"]["replicas"] == 2
        until(lambda: len(workers(client)) == 2)
        assert [int(value[0]) for value in client.gather(futures)] == list(range(40))
        assert recomputed(client) == 0


def test_pods_without_the_preload(make_cluster, namespace: Namespace) -> None:
    """Where readiness tells nothing Kubernetes would pick the victims: refused, unless forced."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    (deployment,) = namespace.get("deployments", WORKERS)
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    bare = [text for text in arguments if not text.startswith("--preload=")]
    patch = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": bare},
        {"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"},
    ]
    name = f"deployment/{deployment['metadata']['name']}"
    namespace.kubectl("patch", name, "--type=json", f"--patch={json.dumps(patch)}")
    namespace.kubectl("rollout", "status", name, "--timeout=90s")
    # The former pods are workers until they end, and the rollout doesn't wait for that.
    until(lambda: len(namespace.get("pods", WORKERS)) == 3)
    with Client(cluster) as client:
        until(lambda: len(workers(client)) == 3)
    with pytest.raises(PreloadMissingError, match="3 workers lack"):
        cluster.scale(1)
    assert namespace.replicas() == 3
    cluster.scale(1, force=True)
    assert namespace.replicas() == 1

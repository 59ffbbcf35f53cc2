"""The number of workers follows the work, with and without a Python process of ours."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import (
    AgentMissingError,
    ClusterClosedError,
    InvalidArgumentError,
    InvalidTypeError,
    WorkerGroupNotFoundError,
)
from tests.rig import audit
from tests.rig.settings import Settings

from .conftest import Namespace, fresh_namespace, run, until
from .workload import SMALL, WORKERS, recomputed, start_noted, started, workers

pytestmark = pytest.mark.alone

AGENT = "dask-kubernetes-helm-agent"
MOST = 8


def numbers(cluster: HelmCluster, group: str = "default") -> list[int]:
    """What the agent has made of a group's number, one after the other."""
    return [e["to"] for e in cluster.scaling_history() if e["who"] == "agent" and e["group"] == group]


def restarts(namespace: Namespace) -> int:
    return sum(s["restartCount"] for pod in namespace.get("pods", WORKERS) for s in pod["status"]["containerStatuses"])


def test_a_burst_from_zero(make_cluster, namespace: Namespace) -> None:
    """200 one-second tasks grow it from zero to the most in 2 s, idleness shrinks it in 10 s, and nothing is lost."""
    cluster = make_cluster(n_workers=0, values=SMALL)
    cluster.adapt(minimum=0, maximum=MOST)
    with Client(cluster) as client:
        began = datetime.now(timezone.utc)
        futures = client.map(start_noted, range(200), pure=False, seconds=1)
        until(lambda: namespace.replicas() == MOST)
        until(lambda: len(workers(client)) == MOST, timeout=90)
        with audit.count(Settings.from_environment(), namespace.name) as calls:
            until(lambda: len(started(client)) >= 100, timeout=60)
        assert calls[AGENT] == 0
        assert client.gather(futures) == list(range(200))
        assert restarts(namespace) == 0
        del futures
        ended = datetime.now(timezone.utc)
        until(lambda: namespace.replicas() == 0)
        until(lambda: not workers(client))
        assert started(client) == list(range(200))
        assert recomputed(client) == 0
    first, *_, last = [entry for entry in cluster.scaling_history() if entry["who"] == "agent"]
    assert (first["to"], last["to"]) == (MOST, 0)
    assert datetime.fromisoformat(first["time"]) - began < timedelta(seconds=2)
    assert datetime.fromisoformat(last["time"]) - ended < timedelta(seconds=10)


SCRIPT = """
import sys, time
from distributed import Client
from dask_kubernetes_helm import HelmCluster
cluster = HelmCluster(sys.argv[1], namespace=sys.argv[2], environment="ci", image=sys.argv[3], n_workers=0, quiet=True,
    values={"worker": {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}})
cluster.adapt(minimum=0, maximum=4)
print("adapts", flush=True)
time.sleep(1000)
"""


def test_python_killed_half_way(make_cluster, namespace: Namespace, image: str) -> None:
    """Adapting goes on when the process that asked for it is gone; a new one attaches and finds it so."""
    maker = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "burst", namespace.name, image], stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None
    assert maker.stdout.readline() == "adapts\n"
    with HelmCluster.from_name("burst", namespace=namespace.name, quiet=True) as cluster, Client(cluster) as client:
        futures = client.map(start_noted, range(60), pure=False, seconds=1)
        until(lambda: len(started(client)) >= 5, timeout=60)
        os.kill(maker.pid, signal.SIGKILL)
        maker.communicate()
        assert client.gather(futures) == list(range(60))
        del futures
        until(lambda: namespace.replicas() == 0, timeout=15)
        assert started(client) == list(range(60))
        assert recomputed(client) == 0
        assert client.submit(start_noted, 60, seconds=0).result(timeout=60) == 60
    with HelmCluster.from_name("burst", namespace=namespace.name, quiet=True, shutdown_on_close=True):
        pass
    namespace.empties(60)


def test_helm_alone(namespace: Namespace, image: str) -> None:
    """Three values are all that a platform team needs; what they allow is the scale by name, and nothing else."""
    repository, _, tag = image.rpartition(":")
    given = f"image.repository={repository},image.tag={tag},worker.resources.requests.memory=64Mi"
    adaptive = "worker.adaptive.enabled=true,worker.adaptive.minimum=1,worker.adaptive.maximum=3"
    arguments = ["--namespace", namespace.name, "--values", "values/ci.yaml", "--set", f"{adaptive},{given}", "--wait"]
    run("helm", "install", "plain", "chart", *arguments)
    assert namespace.replicas() == 1
    with HelmCluster.from_name("plain", namespace=namespace.name, quiet=True) as cluster, Client(cluster) as client:
        futures = client.map(start_noted, range(40), pure=False, seconds=1)
        until(lambda: namespace.replicas() == 3)
        client.gather(futures)
        del futures
        until(lambda: namespace.replicas() == 1, timeout=15)
        assert recomputed(client) == 0
    account = f"system:serviceaccount:{namespace.name}:plain-dask-scheduler"
    may = {
        ("get", "deployments.apps/plain-dask-worker", "scale"): True,
        ("patch", "deployments.apps/plain-dask-worker", "scale"): True,
        ("patch", "deployments.apps/plain-dask-worker", ""): False,
        ("patch", "deployments.apps/plain-dask-scheduler", "scale"): False,
        ("list", "deployments.apps", "scale"): False,
        ("list", "pods", ""): False,
        ("get", "secrets", ""): False,
        ("get", "configmaps", ""): False,
        ("delete", "configmaps", ""): False,
    }
    for (verb, what, sub), expected in may.items():
        command = ["kubectl", "auth", "can-i", verb, what, "--as", account, "-n", namespace.name]
        answer = subprocess.run([*command, f"--subresource={sub}"], capture_output=True, text=True, check=False)
        assert (answer.stdout.strip() == "yes") is expected, (verb, what, sub)


def test_groups(make_cluster, namespace: Namespace) -> None:
    """A GPU task grows the GPU group from zero and no other; groups come and go without a restart of the rest."""
    cluster = make_cluster(n_workers=1, values=SMALL)
    cluster.wait_for_workers(1, timeout=60)
    with Client(cluster) as client:
        before = set(workers(client))
        cluster.add_worker_group("gpu", 0, dask_resources={"GPU": 1}, env={"KIND": "gpu"})
        assert namespace.replicas(group="gpu") == 0
        assert set(workers(client)) == before
        cluster.adapt(0, 2, worker_group="gpu")
        future = client.submit(os.getenv, "KIND", resources={"GPU": 1})
        assert future.result(timeout=90) == "gpu"
        assert numbers(cluster) == []
        assert numbers(cluster, "gpu")[0] == 1
        assert client.submit(os.getenv, "KIND", workers=list(before), pure=False).result() is None
        del future
        until(lambda: namespace.replicas(group="gpu") == 0, timeout=20)
        cluster.scale(2, worker_group="gpu")
        until(lambda: len(workers(client)) == 3)
        assert namespace.replicas() == 1
        cluster.delete_worker_group("gpu")
        until(lambda: set(workers(client)) == before)
        assert len(namespace.get("deployments", WORKERS)) == 1


def test_bursts_at_random(make_cluster, namespace: Namespace) -> None:
    """A minute and a half of bursts loses nothing, computes nothing twice, and ends at the minimum."""
    cluster = make_cluster(n_workers=1, values=SMALL)
    cluster.adapt(minimum=1, maximum=6, interval="1s", wait_count=2)
    dice, deadline = random.Random(5), time.monotonic() + 90
    total = 0
    with Client(cluster) as client:
        while time.monotonic() < deadline:
            burst = dice.randint(5, 60)
            futures = client.map(start_noted, range(total, total + burst), pure=False, seconds=0.5)
            assert client.gather(futures) == list(range(total, total + burst))
            total += burst
            del futures
            quiet = time.monotonic() + dice.uniform(0, 8)
            until(lambda quiet=quiet: time.monotonic() > quiet)
        until(lambda: namespace.replicas() == 1, timeout=20)
        until(lambda: len(workers(client)) == 1)
        assert started(client) == list(range(total))
        assert recomputed(client) == 0
        acted = [e for e in cluster.scaling_history() if e["who"] == "agent" and e["from"] != e["to"]]
    times = [entry["time"] for entry in acted]
    assert len(times) == len(set(times))
    assert sum(entry["calls"] for entry in acted) <= 120


@pytest.fixture(scope="module")
def without_agent(image: str) -> Iterator[HelmCluster]:
    """A release that was told to have no agent, and so has no Role."""
    with fresh_namespace() as namespace:
        arguments: dict[str, Any] = {"namespace": namespace.name, "environment": "ci", "image": image, "quiet": True}
        with HelmCluster(n_workers=0, values={"agent": {"enabled": False}}, **arguments) as cluster:
            assert namespace.objects("roles,rolebindings") == set()
            yield cluster


@pytest.mark.parametrize(
    ("kind", "words", "act"),
    [
        (InvalidArgumentError, "minimum is 10, which is above maximum, 2", lambda c: c.adapt(10, 2)),
        (InvalidArgumentError, "minimum is -1", lambda c: c.adapt(-1)),
        (InvalidTypeError, "not an integer", lambda c: c.adapt(1.5)),
        (InvalidTypeError, "did you mean 'interval'", lambda c: c.adapt(intervall="1s")),
        (InvalidArgumentError, "which is no duration", lambda c: c.adapt(interval="soon")),
        (WorkerGroupNotFoundError, "no worker group 'gpu'", lambda c: c.adapt(worker_group="gpu")),
        (InvalidArgumentError, "can't be the name", lambda c: c.add_worker_group("GPU")),
        (InvalidArgumentError, "can't be deleted", lambda c: c.delete_worker_group("default")),
        (AgentMissingError, "has no agent", lambda c: c.adapt(0, 3)),
    ],
)
def test_bad_input(without_agent: HelmCluster, kind: type[Exception], words: str, act: Any) -> None:
    """What can't be meant is refused with its reason, and nothing is changed by it."""
    with pytest.raises(kind, match=words):
        act(without_agent)


def test_a_closed_cluster_does_not_scale(make_cluster) -> None:
    """Scaling and adapting what is closed says so."""
    cluster = make_cluster(n_workers=0)
    cluster.close()
    for act in (lambda: cluster.scale(1), lambda: cluster.adapt(0, 1), lambda: cluster.add_worker_group("gpu")):
        with pytest.raises(ClusterClosedError):
            act()

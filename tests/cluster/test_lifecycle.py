"""Releases tidy up after themselves: they go with their owner, sleep when idle, and wake for work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import dask.config
import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster

from .conftest import KINDS, Namespace, run, until
from .workload import SMALL, start_noted, workers

pytestmark = pytest.mark.alone

SCRIPT = """
import sys, time
import dask
from distributed import Client
from dask_kubernetes_helm import HelmCluster
dask.config.set({"kubernetes.no-client-timeout": "15s"})
cluster = HelmCluster(sys.argv[1], namespace=sys.argv[2], environment="ci", image=sys.argv[3], n_workers=1, quiet=True)
client = Client(cluster)
print(client.submit(sum, [1, 2]).result(), flush=True)
time.sleep(1000)
"""
TIMEOUT = 15


def records(namespace: Namespace) -> set[str]:
    """Helm's own of its releases."""
    return {name for name in namespace.objects("secrets") if name.startswith("secret/sh.helm.release")}


def everything(namespace: Namespace) -> set[str]:
    return namespace.objects(f"{KINDS},roles,rolebindings")


def test_five_owners_killed(namespace: Namespace, image: str) -> None:
    """Five processes with a release each are killed by -9: 15 + 30 s later nothing of any of them is left."""
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, f"owned-{number}", namespace.name, image], stdout=subprocess.PIPE, text=True
        )
        for number in range(5)
    ]
    for owner in owners:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "3\n"
    assert len(records(namespace)) == 5
    for owner in owners:
        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()
    killed = time.monotonic()
    until(lambda: everything(namespace) == set(), timeout=TIMEOUT + 30)
    assert time.monotonic() - killed > TIMEOUT - 6  # signs of life are given every 5 s


def test_a_process_that_is_there_keeps_its_release(make_cluster, namespace: Namespace) -> None:
    """A HelmCluster without any Client is somebody: its release outlives the timeout."""
    with dask.config.set({"kubernetes.no-client-timeout": "3s"}):
        cluster = make_cluster(n_workers=1, values=SMALL)
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 12)
    assert namespace.get("configmaps", "app.kubernetes.io/component=owner")
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_left_in_place_and_removed_later(make_cluster, namespace: Namespace) -> None:
    """shutdown_on_close=False leaves it, from_name finds it, and takes it along if told to, which needs no helm."""
    with dask.config.set({"kubernetes.no-client-timeout": "1s"}):
        name = make_cluster(n_workers=1, values=SMALL, shutdown_on_close=False).name
    with HelmCluster.from_name(name, namespace=namespace.name, quiet=True) as cluster:
        assert Client(cluster).submit(sum, [1, 2]).result(timeout=60) == 3
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 5)
    assert everything(namespace)
    with (
        dask.config.set({"kubernetes.helm.executable": "/nowhere"}),
        HelmCluster.from_name(name, namespace=namespace.name, quiet=True, shutdown_on_close=True),
    ):
        pass
    until(lambda: everything(namespace) == set(), timeout=60)


def test_somebody_elses_release_stays(namespace: Namespace, image: str) -> None:
    """What helm has installed belongs to nobody, and is left in place even with shutdown_on_close=True."""
    repository, _, tag = image.rpartition(":")
    given = f"image.repository={repository},image.tag={tag},worker.replicas=0"
    run("helm", "install", "theirs", "chart", "-n", namespace.name, "-f", "values/ci.yaml", "--set", given, "--wait")
    with HelmCluster.from_name("theirs", namespace=namespace.name, quiet=True, shutdown_on_close=True):
        pass
    assert len(namespace.get("deployments")) == 2


def test_sleep_and_wake(make_cluster, namespace: Namespace) -> None:
    """Idle workers go, results that are held keep one, and a client's work brings the others back."""
    cluster = make_cluster(n_workers=3, values=[SMALL, {"lifecycle": {"idleTimeout": "15s"}}])
    cluster.wait_for_workers(3, timeout=60)
    with Client(cluster) as client:
        held = client.map(start_noted, range(6), pure=False, seconds=0)
        client.gather(held)
        until(lambda: namespace.replicas() == 1)
        assert client.gather(held) == list(range(6))
        del held
        until(lambda: namespace.replicas() == 0)
        until(lambda: not workers(client))
        assert client.submit(start_noted, 9, seconds=0).result(timeout=60) == 9
        assert namespace.replicas() == 3
    (scheduler,) = namespace.get("pods", "app.kubernetes.io/component=scheduler")
    assert scheduler["status"]["containerStatuses"][0]["restartCount"] == 0


def test_idle_releases_are_removed(make_cluster, namespace: Namespace) -> None:
    """With idleAction uninstall idleness removes the release, whoever is connected; closing is quiet about it."""
    lifecycle = {"idleTimeout": "15s", "idleAction": "uninstall"}
    cluster = make_cluster(n_workers=1, values=[SMALL, {"lifecycle": lifecycle}])
    until(lambda: everything(namespace) == set(), timeout=60)
    cluster.close()


def test_time_to_live(make_cluster, namespace: Namespace) -> None:
    """A release whose time is over goes, whatever it computes."""
    cluster = make_cluster(n_workers=1, values=[SMALL, {"lifecycle": {"ttl": "30s"}}])
    assert everything(namespace)
    until(lambda: everything(namespace) == set(), timeout=60)
    cluster.close()


def test_the_owner_takes_an_upgrades_records_along(make_cluster, namespace: Namespace) -> None:
    """After upgrades, deleting the owner by hand removes every object, all of Helm's records among them."""
    cluster = make_cluster(n_workers=1, values=SMALL, shutdown_on_close=False)
    cluster.upgrade({"worker": {"annotations": {"example.com/a": "1"}}})
    assert len(records(namespace)) == 2
    (owner,) = namespace.get("configmaps", "app.kubernetes.io/component=owner")
    namespace.kubectl("delete", "configmap", owner["metadata"]["name"])
    until(lambda: everything(namespace) == set(), timeout=60)


def test_a_record_without_its_owner(make_cluster, namespace: Namespace, image: str) -> None:
    """A process killed before Helm's record had its owner leaves the record; the name's next release sweeps it."""
    cluster = make_cluster(name="again", n_workers=0, values=SMALL, shutdown_on_close=False)
    patch = '{"metadata": {"ownerReferences": null}}'
    namespace.kubectl("patch", "secret", "sh.helm.release.v1.again.v1", "--type=merge", "-p", patch)
    cluster.close()
    (owner,) = namespace.get("configmaps", "app.kubernetes.io/component=owner")
    namespace.kubectl("delete", "configmap", owner["metadata"]["name"])
    until(lambda: everything(namespace) == {"secret/sh.helm.release.v1.again.v1"}, timeout=60)
    make_cluster(name="again", n_workers=0, values=SMALL).close()
    assert everything(namespace) == set()

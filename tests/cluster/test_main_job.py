"""The main job: install, compute, scale, look, remove. Not here: bad input, other ways of installing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings

import dask.array
import dask.config
import psutil
import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster
from tests.rig import audit
from tests.rig.settings import Settings

from .conftest import Namespace, until

pytestmark = pytest.mark.alone

#: Sockets that Dask leaves to the garbage collector, as pyproject.toml says.
DASKS_OWN = "unclosed <ssl.SSLSocket"


def test_the_readme_job(make_cluster, namespace: Namespace) -> None:
    """A release is installed, computes 1.0 on worker pods, scales 2 -> 4 -> 1, and closing leaves nothing of it."""
    with make_cluster(n_workers=2) as cluster, Client(cluster) as client:
        cluster.wait_for_workers(2, timeout=60)
        names = {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}
        pods = {pod["metadata"]["name"] for pod in namespace.get("pods", "app.kubernetes.io/component=worker")}
        assert pods == names

        assert dask.array.ones((1000, 1000, 1000)).mean().compute() == 1.0

        for number in (4, 1):
            cluster.scale(number)
            assert number == namespace.replicas()
            until(lambda number=number: len(client.scheduler_info(n_workers=-1)["workers"]) == number)
    assert set() == namespace.objects()


def test_closing_leaves_nothing_in_python(make_cluster) -> None:
    """After close there is no thread, socket, child process or ResourceWarning more than before."""
    me = psutil.Process()

    def counts() -> tuple[int, int, int]:
        return threading.active_count(), len(me.net_connections()), len(me.children(recursive=True))

    make_cluster().close()  # what libraries keep for good after their first use is no leak
    gc.collect()
    before = counts()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        warnings.filterwarnings("ignore", DASKS_OWN, ResourceWarning)
        with make_cluster() as cluster, Client(cluster) as client:
            client.submit(sum, [1, 2]).result()
        cluster.close()
        del cluster, client
        gc.collect()

    assert [str(item.message) for item in caught if item.category is ResourceWarning] == []
    until(lambda: all(now <= then for now, then in zip(counts(), before, strict=True)), 10)


def test_growing_is_one_api_call(make_cluster, namespace: Namespace) -> None:
    """scale() to more workers makes one request of ours, and helm makes none."""
    cluster = make_cluster(n_workers=1)
    cluster.wait_for_workers(1, timeout=60)
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 2)  # what the wait has under way is no request of scale()
    with audit.count(Settings.from_environment(), namespace.name) as calls:
        cluster.scale(3)
    assert {agent: n for agent, n in calls.items() if agent in ("dask-kubernetes-helm", "Helm")} == {
        "dask-kubernetes-helm": 1
    }


def test_no_version_mismatch(make_cluster) -> None:
    """Client, scheduler and workers have the same versions, so nothing warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", DASKS_OWN, ResourceWarning)
        with make_cluster() as cluster, Client(cluster) as client:
            cluster.wait_for_workers(2, timeout=60)
            client.get_versions(check=True)


def test_workers_get_what_kubernetes_allows(make_cluster) -> None:
    """Threads and memory of a worker are its limits: 500m is one thread, 1.5 cores two, 1G and 1Gi differ."""
    for cpu, memory, threads, size in (("500m", "1G", 1, 10**9), ("1500m", "1Gi", 2, 2**30)):
        resources = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": cpu, "memory": memory}}
        with make_cluster(n_workers=1, values={"worker": {"resources": resources}}) as cluster:
            cluster.wait_for_workers(1, timeout=60)
            (worker,) = cluster.scheduler_info["workers"].values()
            # The kernel gives memory by whole pages.
            assert (threads, size // 4096 * 4096) == (worker["nthreads"], worker["memory_limit"])


def test_the_dashboard_is_reached(make_cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link leads to the dashboard from outside the cluster, and follows Dask's template."""
    cluster = make_cluster()

    def page() -> bytes:
        try:
            with urllib.request.urlopen(cluster.dashboard_link, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as soon:
            with soon:
                return b"" if soon.headers["Refresh"] == "1" else b"refused"
        except OSError:
            return b""

    assert b"Dask" in until(page)
    monkeypatch.setenv("PREFIX", "/hub/")
    with dask.config.set({"distributed.dashboard.link": "{PREFIX}proxy/{port}/status"}):
        assert f"/hub/proxy/{cluster.connection.dashboard_port}/status" == cluster.dashboard_link


def test_logs_and_representation(make_cluster, namespace: Namespace) -> None:
    """Logs come by pod; the HTML names release, namespace and chart."""
    cluster = make_cluster(name="shown", n_workers=1)
    cluster.wait_for_workers(1, timeout=60)
    logs = cluster.get_logs()
    (pod,) = (pod["metadata"]["name"] for pod in namespace.get("pods", "app.kubernetes.io/component=worker"))
    assert {"Cluster", "Scheduler", pod} == set(logs)
    assert "Scheduler at:" in logs["Scheduler"]
    assert "Registered to" in logs[pod]
    html = cluster._repr_html_()
    for text in ("shown", namespace.name, "dask-0."):
        assert text in html
    assert "workers=1" in repr(cluster)


def test_notebook_widget(make_cluster, namespace: Namespace) -> None:
    """Dask's own widget shows the release, and its button scales it."""
    cluster = make_cluster(name="noted", n_workers=1)
    status, scaling = cluster._widget().children
    for text in ("noted", namespace.name, "dask-0.", "port-forward"):
        assert text in status.value
    number, button = scaling.children[1].children[0].children
    number.value = 2
    button.click()
    until(lambda: namespace.replicas() == 2)
    cluster.wait_for_workers(2, timeout=60)
    until(lambda: "2" in scaling.children[0].value)


async def test_asynchronous(namespace: Namespace, image: str) -> None:
    """The same in a running event loop: async with, awaited verbs, nothing left."""
    settled = {"namespace": namespace.name, "environment": "ci", "image": image, "quiet": True, "asynchronous": True}
    async with (
        HelmCluster(n_workers=1, **settled) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        await cluster.wait_for_workers(1, timeout=60)
        assert await client.submit(sum, [1, 2]) == 3
        await cluster.scale(2)
        assert namespace.replicas() == 2
        assert "Scheduler" in await cluster.get_logs()
    assert set() == namespace.objects()


def test_a_lost_scheduler_is_found_again(make_cluster, namespace: Namespace) -> None:
    """When the scheduler's pod is replaced, the same address leads to the new one, and the cluster follows it."""
    cluster = make_cluster(n_workers=1)
    cluster.wait_for_workers(1, timeout=60)
    address = cluster.scheduler_address
    identity = cluster.scheduler_info["id"]
    namespace.kubectl("delete", "pod", "--selector=app.kubernetes.io/component=scheduler")
    until(lambda: cluster.scheduler_info.get("id", identity) != identity)
    cluster.wait_for_workers(1, timeout=90)
    assert address == cluster.scheduler_address
    with Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_an_interpreter_that_ends_leaves_nothing(namespace: Namespace, image: str) -> None:
    """A script that forgets to close removes its release all the same."""
    script = (
        "from dask_kubernetes_helm import HelmCluster\n"
        f"HelmCluster('forgotten', namespace={namespace.name!r}, environment='ci', image={image!r}, n_workers=0)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ)
    assert result.returncode == 0, result.stderr
    assert set() == namespace.objects()

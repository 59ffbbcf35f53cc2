"""What calls written for classic dask-kubernetes find: a test for each promise of its API, on a real cluster."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import dask.config
import pytest
from distributed import Client
from distributed.security import Security

from dask_kubernetes_helm import KubeCluster, make_pod_from_dict, make_pod_spec
from dask_kubernetes_helm.errors import TemplateWarning

from .conftest import KINDS, Namespace, small_pod, until

ALL = f"{KINDS},roles,rolebindings,poddisruptionbudgets"
MODES = pytest.mark.parametrize("mode", ["remote", "local"])


@MODES
def test_the_life_of_a_cluster(make_classic, namespace: Namespace, mode: str) -> None:
    """Start, properties, scale, pods, logs, adapt, and an end that leaves nothing."""
    cluster = make_classic(name="life-{user}-{uuid}", n_workers=2, deploy_mode=mode)
    assert cluster.name.startswith("life-")
    assert cluster.namespace == namespace.name
    assert cluster.scheduler_address.startswith("tls://")
    assert cluster.scheduler_info["type"] == "Scheduler"
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=90)
        assert client.submit(sum, [1, 2]).result() == 3
        until(lambda: len(cluster.observed) == 2)  # it has a connection of its own
        assert f"KubeCluster({cluster.name}, '{cluster.scheduler_address}', workers=2" in repr(cluster)
        assert cluster.name in cluster._repr_html_()
        assert ":" in cluster.dashboard_link
        assert set(cluster.workers) == cluster.plan == cluster.requested == cluster.observed
        pods = cluster.pods()
        assert {pod.metadata.name for pod in pods} == cluster.observed
        for pod in pods:
            expected = {"foo": "bar", "app": "dask", "dask.org/component": "worker"}
            assert {**expected, "dask.org/cluster-name": cluster.name}.items() <= pod.metadata.labels.items()
        logs = cluster.get_logs()
        assert {"Scheduler", *cluster.observed} <= set(logs)
        assert "Scheduler" in logs["Scheduler"]
        until(lambda: "Registered to" in cluster.logs(pods[0]))
        assert set(cluster.logs()) == {"Scheduler", *cluster.observed}
        held = client.map(lambda x: x * 2, range(50))
        client.gather(held)
        cluster.scale(1)
        client.wait_for_workers(1)
        assert sum(client.gather(held)) == 2450
        until(lambda: len(cluster.observed) == 1)
        adaptive = cluster.adapt(minimum=2, maximum=3)
        client.wait_for_workers(2, timeout=60)
        assert (adaptive.minimum, adaptive.maximum) == (2, 3)
        cluster.scale_up(1)
        until(lambda: namespace.replicas() == 1)
    cluster.close()
    cluster.close()
    namespace.empties(60, ALL)


@MODES
async def test_asynchronous(namespace: Namespace, image: str, mode: str) -> None:
    """The same in a running event loop: async with, awaited verbs, nothing left."""
    settled = {"namespace": namespace.name, "quiet": True, "asynchronous": True, "dashboard_address": ":0"}
    if mode == "remote":
        del settled["dashboard_address"]
    async with (
        KubeCluster.from_dict(small_pod(image), n_workers=1, deploy_mode=mode, **settled) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        await client.wait_for_workers(1, timeout=90)
        assert await client.submit(sum, [1, 2]) == 3
        await cluster.scale(2)
        assert namespace.replicas() == 2
        assert len(await cluster.pods()) >= 1
        assert "Scheduler" in await cluster.get_logs()
        await cluster.adapt(minimum=0, maximum=1)
    for _ in range(300):
        if namespace.objects(ALL) == set():
            break
        await asyncio.sleep(0.1)
    assert namespace.objects(ALL) == set()


@MODES
def test_security_takes_effect(make_classic, namespace: Namespace, mode: str) -> None:
    """Scheduler, workers and clients have the certificates, and who has none gets no connection."""
    cluster = make_classic(n_workers=2, deploy_mode=mode, security=Security.temporary())
    assert cluster.scheduler_address.startswith("tls://")
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=90)
        assert client.submit(sum, [1, 2]).result() == 3
        for worker in client.scheduler_info()["workers"].values():
            assert worker["nanny"].startswith("tls://")
        cluster.scale(1)
        until(lambda: len(cluster.observed) == 1)
    for address in (cluster.scheduler_address, cluster.scheduler_address.replace("tls://", "tcp://")):
        with pytest.raises((OSError, TypeError)):
            Client(address, timeout=3)
    cluster.close()
    namespace.empties(60, ALL)


def test_a_template_in_the_configuration(make_classic, namespace: Namespace, image: str, tmp_path, monkeypatch) -> None:
    """KubeCluster() takes the configured template, and environment variables in it and in its path are expanded."""
    monkeypatch.setenv("TEAM", "geo")
    monkeypatch.setenv("FOLDER", str(tmp_path))
    template = small_pod(image)
    template["metadata"]["labels"]["team"] = "${TEAM}"
    (tmp_path / "spec.yml").write_text(str(template))
    common = {"kubernetes.namespace": namespace.name, "kubernetes.quiet": True, "kubernetes.count.start": 1}
    sources: list[dict[str, Any]] = [
        {"kubernetes.worker-template-path": "{FOLDER}/spec.yml"},
        {"kubernetes.worker-template": template},
    ]
    for source in sources:
        with dask.config.set({**common, **source}), KubeCluster() as cluster:
            (deployment,) = namespace.get("deployments", "dask.org/worker-group=default")
            assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "geo"
            assert cluster.name.startswith("dask-")
            assert namespace.replicas() == 1


def test_count_max(make_classic, namespace: Namespace, caplog) -> None:
    """kubernetes.count.max bounds what is started with, scale and adapt, and says so."""
    with dask.config.set({"kubernetes.count.max": 1}), caplog.at_level(logging.INFO):
        cluster = make_classic(n_workers=5)
        assert namespace.replicas() == 1
        cluster.scale(3)
        assert namespace.replicas() == 1
        assert cluster.adapt(minimum=0, maximum=10).maximum == 1
    assert "Tried to scale beyond maximum number of workers 3 > 1" in caplog.text


def test_made_pods(make_classic, namespace: Namespace, image: str) -> None:
    """make_pod_spec's and make_pod_from_dict's pods are templates; the user changes them in between."""
    pod = make_pod_spec(
        image,
        labels={"a": "b"},
        threads_per_worker=2,
        env={"ONE": 1},
        memory_limit="512M",
        memory_request="64M",
        cpu_limit=1,
        cpu_request="50m",
        extra_pod_config={"terminationGracePeriodSeconds": 20},
    )
    pod.spec.containers[0].args.append("--no-dashboard")
    cluster = make_classic(pod, n_workers=1, env={"TWO": 2})
    with Client(cluster) as client:
        client.wait_for_workers(1, timeout=90)
        (worker,) = client.scheduler_info()["workers"].values()
        assert (worker["nthreads"], worker["memory_limit"]) == (2, 512_000_000)
        assert set(client.run(_environment).popitem()[1]) == {"1", "2"}
    (found,) = cluster.pods()
    assert found.spec.termination_grace_period_seconds == 20
    assert found.metadata.labels["a"] == "b"
    cluster.close()
    make_classic(make_pod_from_dict({"spec": {"containers": [{"image": image, "args": ["dask-worker"]}]}})).close()


def _environment() -> list[str]:
    import os

    return [os.environ["ONE"], os.environ["TWO"]]


_environment.__module__ = "__main__"


def test_a_schedulers_template(make_classic, namespace: Namespace, image: str) -> None:
    """A scheduler's template shapes its pod alone, and the Service has the type and template of the configuration."""
    scheduler = small_pod(image)
    scheduler["metadata"] = {"annotations": {"example.com/who": "scheduler"}}
    scheduler["spec"]["containers"][0]["args"] = ["dask-scheduler"]
    service = {"metadata": {"annotations": {"example.com/reach": "inside"}}, "spec": {"sessionAffinity": "ClientIP"}}
    with dask.config.set({"kubernetes.scheduler-service-template": service}):
        cluster = make_classic(scheduler_pod_template=scheduler, scheduler_service_type="NodePort")
    (found,) = namespace.get("services")
    assert found["spec"]["type"] == "NodePort"
    assert found["spec"]["sessionAffinity"] == "ClientIP"
    assert found["metadata"]["annotations"]["example.com/reach"] == "inside"
    (pod,) = namespace.get("pods", "dask.org/component=scheduler")
    assert pod["metadata"]["annotations"]["example.com/who"] == "scheduler"
    (budget,) = namespace.get("poddisruptionbudgets")
    assert budget["spec"]["minAvailable"] == 1
    assert cluster.connection.route == "node port"


def test_what_is_for_the_other_mode_is_told(make_classic) -> None:
    """Arguments of a local scheduler don't count for a remote one, and a warning names them."""
    with pytest.warns(TemplateWarning, match="host, port: not used"):
        make_classic(host="0.0.0.0", port=0)


def test_a_local_scheduler(make_classic, namespace: Namespace) -> None:
    """Host and port are where it listens, the object is at hand, and the release has no scheduler of its own."""
    cluster = make_classic(deploy_mode="local", host="10.88.0.1", port=18786, n_workers=1)
    assert cluster.scheduler.address == cluster.scheduler_address == "tls://10.88.0.1:18786"
    with Client(cluster) as client:
        client.wait_for_workers(1, timeout=90)
    assert namespace.get("services") == []
    assert len(namespace.get("deployments")) == 2
    assert cluster.scheduler.workers


def test_idle_clusters_end(make_classic, namespace: Namespace) -> None:
    """With idle_timeout a remote cluster that has nothing to do is removed, rather than its scheduler restarted."""
    cluster = make_classic(n_workers=1, idle_timeout="5 seconds")
    namespace.empties(90, ALL)
    cluster.close()


def test_chosen_workers_leave(make_classic, namespace: Namespace) -> None:
    """scale_down lets exactly the workers go that it is given, by name or address, and nothing is lost."""
    cluster = make_classic(n_workers=4)
    with Client(cluster) as client:
        client.wait_for_workers(4, timeout=90)
        held = client.map(lambda x: x + 1, range(40))
        client.gather(held)
        first, second, *others = sorted(cluster.workers)
        address = next(a for a, info in cluster.scheduler_info["workers"].items() if info["name"] == second)
        cluster.scale_down([first, address])
        until(lambda: cluster.observed == set(others))
        assert sum(client.gather(held)) == 820
        assert namespace.replicas() == 2

"""Logs, events, the account of the start and the archive, on a release whose pods compute, crash and go."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from distributed.cluster_dump import DumpArtefact

from dask_kubernetes_helm import HelmCluster, KubeCluster, errors
from dask_kubernetes_helm.auth import KubeAuth

from .conftest import Namespace, fresh_namespace, small_pod, until
from .test_auth import own, pem, service_account

RELEASE, PLANTED = "seen", "planted-tr0ub4dor"
#: Jupyter is there for its token: nodes have no such image, so one pod never starts.
VALUES = {
    "worker": {"env": [{"name": "DB_PASSWORD", "value": PLANTED}, {"name": "PLAIN", "value": "stays"}]},
    "jupyter": {"enabled": True, "image": {"repository": "nowhere.invalid/jupyter", "tag": "1"}},
}
#: Kills all but the pod's first process and itself; it goes with them where they go first.
KILL = """
import contextlib, os
victims = []
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    with contextlib.suppress(OSError):
        if pid not in (1, os.getpid()) and "python" in open(f"/proc/{pid}/cmdline").read():
            victims.append(pid)
for pid in victims:
    with contextlib.suppress(OSError):
        os.kill(pid, 9)
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    """A namespace for all tests here."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(place: Namespace, image: str) -> Iterator[HelmCluster]:
    """A release of two workers and a pod that never starts."""
    with HelmCluster(
        RELEASE, namespace=place.name, environment="ci", image=image, values=VALUES, n_workers=2, quiet=True
    ) as made:
        made.wait_for_workers(2, timeout=90)
        yield made


class Follower(threading.Thread):
    """A user who reads lines as they come."""

    def __init__(self, cluster: HelmCluster, **which: object) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._given = cluster.get_logs(follow=True, **which)
        self.start()

    def run(self) -> None:
        for line in self._given:
            self.lines.append(line)


def workers(place: Namespace) -> list[str]:
    return [item["metadata"]["name"] for item in place.get("pods", "app.kubernetes.io/component=worker")]


def held(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as packed:
        return {name.partition("/")[2]: packed.read(name).decode() for name in packed.namelist()}


def test_parts_of_logs(cluster: HelmCluster, place: Namespace) -> None:
    """Last lines, times, and workers by name, address and group; a name that nobody has is told."""
    pods = set(workers(place))
    assert set(cluster.get_logs()) == {"Cluster", "Scheduler", *pods}
    logs = cluster.get_logs(cluster=False, tail=1)
    assert {len(text.splitlines()) for text in logs.values()} == {1}
    address, info = next(iter(cluster.scheduler_info["workers"].items()))
    for asked in (address, info["name"], [info["name"]]):
        assert set(cluster.get_logs(False, False, asked)) == {info["name"]}
    assert set(cluster.get_logs(False, False, "default")) == pods
    assert not any(cluster.get_logs(False, False, previous=True).values())
    assert "Registered to" in cluster.get_logs(False, False, info["name"], since="1 hour")[info["name"]]
    with pytest.raises(errors.WorkloadNotFoundError, match="did you mean 'default'"):
        cluster.get_logs(workers="defualt")


def test_the_start_is_accounted_for(cluster: HelmCluster, place: Namespace) -> None:
    """Each pod has its steps in order, and the sum of Helm, checks and pods is told."""
    until(lambda: sum(bool(pod.ready and pod.pulled) for pod in cluster.startup_report().pods) == 3)
    report = cluster.startup_report()
    assert set(report.totals) == {"checks", "helm", "scheduler", "workers"}
    found = {pod.name: pod for pod in report.pods}
    assert report.missing == []
    for name in workers(place):
        pod = found[name]
        assert pod.state == "registered"
        assert pod.created <= pod.scheduled <= pod.started <= pod.ready
        assert abs((pod.registered - pod.ready).total_seconds()) < 30
    (jupyter,) = [pod for pod in report.pods if pod.component == "jupyter"]
    assert (jupyter.state, jupyter.seconds) == ("pulling", None)
    assert report.slowest["step"] in str(report)


def test_events_of_the_release_alone(cluster: HelmCluster, place: Namespace) -> None:
    """Its pods' and Deployments' events are there, with why one does not start; another pod's are not."""
    place.kubectl("run", "stranger", "--image=nowhere.invalid/stranger:1")
    until(lambda: any("stranger" in item["involvedObject"]["name"] for item in place.get("events")))
    failed = "nowhere.invalid/jupyter"
    until(lambda: any(event.type == "Warning" and failed in event.message for event in cluster.events()))
    recent, everything = cluster.events(since="10 minutes"), cluster.events()
    assert {"Pod", "ReplicaSet", "Deployment"} <= {event.kind for event in everything}
    assert not any("stranger" in event.name for event in everything)
    assert [event.when for event in everything] == sorted(event.when for event in everything)
    assert 0 < len(recent) <= len(everything)


def test_logs_are_followed_across_a_crash(cluster: HelmCluster, place: Namespace) -> None:
    """A reader goes on where a container starts anew; the life before can be read then; closing ends the reader."""
    pod = workers(place)[0]
    with HelmCluster.from_name(RELEASE, place.name, quiet=True) as attached:
        reader = Follower(attached, workers=pod, scheduler=False, tail=0)
        with Client(cluster) as client:
            until(lambda: client.run(print, "said", flush=True) and any("said" in line for line in reader.lines))
        with contextlib.suppress(AssertionError):
            place.kubectl("exec", pod, "-c", "worker", "--", "python", "-c", KILL)
        until(lambda: any("Registered to" in line for line in reader.lines), timeout=90)
        assert all(line.startswith(f"{pod} | ") for line in reader.lines)
        assert "Registered to" in attached.get_logs(False, False, pod, previous=True)[pod]
    reader.join(timeout=30)
    assert not reader.is_alive()
    cluster.wait_for_workers(2, timeout=60)


async def test_lines_in_a_running_loop(cluster: HelmCluster, place: Namespace) -> None:
    """An asynchronous cluster gives an asynchronous generator, and what follows is closed with it."""
    async with HelmCluster.from_name(RELEASE, place.name, quiet=True, asynchronous=True) as attached:
        pods = set()
        async for line in attached.get_logs(follow=True):
            pods.add(line.pod)
            if len(pods) == 3:
                break
        assert set(workers(place)) < pods
        assert await attached.events()
        assert (await attached.startup_report()).totals.keys() == {"scheduler", "workers"}


def test_no_secret_is_given_away(cluster: HelmCluster, place: Namespace, tmp_path: Path) -> None:
    """All is in the archive, but no TLS key, no token of Jupyter's and no password of the values, not even printed."""

    def prints() -> None:
        import os

        print("connects with", os.environ["DB_PASSWORD"], flush=True)

    with Client(cluster) as client:
        client.run(prints)
        until(lambda: all("connects with" in text for text in cluster.get_logs(False, False).values()))
        kept = client.submit(sum, [1, 2])
        assert kept.result() == 3
        files = held(cluster.collect(tmp_path / "report.zip"))
        assert kept.status == "finished"
    secrets = {
        key: base64.b64decode(value).decode()
        for item in place.get("secrets", "app.kubernetes.io/part-of=dask-kubernetes-helm")
        for key, value in item["data"].items()
    }
    assert {"tls.key", "token"} <= set(secrets)
    hidden = [PLANTED, secrets["token"], *secrets["tls.key"].split("\n")[1:-2]]
    for name, text in files.items():
        for secret in hidden:
            assert secret not in text, name
            assert base64.b64encode(secret.encode()).decode() not in text, name
    assert "Nothing was missing." in files["README.txt"]
    assert "connects with (left out)" in "".join(text for name, text in files.items() if name.startswith("logs/"))
    (tmp_path / "dump.yaml").write_text(files["dask/cluster-dump.yaml"])
    assert len(DumpArtefact.from_url(str(tmp_path / "dump.yaml"))["workers"]) == 2
    assert json.loads(files["helm/values.json"])["worker"]["env"] == [
        {"name": "DB_PASSWORD", "value": "(left out)"},
        {"name": "PLAIN", "value": "stays"},
    ]
    assert len(json.loads(files["dask/versions.json"])["workers"]) == 2
    for pod in workers(place):
        assert f"manifests/pods/{pod}.json" in files
        assert f"logs/{pod}/worker.log" in files
    assert {"events.txt", "startup.txt", "permissions.json", "dask/scaling-history.json"} <= set(files)


def test_a_scheduler_in_this_process(place: Namespace, image: str, tmp_path: Path) -> None:
    """Where the scheduler is in this process, its log is in the archive as well; a worker's is followed."""
    settled = {"deploy_mode": "local", "dashboard_address": ":0", "quiet": True}
    with KubeCluster(small_pod(image), namespace=place.name, n_workers=1, **settled) as made:
        made.wait_for_workers(1, timeout=90)
        (pod,) = made.pods()
        line = next(made.logs(pod, follow=True, tail=1))
        assert (line.pod, made.logs(pod, tail=0)) == (pod.metadata.name, "")
        assert len(made.logs(tail=2)["Scheduler"].splitlines()) == 2
        report = made.startup_report()
        assert [item.state for item in report.pods if item.component == "worker"] == ["registered"]
        files = held(made.collect(tmp_path))
    assert "Register worker" in files["logs/scheduler.log"]
    assert "Nothing was missing." in files["README.txt"]


def test_collected_with_few_rights(cluster: HelmCluster, place: Namespace, tmp_path: Path) -> None:
    """With the Role that the package prints, the README says which kinds could not be listed."""
    server = own("clusters")
    way = KubeAuth(
        server["server"],
        token=service_account(place, "reporter"),
        ssl_ca_cert=pem(tmp_path / "ca.crt", server["certificate-authority-data"]),
    )
    with HelmCluster.from_name(RELEASE, place.name, auth=way, quiet=True) as attached:
        files = held(attached.collect(tmp_path / "reports"))
        report = attached.startup_report()
    readme = files["README.txt"]
    user = f"User system:serviceaccount:{place.name}:reporter"
    assert f"manifests/networkpolicies: {user} may not list networkpolicies" in readme
    assert f"quotas and limits: {user} may not list" in readme
    assert "helm/values.json" in files
    assert all(pod.state == "registered" for pod in report.pods if pod.component == "worker")


def test_collected_while_the_scheduler_is_down(cluster: HelmCluster, place: Namespace, tmp_path: Path) -> None:
    """Without a scheduler all that Kubernetes has is there, and what only Dask knows is named with the reason."""
    scheduler = f"deployment/{RELEASE}-dask-scheduler"
    place.kubectl("scale", scheduler, "--replicas=0")
    until(lambda: not place.get("pods", "app.kubernetes.io/component=scheduler"))
    files = held(cluster.collect(tmp_path / "down.zip"))
    readme = files["README.txt"]
    for name in ("versions.json", "cluster-dump.yaml", "scaling-history.json"):
        assert f"dask/{name}: ConnectionError: the scheduler does not answer" in readme
    assert "when workers registered: the scheduler does not answer" in files["startup.txt"]
    assert any(name.startswith("logs/") for name in files)
    place.kubectl("scale", scheduler, "--replicas=1")
    place.kubectl("rollout", "status", scheduler, "--timeout=90s")

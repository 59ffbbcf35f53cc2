"""Situations that are broken for real: which error a user gets, how soon, in which words; and which workers went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.diagnosis import losses
from dask_kubernetes_helm.waiting.trouble import Trouble

from .conftest import Namespace, fresh_namespace, run, until
from .workload import WORKERS, workers

#: Seconds in which it is told what Kubernetes knows to be final; what was installed is removed before it is raised.
TOLD = 10.0
#: Seconds in which what may resolve by itself is told.
WARNED = 20.0
#: What Kubernetes says where something is wrong, other than probes and caches that are late.
KNOWING = ("Failed", "BackOff", "FailedCreate", "FailedScheduling", "FailedMount")
#: A label and a taint of a node of this module's own.
ODD = "dask-kubernetes-helm.test/odd"


@dataclass(frozen=True)
class Situation:
    """What is broken, and what is said of it."""

    error: type[errors.HelmClusterError]
    words: tuple[str, ...]
    scheduler: dict[str, Any] = field(default_factory=dict)
    image: str = ""


FINAL = {
    "wrong image": Situation(
        errors.ImagePullError, ("localhost/no-such-image:1", "image.pullSecrets"), image="localhost/no-such-image:1",
    ),
    "wrong tag": Situation(
        errors.ImagePullError, ("localhost/dask:no-such-tag", "name and tag"), image="localhost/dask:no-such-tag",
    ),
    "crash on start": Situation(
        errors.CrashLoopError, ("exit code 2", "Usage: dask scheduler"), {"extraArgs": ["--no-such-option"]}
    ),
    "missing secret": Situation(
        errors.MissingObjectError, ('secret "nowhere" not found', "kubectl get secrets"),
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "a"}}}]},
    ),
    "missing service account": Situation(
        errors.MissingServiceAccountError, ("no service account robot", "scheduler.serviceAccountName"),
        {"serviceAccountName": "robot"},
    ),
}  # fmt: skip
#: In namespaces of their own.
REFUSED = {
    "quota": Situation(errors.QuotaExceededError, ("exceeded quota: few", "pods: 1 asked for, 0 of 0 used")),
    "restricted namespace": Situation(
        errors.AdmissionError, ("Pod Security standard restricted:latest", "scheduler.securityContext"),
        {"securityContext": {"runAsNonRoot": False, "runAsUser": 0}},
    ),
}  # fmt: skip
#: Might be mended by somebody while it is awaited.
PASSING = {
    "no memory": Situation(
        errors.UnschedulableError, ("Insufficient memory", "the largest node", "scheduler.resources"),
        {"resources": {"requests": {"memory": "900Gi"}, "limits": {"memory": "900Gi"}}},
    ),
    "tainted nodes": Situation(
        errors.UnschedulableError, ("untolerated taint", "scheduler.tolerations"),
        {"nodeSelector": {ODD: "true"}},
    ),
    "missing volume": Situation(
        errors.MissingObjectError, ('secret "nowhere" not found', "kubectl get secrets"),
        {"mounts": {
            "volumes": [{"name": "creds", "secret": {"secretName": "nowhere"}}],
            "volumeMounts": [{"name": "creds", "mountPath": "/creds"}],
        }},
    ),
}  # fmt: skip


class Starts:
    """Starts of releases that are not to succeed."""

    def __init__(self, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._image = image
        self.table: list[str] = []
        self._told: dict[str, datetime] = {}
        noted = Trouble.error

        async def error(trouble: Trouble, *arguments: Any) -> errors.HelmClusterError:
            self._told[trouble._release] = datetime.now(timezone.utc)
            return await noted(trouble, *arguments)

        monkeypatch.setattr(Trouble, "error", error)

    async def fail(self, name: str, namespace: Namespace, situation: Situation, **arguments: Any) -> Exception:
        """The error that a start ends with, once it is seen what it says."""
        release = name.replace(" ", "-")
        settled = {"environment": "ci", "quiet": True, "n_workers": 0, "asynchronous": True, "timeout": 120}
        values, image = {"scheduler": situation.scheduler}, situation.image or self._image
        with pytest.raises(errors.HelmClusterError) as caught:
            await HelmCluster(
                name=release, namespace=namespace.name, image=image, values=values, **{**settled, **arguments}
            )
        now = datetime.now(timezone.utc)
        first = await asyncio.to_thread(known, namespace, release)
        since, removed = ((when - first).total_seconds() for when in (self._told.get(release, now), now))
        self.table.append(
            f"{name}: {since:.1f} s, removed {removed:.1f} s: {type(caught.value).__name__}: {caught.value}"
        )
        for words in situation.words:
            assert words in str(caught.value)
        assert (caught.value.release, caught.value.namespace) == (release, namespace.name)
        assert caught.value.object.partition("/")[0] in ("pod", "deployment")
        assert caught.value.reason
        if not arguments:
            assert isinstance(caught.value, situation.error)
            assert since < TOLD, self.table[-1]
        return caught.value


def known(namespace: Namespace, release: str) -> datetime:
    """When Kubernetes knew first that something is wrong with a release."""
    events = [
        event
        for event in namespace.get("events")
        if event["reason"] in KNOWING
        and "failed to sync" not in event["message"]
        and event["involvedObject"]["name"].startswith(f"{release}-")
    ]
    moments = [event.get("firstTimestamp") or event.get("eventTime") for event in events]
    return min(datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in moments)


@contextlib.contextmanager
def odd_node() -> Iterator[None]:
    """A node that takes nobody."""
    name = "odd"
    node = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {ODD: "true"}},
        "spec": {"taints": [{"key": ODD, "effect": "NoSchedule"}]},
    }  # fmt: skip
    run("kubectl", "apply", "-f", "-", text=json.dumps(node))
    try:
        yield
    finally:
        run("kubectl", "delete", "node", name)


async def test_starts_that_cannot_succeed(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is final ends a start within seconds of Kubernetes' knowing, with cause, object and cure."""
    starts = Starts(image, monkeypatch)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    with fresh_namespace() as open_, fresh_namespace() as tight, fresh_namespace(restricted) as safe:
        tight.kubectl("create", "quota", "few", "--hard=pods=0")
        await asyncio.gather(
            *(starts.fail(name, open_, situation) for name, situation in FINAL.items()),
            starts.fail("quota", tight, REFUSED["quota"]),
            starts.fail("restricted namespace", safe, REFUSED["restricted namespace"]),
        )
        print("\n".join(starts.table))
        for namespace in (open_, tight, safe):
            until(lambda namespace=namespace: not namespace.objects("deployments,services"))


async def test_starts_that_might_succeed(
    image: str, namespace: Namespace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody may mend is told while it is awaited, and is the cause of the error when the time is over."""
    starts = Starts(image, monkeypatch)
    with odd_node(), caplog.at_level(logging.WARNING):
        failed = await asyncio.gather(
            *(starts.fail(name, namespace, situation, timeout=15) for name, situation in PASSING.items())
        )
    print("\n".join(starts.table))
    for (name, situation), error in zip(PASSING.items(), failed, strict=True):
        assert isinstance(error, errors.StartTimeoutError)
        assert isinstance(error.__cause__, situation.error)
        release = f"release {name.replace(' ', '-')}:"
        told = [record for record in caplog.records if release in record.getMessage()]
        assert len(told) == 1, [record.getMessage() for record in told]
        assert all(words in told[0].getMessage() for words in situation.words)


@pytest.fixture(scope="module")
def busy(image: str) -> Iterator[tuple[HelmCluster, Client, Namespace]]:
    """A release with two workers that lose what they have at once."""
    values = {"worker": {"nanny": False, "resources": {"limits": {"memory": "300Mi", "cpu": 1}}}}
    with (
        fresh_namespace() as namespace,
        HelmCluster(
            name="busy", namespace=namespace.name, environment="ci", image=image, values=values, n_workers=2, quiet=True
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.wait_for_workers(2, timeout=60)
        yield cluster, client, namespace


def lost(cluster: HelmCluster, reason: str) -> list[losses.LostWorker]:
    return [item for item in cluster.lost_workers() if item.reason == reason]


def settled(cluster: HelmCluster, client: Client, number: int) -> None:
    cluster.scale(number)
    until(lambda: len(workers(client)) == number)


def test_a_release_that_is_well(busy) -> None:
    """Nothing is wrong, and the scheduler says who it is."""
    cluster, client, _ = busy
    settled(cluster, client, 2)
    found = until(lambda: (found := cluster.diagnose()).counts[1].ready == 2 and found)
    assert (found.ok, found.unread) == (True, ())
    assert (found.scheduler["answers"], found.scheduler["workers"]) == (True, 2)
    for words in ("nothing is wrong", "workers    2 of 2 ready", "2 workers are registered", "distributed"):
        assert words in str(found)
    assert "nothing is wrong" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["ok"]


def test_a_quota_on_the_way_up(busy, caplog: pytest.LogCaptureFixture) -> None:
    """A scale-up that a quota stops is told with its name and figures, while the workers that are there work on."""
    cluster, client, namespace = busy
    settled(cluster, client, 1)
    namespace.kubectl("create", "quota", "few", "--hard=pods=3")
    until(lambda: namespace.get("quota")[0].get("status", {}).get("used", {}).get("pods") == "2")
    with caplog.at_level(logging.WARNING):
        began = time.monotonic()
        cluster.scale(4)
        words = "exceeded quota: few (pods: 1 asked for, 3 of 3 used)"
        until(lambda: words in caplog.text, WARNED)
        print(f"quota on scale-up: told after {time.monotonic() - began:.1f} s: {caplog.messages[-1]}")
    assert client.submit(sum, [1, 2]).result() == 3
    (finding,) = cluster.diagnose().findings
    assert (finding.error, finding.terminal) == (errors.QuotaExceededError, True)
    with pytest.raises(errors.QuotaExceededError, match="exceeded quota: few"):
        cluster.wait_for_workers(4, timeout=60)
    assert client.submit(sum, [2, 2]).result() == 4
    namespace.kubectl("delete", "quota", "few")
    settled(cluster, client, 2)


def _fill(size: int) -> int:
    return len(bytearray(b"x") * size)


_fill.__module__ = "__main__"


def test_a_worker_over_its_memory(busy, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that is killed for its memory is told with pod and limit, at once and afterwards; the cluster stays."""
    cluster, client, _ = busy
    settled(cluster, client, 2)
    address, victim = next(iter(workers(client).items()))
    with caplog.at_level(logging.WARNING):
        began = time.monotonic()
        future = client.submit(_fill, 2**30, workers=[address], pure=False)
        until(lambda: address not in workers(client))
        future.cancel()
        until(lambda: "OOMKilled" in caplog.text)
        print(f"out of memory: told after {time.monotonic() - began:.1f} s: {caplog.messages}")
    (loss,) = lost(cluster, losses.OOM_KILLED)
    assert (loss.pod, loss.group) == (victim["name"], "default")
    assert "its limit is 300Mi" in loss.message
    assert f"worker {victim['name']} was lost: OOMKilled" in caplog.text
    until(lambda: len(workers(client)) == 2)
    assert client.submit(sum, [1, 2]).result() == 3
    (finding,) = cluster.diagnose().findings
    assert (finding.error, finding.object) == (errors.OutOfMemoryError, f"pod/{victim['name']}")


@contextlib.contextmanager
def another(cluster: HelmCluster) -> Iterator[Callable[[str], list[losses.LostWorker]]]:
    """Asks a cluster object that has attached afterwards."""
    with HelmCluster.from_name(cluster.name, namespace=cluster.namespace, quiet=True) as attached:
        yield lambda reason: lost(attached, reason)


def test_workers_that_were_taken_away(busy) -> None:
    """Who was deleted, evicted and scaled away is told apart, also to who attaches afterwards."""
    cluster, client, namespace = busy
    settled_names = {item["metadata"]["name"] for item in namespace.get("pods", WORKERS)}
    deleted, evicted = sorted(settled_names)[:2]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": evicted, "namespace": namespace.name}}
    path = f"/api/v1/namespaces/{namespace.name}/pods/{evicted}/eviction"
    run("kubectl", "create", "--raw", path, "-f", "-", text=json.dumps(body))
    namespace.kubectl("delete", "pod", deleted, "--wait=false")
    until(lambda: len(workers(client)) == 2 and not {w["name"] for w in workers(client).values()} & settled_names)
    until(lambda: [loss.pod for loss in lost(cluster, losses.DELETED) if loss.pod in settled_names] == [deleted])
    assert [loss.pod for loss in lost(cluster, losses.EVICTED)] == [evicted]
    before = {worker["name"] for worker in workers(client).values()}
    cluster.scale(1)
    until(lambda: len(workers(client)) == 1)
    (gone,) = before - {worker["name"] for worker in workers(client).values()}
    (loss,) = [loss for loss in lost(cluster, losses.SCALED_DOWN) if loss.pod == gone]
    assert "scale(1) by " in loss.message
    with another(cluster) as told:
        assert gone in [loss.pod for loss in told(losses.SCALED_DOWN)]
        until(lambda: deleted in [loss.pod for loss in told(losses.DELETED)])


def test_an_upgrade_that_cannot_succeed(busy) -> None:
    """An upgrade to an image for workers that is not there says so long before its time is over; the others work on."""
    cluster, client, _ = busy
    began = time.monotonic()
    with pytest.raises(errors.ImagePullError, match="localhost/nothing:1"):
        cluster.upgrade(values={"worker": {"image": {"repository": "localhost/nothing", "tag": "1"}}})
    assert time.monotonic() - began < 120
    assert client.submit(sum, [1, 2]).result() == 3


def test_a_scheduler_that_was_deleted(busy) -> None:
    """A scheduler whose Deployment somebody has deleted is found, and that it does not answer."""
    cluster, _, namespace = busy
    namespace.kubectl("delete", "deployment", "--selector=app.kubernetes.io/component=scheduler")
    began = time.monotonic()
    lacking = {errors.WorkloadNotFoundError, errors.SchedulerUnreachableError}
    found = until(
        lambda: (found := cluster.diagnose()) and lacking <= {item.error for item in found.findings} and found
    )
    print(f"scheduler deleted: told after {time.monotonic() - began:.1f} s\n{found}")
    assert "The scheduler's Deployment is gone" in str(found)
    assert isinstance(cluster.lost_workers(), list)

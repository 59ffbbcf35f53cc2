"""A release looked at once: what is found, how it is shown, and what may not be read."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

import dask_kubernetes_helm  # noqa: F401 - registers the widgets
from dask_kubernetes_helm import errors
from dask_kubernetes_helm.diagnosis import Count, Diagnosis, Finding
from dask_kubernetes_helm.elasticity import aftercare, steering
from dask_kubernetes_helm.waiting import checkup

from .fakes import FakeKube, pod, waiting

READY = {"type": "Ready", "status": "True"}
REFUSAL = {
    "type": "ReplicaFailure",
    "status": "True",
    "message": 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
}


def deployment(component: str, ready: int, wanted: int, *conditions: dict[str, str], group: str = "") -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component} | ({"dask.org/worker-group": group} if group else {})
    name = f"demo-{component}" + (f"-{group}" if group else "")
    status = {"readyReplicas": ready, "replicas": ready, "updatedReplicas": ready, "conditions": list(conditions)}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"replicas": wanted}, "status": status}


def of_group(item: dict[str, Any], group: str = "default") -> dict[str, Any]:
    item["metadata"]["labels"]["dask.org/worker-group"] = group
    return item


class Kube:
    """Lists what it is given; refuses what is named."""

    namespace = "lab"

    def __init__(self, *refused: str, **objects: list[dict[str, Any]]) -> None:
        self.refused, self.objects = refused, objects

    async def find(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        if resource in self.refused:
            raise errors.ForbiddenError(f"ada may not list {resource}", status=403)
        return self.objects.get(resource, [])

    async def nodes(self) -> list[dict[str, Any]]:
        return []


WELL = {
    "deployments": [deployment("scheduler", 1, 1), deployment("worker", 1, 1, group="default")],
    "pods": [pod("demo-scheduler-1-a", conditions=[READY]), of_group(pod("w", "worker", conditions=[READY]))],
    "services": [{"metadata": {"name": "demo-scheduler", "labels": {"app.kubernetes.io/component": "scheduler"}}}],
}


async def identity() -> dict[str, Any]:
    return {"address": "tcp://1", "workers": 1, "versions": {"dask": "2026.8.0"}}


async def silent() -> dict[str, Any]:
    raise OSError("connection refused")


async def examined(kube: Any, ask: Any = identity) -> Diagnosis:
    return await checkup.examine(kube, "demo", ask)


async def test_nothing_is_wrong() -> None:
    """A release that is well has no finding, and says what there is."""
    found = await examined(Kube(**WELL))
    assert (found.ok, found.unread) == (True, ())
    assert str(found).splitlines() == [
        "Release demo in namespace lab: nothing is wrong",
        "  scheduler  1 of 1 ready",
        "  workers    1 of 1 ready",
        "  in Dask    1 worker is registered",
        "  versions   dask 2026.8.0",
    ]


async def test_what_is_wrong_is_shown_everywhere() -> None:
    """A finding has its place in text, terminal, notebook and plain data, and what is foreign in it is escaped."""
    scheduled = [{"type": "PodScheduled", "status": "True"}]
    status = [waiting("ImagePullBackOff", "<b>")]
    pods = [
        pod("demo-scheduler-1-a", conditions=[READY]),
        *(pod(f"demo-worker-gpu-1-{x}", "worker", conditions=scheduled, containerStatuses=status) for x in "ab"),
    ]
    for item in pods[1:]:
        of_group(item, "gpu")
    parts = [deployment("scheduler", 1, 1), deployment("worker", 0, 2, group="gpu")]
    parts[1]["status"] |= {"updatedReplicas": 2, "replicas": 2}
    found = await examined(Kube("replicasets", deployments=parts, pods=pods))
    (finding,) = found.findings
    assert (finding.error, finding.others, found.ok) == (errors.ImagePullError, 1, False)
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123 - closed below
    console.print(found)
    console.file.close()
    for text in (str(found), console.export_text(), found._repr_html_(), json.dumps(found.to_dict())):
        for words in ("ImagePullError", "pod/demo-worker-gpu-1-a", "replicasets"):
            assert words in text
    assert "workers (gpu)  0 of 2 ready; 2 ImagePullBackOff" in str(found)
    page = ET.fromstring(found._repr_html_())
    assert page.find(".//b") is None
    assert "ImagePullBackOff: <b>" in "".join(page.itertext())


async def test_a_scheduler_that_does_not_answer() -> None:
    """A scheduler that is there and says nothing is a finding; where it is not asked, it is none."""
    (finding,) = (await examined(Kube(**WELL), silent)).findings
    assert (finding.error, finding.object) == (errors.SchedulerUnreachableError, "pod/demo-scheduler-1-a")
    assert "does not answer this process; its pod is ready" in finding.sentence
    assert (await examined(Kube(**WELL), None)).ok


async def test_who_was_evicted_is_not_counted() -> None:
    """A pod that ended for good and lies about has another in its place, also where the scheduler does not answer."""
    gone = {"phase": "Failed", "reason": "Evicted"}
    corpses = [pod("demo-scheduler-1-z", **gone), of_group(pod("z", "worker", **gone))]
    kube = Kube(**{**WELL, "pods": [*corpses, *WELL["pods"]]})
    assert [count.text for count in (await examined(kube)).counts] == ["1 of 1 ready", "1 of 1 ready"]
    (finding,) = (await examined(kube, silent)).findings
    assert (finding.object, "its pod is ready" in finding.sentence) == ("pod/demo-scheduler-1-a", True)


async def test_a_scheduler_that_was_deleted() -> None:
    """A Service without its Deployment is found, as is a release without any."""
    orphaned = {**WELL, "deployments": WELL["deployments"][1:], "pods": WELL["pods"][1:]}
    (finding,) = (await examined(Kube(**orphaned), None)).findings
    assert "The scheduler's Deployment is gone; Service demo-scheduler leads nowhere" in finding.sentence
    (gone,) = (await examined(Kube())).findings
    assert (gone.error, gone.terminal) == (errors.ReleaseNotFoundError, True)


async def test_replicasets_and_stalled_rollouts() -> None:
    """A refusal that only a ReplicaSet has is found, and a rollout that was given up where nothing else is."""
    (finding,) = (await examined(Kube(**WELL, replicasets=[deployment("worker", 0, 1, REFUSAL)]))).findings
    assert (finding.error, finding.object) == (errors.QuotaExceededError, "replicaset/demo-worker")
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}
    kube = Kube(**{**WELL, "deployments": [deployment("scheduler", 1, 1, stuck)]})
    (finding,) = (await examined(kube)).findings
    assert "too slow" in finding.sentence


async def test_what_may_not_be_read() -> None:
    """One resource that is refused is said; where all are, the refusal is the answer."""
    found = await examined(Kube("events", **WELL))
    assert (found.ok, found.unread) == (True, ("events (ada may not list events)",))
    with pytest.raises(errors.ForbiddenError):
        await examined(Kube("pods", "deployments", "replicasets", "services", "events"))


async def test_the_lost_are_gathered() -> None:
    """What living pods remember and what events tell come together."""
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-26T21:00:00Z"}}
    status = {"name": "worker", "state": {"running": {}}, "ready": True, "restartCount": 1, "lastState": ended}
    survivor = of_group(pod("demo-worker-default-1-a", "worker", conditions=[READY], containerStatuses=[status]))
    evicted = {
        "metadata": {}, "reason": "Evicted", "message": "low on memory", "lastTimestamp": "2026-11-26T21:01:00Z",
        "involvedObject": {"kind": "Pod", "name": "demo-worker-default-1-b"},
    }  # fmt: skip
    kube: Any = Kube(**{**WELL, "pods": [survivor]}, events=[evicted])
    remembered, told = (await checkup.Evidence.gather(kube, "demo")).lost()
    assert [(lost.pod[-1], lost.reason) for lost in (*remembered, *told)] == [("a", "OOMKilled"), ("b", "Evicted")]


def test_counting() -> None:
    """One thing is, two are."""
    one = Finding(errors.StartError, "Pod p waits", "", terminal=False)
    assert Diagnosis("r", "n", (one,)).title.endswith("1 thing is wrong")
    assert Diagnosis("r", "n", (one, one)).title.endswith("2 things are wrong")
    assert Count("workers", 1, 2, "1 starting").text == "1 of 2 ready; 1 starting"


class Watched(FakeKube):
    """Lists Deployments for whoever looks once, too."""

    async def find(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        return self.listed.get(resource, [])


class Release:
    name = "demo"

    def __init__(self, kube: Any) -> None:
        self.kube = kube


@pytest.mark.parametrize(
    ("item", "told"), [(deployment("worker", 1, 2, REFUSAL), "exceeded quota: q"), (deployment("worker", 2, 2), "")]
)
async def test_workers_that_nobody_waits_for(
    item: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers that don't come up are told in the log once, with the cause; where all are there, nothing is."""
    monkeypatch.setattr(aftercare, "PAUSE", 0.01)
    care = aftercare.Aftercare(Release(Watched(listed={"deployments": [item]})))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        await care.begin()
        await care.begin()
        assert care._task is not None
        await asyncio.wait_for(care._task, 10)
    await care.rest()
    assert len(caplog.records) == bool(told)
    assert told in caplog.text


async def test_workers_that_the_agent_asks_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is in the way of workers that the agent asks for is told once, until somebody asks for workers himself."""
    monkeypatch.setattr(aftercare, "PAUSE", 0.01)
    monkeypatch.setattr(aftercare, "_REST", 0.01)
    item = deployment("worker", 1, 2, REFUSAL)
    care = aftercare.Aftercare(Release(Watched(listed={"deployments": [item]})))  # type: ignore[arg-type]

    async def looked() -> int:
        assert care._task is not None
        await asyncio.wait_for(care._task, 10)
        return len(caplog.records)

    with caplog.at_level(logging.WARNING):
        counts = []
        for _ in range(2):
            care.go_on()
            care.go_on()
            counts.append(await looked())
        await care.begin()
        counts.append(await looked())
    assert counts == [1, 1, 2]


class Group:
    """A release whose one group has so many pods, as far as this process knows."""

    def __init__(self, pods: int) -> None:
        self.groups, self.replicas = {"default": "demo-worker"}, {"default": pods}


@pytest.mark.parametrize(
    ("replicas", "adapts", "grown"), [(3, True, 1), (2, True, 0), (1, True, 0), (None, True, 0), (3, False, 0)]
)
def test_the_agent_has_grown_a_group(replicas: int | None, adapts: bool, grown: int) -> None:
    """More pods than were known, of a group that adapts, are news; told once."""
    told: list[int] = []
    steered = steering.Steering(Group(2), None, lambda: told.append(1))  # type: ignore[arg-type]
    for _ in range(2):
        steered._note({"default": {"replicas": replicas, "adapts": adapts}}, {})
    assert len(told) == grown

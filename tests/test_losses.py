"""Why a worker is gone, from what is left of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm.diagnosis import accounting, losses
from dask_kubernetes_helm.errors import ForbiddenError, KubernetesError
from dask_kubernetes_helm.kubeapi import following
from dask_kubernetes_helm.waiting import losing

NOW = datetime(2026, 11, 26, 21, 10, tzinfo=timezone.utc)
NAME = "demo-worker-7d9f-x1"


def worker(name: str = NAME, *, deleted: bool = False, **status: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": name, "labels": {"dask.org/worker-group": "big"}}
    metadata["resourceVersion"] = "7"
    if deleted:
        metadata |= {"deletionTimestamp": "2026-11-26T21:00:30Z", "deletionGracePeriodSeconds": 30}
    limits = {"limits": {"memory": "2Gi"}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "worker", "resources": limits}]}, "status": status}


def ended(reason: str = "OOMKilled", code: int = 137, at: str = "21:01") -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": f"2026-11-26T{at}:00Z"}}


def event(reason: str, name: str = NAME, message: str = "", kind: str = "Pod") -> dict[str, Any]:
    return {
        "metadata": {},
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-26T21:02:00Z",
    }


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("PreemptionByScheduler", losses.PREEMPTED),
        ("DeletionByTaintManager", losses.NODE_GONE),
        ("DeletionByPodGC", losses.NODE_GONE),
        ("EvictionByEvictionAPI", losses.EVICTED),
        ("TerminationByKubelet", losses.EVICTED),
        (None, losses.DELETED),
    ],
)
def test_pods_that_are_deleted(condition: str | None, reason: str) -> None:
    """A pod that is told to go says itself who is behind it, and went when it was told."""
    told = {"type": "DisruptionTarget", "status": "True", "reason": condition, "message": "because"}
    lost = losses.removal(worker(deleted=True, conditions=[told] if condition else []), NOW)
    assert lost is not None
    assert (lost.reason, lost.group, lost.name) == (reason, "big", NAME)
    assert lost.when == datetime(2026, 11, 26, 21, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("Evicted", losses.EVICTED),
        ("NodeLost", losses.NODE_GONE),
        ("Terminated", losses.NODE_GONE),
        ("OutOfcpu", "OutOfcpu"),
    ],
)
def test_pods_that_a_kubelet_has_ended(reason: str, word: str) -> None:
    """A pod that was ended as a whole has Kubernetes' reason and text."""
    lost = losses.removal(worker(phase="Failed", reason=reason, message="The node was low on resource: memory. "), NOW)
    assert lost is not None
    assert (lost.reason, lost.message, lost.when) == (word, "The node was low on resource: memory", NOW)


def test_an_evicted_pod_is_lost_once() -> None:
    """That the container of a pod which is evicted was killed is no loss of its own; the one before it is."""
    status = {"name": "worker", "state": ended("Error", 137, "21:03"), "lastState": ended()}
    evicted = worker(phase="Failed", reason="Evicted", message="low on memory", containerStatuses=[status])
    assert [lost.reason for lost in losses.restarts(evicted)] == ["OOMKilled"]
    lost = losses.removal(evicted, NOW)
    assert lost is not None
    assert (lost.reason, lost.when.minute) == (losses.EVICTED, 3)


@pytest.mark.parametrize(
    ("related", "message"),
    [
        (None, "Preempted by pod 1db63f9e on node n1"),
        (
            {"kind": "Pod", "name": "urgent", "namespace": "shop"},
            "displaced by pod urgent of namespace shop, which has a higher priority",
        ),
    ],
)
def test_who_displaced_a_worker(related: dict[str, str] | None, message: str) -> None:
    """By whom a pod was displaced is told by the event, also while the pod, which does not know it, still ends."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "room"}
    going = worker(deleted=True, conditions=[condition])
    told = {**event("Preempted", message="Preempted by pod 1db63f9e on node n1"), "related": related}
    seen = losses.removal(going, NOW)
    assert seen is not None
    (lost,) = accounting.account([seen], losses.by_events([told], GROUPS, [going]))
    assert (lost.reason, lost.message, lost.when) == (losses.PREEMPTED, message, seen.when)


@pytest.mark.parametrize(
    ("before", "reason", "message"),
    [
        (ended(), "OOMKilled", "killed for its memory; its limit is 2Gi"),
        (ended("Error", 1), "Error", "ended with exit code 1"),
    ],
)
def test_containers_that_begin_anew(before: dict[str, Any], reason: str, message: str) -> None:
    """The life that ended is told, with exit code or limit, and not where the pod itself goes."""
    running = {"name": "worker", "state": {"running": {"startedAt": "2026-11-26T21:04:00Z"}}, "lastState": before}
    (lost,) = losses.restarts(worker(containerStatuses=[running]))
    assert (lost.reason, lost.message) == (reason, message)
    assert losses.restarts(worker(deleted=True, containerStatuses=[running])) == []
    assert losses.removal(worker(containerStatuses=[running]), NOW) is None


@pytest.mark.parametrize(
    ("state", "restarts", "is_lost"),
    [
        ({"waiting": {"reason": "ContainerCreating"}}, 0, False),
        ({"terminated": {"reason": "ContainerStatusUnknown", "exitCode": 137, "startedAt": None}}, 0, False),
        ({"running": {"startedAt": "2026-11-26T21:04:00Z"}}, 0, True),
        ({"terminated": {"exitCode": 0, "startedAt": "2026-11-26T21:04:00Z"}}, 0, True),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, 3, True),
    ],
)
def test_pods_that_never_had_a_worker(state: dict[str, Any], restarts: int, *, is_lost: bool) -> None:
    """Who is deleted before a process has run in it is no worker that was lost."""
    status = {"name": "worker", "state": state, "restartCount": restarts}
    assert bool(losses.removal(worker(deleted=True, containerStatuses=[status]), NOW)) is is_lost
    assert losses.removal(worker(deleted=True, containerStatuses=[{**status, "lastState": ended()}]), NOW)
    assert losses.removal(worker(deleted=True, phase="Pending"), NOW) is None


async def test_containers_that_end_before_their_pod(caplog: pytest.LogCaptureFixture) -> None:
    """A container's end, of which the pod says the reason only afterwards, is told once, with that reason."""
    status = {"name": "worker", "state": ended("Completed", 0, "21:03")}
    register = losing.Register(None, "demo")  # type: ignore[arg-type]  # asks for nothing
    with caplog.at_level(logging.WARNING):
        await register.note("MODIFIED", worker(phase="Running", containerStatuses=[status]))
        assert register.lost == []
        evicted = worker(phase="Failed", reason="Evicted", message="low on memory", containerStatuses=[status])
        await register.note("MODIFIED", evicted)
    assert [lost.reason for lost in register.lost] == [losses.EVICTED]
    assert [record.getMessage() for record in caplog.records] == [
        f"release demo: worker {NAME} was lost: Evicted: low on memory"
    ]


@pytest.mark.parametrize(
    ("phase", "conditions", "reason", "message"),
    [
        ("Succeeded", [("TerminationByKubelet", "low on memory. ")], losses.EVICTED, "low on memory"),
        ("Failed", [("DeletionByPodGC", "its node is gone")], losses.NODE_GONE, "its node is gone"),
        ("Failed", [], "Error", losses.UNTOLD),
        ("Succeeded", [], losses.EVICTED, losses.UNTOLD),
    ],
)
def test_pods_that_ended_without_a_reason(
    phase: str, conditions: list[tuple[str, str]], reason: str, message: str
) -> None:
    """Where its status has no reason, a condition has it, or nothing; with an event or without, it is told once."""
    told = [{"type": "DisruptionTarget", "status": "True", "reason": why, "message": said} for why, said in conditions]
    item = worker(phase=phase, conditions=told)
    seen = losses.removal(item, NOW)
    assert seen is not None
    assert (seen.reason, seen.message) == (reason, message)
    (lost,) = accounting.account([seen], losses.by_events([event("Evicted", message="full")], GROUPS, [item]))
    assert lost.message == (message if conditions else "full")
    # Its node is gone, and with it the pod.
    (lost,) = accounting.account([seen], losses.by_events([event("Killing")], GROUPS, []))
    assert lost.reason == reason


@pytest.mark.parametrize(
    ("told", "reason", "message"),
    [
        ([event("Evicted", message="low on memory. ")], losses.EVICTED, "low on memory"),
        ([event("Killing", message="Stopping container worker")], losses.EVICTED, "its node has ended the pod"),
        (ForbiddenError("may not list events", status=403), losses.EVICTED, "its node has ended the pod"),
    ],
)
async def test_pods_that_ended_well(
    told: list[dict[str, Any]] | Exception, reason: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that its node has ended and that says nothing of why is told with what its event says, once."""
    pod = worker(phase="Succeeded", containerStatuses=[{"name": "worker", "state": ended("Completed", 0, "21:03")}])
    kube = Kube(
        [("MODIFIED", pod), ("MODIFIED", pod)], [("DELETED", {**worker(deleted=True), "status": pod["status"]})]
    )
    kube.events = told
    (lost,) = (await noted(kube, monkeypatch)).lost
    assert (lost.reason, lost.message, lost.when.minute) == (reason, message, 3)
    assert kube.asked == [f"involvedObject.name={NAME}"]
    seen = losses.removal(pod, NOW)
    assert seen is not None
    if isinstance(told, list):  # by who has watched nothing
        (known,) = accounting.account([seen], losses.by_events(told, GROUPS, [pod]))
        assert (known.reason, known.message) == (reason, message)


GROUPS = {"demo-worker": "default", "demo-worker-gpu": "gpu"}


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([event("Killing")], losses.DELETED),
        ([event("Killing"), event("Evicted", message="low on memory")], losses.EVICTED),
        ([event("Preempted")], losses.PREEMPTED),
        ([event("NodeNotReady"), event("TaintManagerEviction")], losses.NODE_GONE),
        (
            [event("Killing"), event("SuccessfulDelete", "demo-worker-7d9f", f"Deleted pod: {NAME}", "ReplicaSet")],
            losses.SCALED_DOWN,
        ),
    ],
)
def test_what_events_tell(events: list[dict[str, Any]], reason: str) -> None:
    """Pods that are gone are told by the strongest word of their events."""
    (lost,) = losses.by_events(events, GROUPS, [])
    assert (lost.pod, lost.group, lost.reason) == (NAME, "default", reason)


def test_a_rollout_replaces() -> None:
    """A ReplicaSet that deletes its pods for those of another has not been made smaller."""
    deleted = event("SuccessfulDelete", "demo-worker-7d9f", f"Deleted pod: {NAME}", "ReplicaSet")
    (lost,) = losses.by_events([event("Killing"), deleted], GROUPS, [worker("demo-worker-8888-y1")])
    assert lost.reason == losses.REPLACED


def test_who_is_there_is_not_lost() -> None:
    """Events of pods that are Ready again, of other releases, and of other kinds, are none of this."""
    ready = worker(conditions=[{"type": "Ready", "status": "True"}])
    others = [event("NodeNotReady"), event("Killing"), event("Evicted", "another-worker-7d9f-x1")]
    assert losses.by_events([*others, event("Evicted", kind="Node")], GROUPS, [ready]) == []


JOURNAL = [{"time": "2026-11-26T21:00:01+00:00", "who": "ada@lab", "why": "scale(1)", "group": "big", "left": [NAME]}]


def test_the_journal_knows_who_scaled() -> None:
    """What a watch saw as deleted was scaled down, where the journal says so; when it is seen counts."""
    seen = losses.removal(worker(deleted=True), NOW)
    assert seen is not None
    (lost,) = accounting.account([seen], [], JOURNAL)
    assert (lost.reason, lost.message, lost.when) == (losses.SCALED_DOWN, "scale(1) by ada@lab", seen.when)
    (alone,) = accounting.account([], [], JOURNAL)
    assert (alone.reason, alone.group, alone.when.second) == (losses.SCALED_DOWN, "big", 1)


WORDS = [*losses.INTENDED, losses.EVICTED, losses.NODE_GONE, losses.PREEMPTED]
LOST = st.builds(
    losses.LostWorker,
    name=st.sampled_from("abc"), pod=st.sampled_from("abc"), group=st.just("default"),
    when=st.datetimes(timezones=st.just(timezone.utc)), reason=st.sampled_from([*WORDS, "OOMKilled", "Error"]),
    message=st.sampled_from(["m", losses.UNTOLD]),
)  # fmt: skip


def is_removal(lost: losses.LostWorker) -> bool:
    return lost.reason in WORDS or lost.message == losses.UNTOLD


@given(st.lists(LOST), st.lists(LOST), st.lists(st.sampled_from("abc")))
def test_one_account(seen: list[losses.LostWorker], told: list[losses.LostWorker], left: list[str]) -> None:
    """Each pod goes once, whoever tells of it; misfortune is never taken for intent; all is in order of time."""
    found = accounting.account(seen, told, [{"time": "2026-11-26T21:00:00+00:00", "left": left}])
    assert found == sorted(found, key=lambda lost: lost.when)
    gone = [lost for lost in found if is_removal(lost)]
    assert len({lost.pod for lost in gone}) == len(gone)
    unlucky = {lost.pod for lost in (*seen, *told) if is_removal(lost) and lost.reason not in losses.INTENDED}
    assert unlucky == {lost.pod for lost in gone if lost.reason not in losses.INTENDED}
    assert {lost.pod for lost in gone} >= set(left)


class Kube:
    """Plays one watch after the other; an error ends one."""

    def __init__(self, *watches: list[Any]) -> None:
        self.watches, self.versions, self.done = list(watches), [], asyncio.Event()
        self.listed = 0
        self.events: list[dict[str, Any]] | Exception = []
        self.asked: list[str] = []

    async def snapshot(self, resource: str, *, fields: str) -> tuple[list[dict[str, Any]], str]:
        self.asked.append(fields)
        if isinstance(self.events, Exception):
            raise self.events
        return self.events, "7"

    async def version(self, resource: str, selector: str) -> str:
        self.listed += 1
        return f"listed-{self.listed}"

    async def watch(
        self, resource: str, selector: str, version: str, *, fields: str, silence: float
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        assert fields == "status.phase!=Pending"
        self.versions.append(version)
        if not self.watches:
            self.done.set()
            await asyncio.Event().wait()
        for change in self.watches.pop(0):
            if isinstance(change, Exception):
                raise change
            yield change


async def noted(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> losing.Register:
    monkeypatch.setattr(following, "LOOKING_AFTER", following.Pace(pause=0.01, silence=600.0))
    register = losing.Register(kube, "demo")  # type: ignore[arg-type]
    register.start()
    await asyncio.wait_for(kube.done.wait(), 10)
    await register.close()
    return register


def test_losses_are_shown_as_a_table() -> None:
    """A terminal and a notebook show one row for each, also of a part of them; programs get plain data."""
    when = datetime(2026, 11, 26, 21, tzinfo=timezone.utc)
    found = losses.LostWorkers(
        losses.LostWorker(name, name, "default", when, "Evicted", "the node was <low>") for name in ("w-1", "w-2")
    )
    header, *rows = str(found[1:]).splitlines()
    assert (header.split(), rows) == (
        ["WHEN", "WORKER", "REASON", "MESSAGE"],
        [f"{when}  w-2     Evicted  the node was <low>"],
    )
    assert "the node was &lt;low&gt;" in found._repr_html_()
    assert [item["pod"] for item in found.to_dict()] == ["w-1", "w-2"]
    assert repr(found[:0]) == "No worker was lost."


async def test_losses_are_noted_and_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A loss is noted once and logged, but for what was asked for; a watch goes on where the last one ended."""
    killed = worker(containerStatuses=[{"name": "worker", "state": {"running": {}}, "lastState": ended()}])
    gone = ("DELETED", worker("demo-worker-7d9f-x2"))
    kube = Kube([("MODIFIED", killed), ("MODIFIED", killed)], [gone], [KubernetesError("too old", status=410)])
    with caplog.at_level(logging.WARNING):
        register = await noted(kube, monkeypatch)
    assert [lost.reason for lost in register.lost] == ["OOMKilled", "Deleted"]
    (record,) = caplog.records
    assert f"worker {NAME} was lost: OOMKilled: killed for its memory; its limit is 2Gi" in record.getMessage()
    assert kube.versions == ["listed-1", "7", "7", "listed-2"]


async def test_who_may_not_watch_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal ends the watch, and nothing else."""

    class Reserved(Kube):
        async def version(self, resource: str, selector: str) -> str:
            self.done.set()
            raise ForbiddenError("may not list pods", status=403)

    assert (await noted(Reserved(), monkeypatch)).lost == []


async def test_misfortune_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that is deleted first and says why afterwards has that reason."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "gone"}
    changes = [("MODIFIED", worker(deleted=True)), ("MODIFIED", worker(deleted=True, conditions=[condition]))]
    register = await noted(Kube(changes), monkeypatch)
    assert [lost.reason for lost in register.lost] == [losses.NODE_GONE]

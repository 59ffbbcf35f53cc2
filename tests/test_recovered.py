"""What was wrong and no longer is, or never began: told as what it is, and never as a reason to give up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from dask_kubernetes_helm import diagnosis, errors
from dask_kubernetes_helm.diagnosis import pods
from dask_kubernetes_helm.fronts.connected import ConnectedCluster
from dask_kubernetes_helm.waiting.trouble import Trouble

from .fakes import FakeKube, pod, waiting
from .test_diagnosis import SCHEDULED, event

NOW = datetime(2026, 11, 26, 22, tzinfo=timezone.utc)


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def at(minutes: float) -> str:
    """So many minutes ago, as Kubernetes writes it."""
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def test_an_init_container_that_came_through() -> None:
    """One that failed twice and has done its work at last is no finding, whether or not the others run."""
    done = {"name": "dask-packages", "state": ended(0, "Completed"), "ready": True, "restartCount": 2}
    done["lastState"] = ended(1)
    for running in ({"running": {}}, {"waiting": {"reason": "PodInitializing"}}):
        status = {"name": "scheduler", "state": running, "restartCount": 0}
        assert diagnosis.examine(pod(initContainerStatuses=[done], containerStatuses=[status])) is None


@pytest.mark.parametrize(("code", "told"), [(0, False), (1, True), (137, True)])
def test_a_container_that_runs_again(code: int, told: bool) -> None:
    """Restarts add up over weeks: one that runs again and is not Ready yet is no reason to give up."""
    status = {"name": "worker", "state": {"running": {}}, "ready": False, "restartCount": 5, "lastState": ended(code)}
    finding = diagnosis.examine(pod("w", "worker", containerStatuses=[status]))
    assert (finding is not None) == told
    assert finding is None or not finding.terminal


@pytest.mark.parametrize("state", [waiting("CrashLoopBackOff")["state"], ended(1)])
def test_a_container_that_does_not_run(state: dict[str, Any]) -> None:
    """One that has ended again and again, and does not run now, is crashing."""
    status = {"name": "worker", "state": state, "restartCount": 2, "lastState": ended(1)}
    finding = diagnosis.examine(pod("w", "worker", containerStatuses=[status]))
    assert finding is not None
    assert (finding.error, finding.terminal) == (errors.CrashLoopError, True)


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_a_process_that_never_began(reason: str) -> None:
    """The runtime's sentence is told, as there is no log, and the cure goes by it."""
    why = 'exec: "dask": executable file not found in $PATH'
    status = waiting("CrashLoopBackOff", restartCount=1, lastState=ended(128, reason, why))
    finding = diagnosis.examine(pod(containerStatuses=[status]))
    assert finding is not None
    assert (finding.terminal, finding.cause) == (True, why)
    assert finding.sentence.endswith(f"could not be started after 1 restart: {why}")
    assert "command and args" in finding.cure
    assert "log" not in finding.cure


@pytest.mark.parametrize("code", [126, 127])
def test_a_program_that_is_not_there(code: int) -> None:
    """A shell's way to say so is understood."""
    status = waiting("CrashLoopBackOff", restartCount=1, lastState=ended(code))
    finding = diagnosis.examine(pod(containerStatuses=[status]))
    assert finding is not None
    assert "lacks the program" in finding.cure


def test_trouble_before_the_image() -> None:
    """A volume or a network that came at the second try is past once the kubelet pulls, or says that both are there."""
    trouble = event("FailedMount", "failed to sync configmap cache", at="21:00")
    item = pod(conditions=[SCHEDULED], containerStatuses=[waiting("ContainerCreating")])
    assert diagnosis.examine(item, [trouble]) is not None
    assert diagnosis.examine(item, [event("Pulling", "Pulling image", at="20:59"), trouble]) is not None
    assert diagnosis.examine(item, [trouble, event("Pulling", "Pulling image", at="21:01")]) is None
    there = {"type": "PodReadyToStartContainers", "status": "True"}
    item = pod(conditions=[SCHEDULED, there], containerStatuses=[waiting("ContainerCreating")])
    assert diagnosis.examine(item, [trouble]) is None


@pytest.mark.parametrize(
    ("unready_for", "node_gone", "error"),
    [
        (0.1, None, None),
        (5, None, errors.StartError),
        (5, 50, errors.StartError),
        (5, 5, errors.NodeLostError),
        (0.1, 0.1, errors.NodeLostError),
    ],
)
def test_unreadiness_has_its_own_time(
    unready_for: float, node_gone: float | None, error: type[Exception] | None
) -> None:
    """What counts is for how long it has not been Ready, not for how long it runs; of a lost node it counts at once."""
    item = pod(
        "w",
        "worker",
        containerStatuses=[{"name": "worker", "state": {"running": {"startedAt": at(300)}}}],
        conditions=[{"type": "Ready", "status": "False", "lastTransitionTime": at(unready_for)}],
    )
    events = []
    if node_gone is not None:
        events = [{**event("NodeNotReady", "", name="w"), "lastTimestamp": at(node_gone)}]
    finding = pods.unready(item, NOW, events)
    assert (finding.error if finding else None) is error


def deployment(refusal: str, why: str = "ReplicaSetUpdated", **status: Any) -> dict[str, Any]:
    """A Deployment of four whose condition names demo-worker-bbb, and which tells of a refusal."""
    told = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refusal}
    progress = {"type": "Progressing", "status": "True", "reason": why, "message": 'ReplicaSet "demo-worker-bbb" ...'}
    labels = {"app.kubernetes.io/component": "worker"}
    return {
        "metadata": {"name": "demo-worker", "labels": labels, "generation": 2},
        "spec": {"replicas": 4},
        "status": {"observedGeneration": 2, "conditions": [progress, told] if refusal else [progress], **status},
    }


FORBIDDEN = 'pods "demo-worker-{}-" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
WEBHOOK = 'admission webhook "w.example.org" denied the request: no'


#: Old pods are there as well as new ones; old ones alone; as many as there are, all new.
ROLLING, OLD, NEW = {"replicas": 4, "updatedReplicas": 1}, {"replicas": 4}, {"replicas": 2, "updatedReplicas": 2}


@pytest.mark.parametrize(
    ("item", "terminal"),
    [
        (deployment(FORBIDDEN.format("bbb"), "NewReplicaSetCreated"), True),
        (deployment(FORBIDDEN.format("bbb"), **ROLLING), True),
        (deployment(FORBIDDEN.format("aaa"), **ROLLING), None),
        (deployment(FORBIDDEN.format("bbb"), observedGeneration=1), None),
        (deployment(WEBHOOK, "NewReplicaSetCreated"), True),
        (deployment(WEBHOOK, **NEW), True),
        (deployment(WEBHOOK, **ROLLING), False),
        # Back to an earlier template, whose name the condition does not take up before there is progress.
        (deployment(FORBIDDEN.format("aaa"), "NewReplicaSetAvailable", **OLD), False),
        (deployment(FORBIDDEN.format("aaa"), "NewReplicaSetAvailable", **NEW), True),
        # Two refused changes one after the other: the condition goes on naming the first.
        (deployment(FORBIDDEN.format("ccc"), "NewReplicaSetCreated", **OLD), False),
    ],
)
def test_a_refusal_that_an_upgrade_has_mended(item: dict[str, Any], terminal: bool | None) -> None:
    """A Deployment tells of older templates' refusals, too: those don't count; where that is open, a moment tells."""
    finding = diagnosis.refused(item)
    assert (finding.terminal if finding else None) is terminal
    assert finding is None or finding.terminal or finding.patience <= 5


def test_an_older_templates_events() -> None:
    """Events of a ReplicaSet that is not the newest are not told either."""
    item = deployment("", replicas=3, updatedReplicas=1)
    events = [
        event("FailedCreate", FORBIDDEN.format(which), name=f"demo-worker-{which}", kind="ReplicaSet") for which in "ab"
    ]
    assert diagnosis.refused(item, events) is None
    assert diagnosis.refused(item, [event("FailedCreate", "x", name="demo-worker-bbb", kind="ReplicaSet")]) is not None


@pytest.mark.parametrize("why", ["NewReplicaSetAvailable", "NewReplicaSetCreated", "FoundNewReplicaSet"])
def test_a_name_that_kubernetes_has_left_behind(why: str) -> None:
    """A group that was at zero goes back to an earlier template, and the condition names the later one for good."""
    crashing = waiting("CrashLoopBackOff", container="worker", restartCount=5, lastState=ended(1))
    item = pod("demo-worker-aaa-x", "worker", containerStatuses=[crashing])
    item["metadata"]["labels"]["pod-template-hash"] = "aaa"
    (finding,) = diagnosis.survey([item], [deployment("", why, replicas=1, updatedReplicas=1)])
    assert (finding.error, finding.terminal) == (errors.CrashLoopError, True)


def test_an_older_template_makes_a_pod() -> None:
    """Where a pod of the older template is the newest, as one was evicted, the new template's trouble still counts."""
    stuck = pod("demo-worker-bbb-x", "worker", containerStatuses=[waiting("ImagePullBackOff", container="worker")])
    stuck["metadata"] |= {"creationTimestamp": at(10)}
    stuck["metadata"]["labels"]["pod-template-hash"] = "bbb"
    other = pod("demo-worker-aaa-y", "worker", conditions=[{"type": "Ready", "status": "True"}])
    other["metadata"] |= {"creationTimestamp": at(1)}
    other["metadata"]["labels"]["pod-template-hash"] = "aaa"
    item = deployment("", **ROLLING)
    (finding,) = diagnosis.survey([stuck, other], [item])
    assert finding.error is errors.ImagePullError


@pytest.mark.parametrize("again", [False, True])
async def test_the_log_of_the_life_that_ended(again: bool) -> None:
    """Where a container has begun anew by the time its log is read, what it ended of is in its last life's log."""
    crashing = pod(containerStatuses=[waiting("CrashLoopBackOff", restartCount=1, lastState=ended(1))])
    running = pod(containerStatuses=[{"name": "scheduler", "state": {"running": {}}}])

    class Kube(FakeKube):
        async def find(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
            return [running if again else crashing]

        async def log(self, pod: str, container: str, *, previous: bool = False, tail: int | None = None) -> str:
            return "it ended of this" if previous == again else "hello"

    finding = diagnosis.examine(crashing)
    assert finding is not None
    error = await Trouble(Kube(), "r").error(finding, {"p": crashing})  # type: ignore[arg-type]
    assert "it ended of this" in str(error)


async def test_workers_are_known_while_a_scheduler_comes_back() -> None:
    """Until a scheduler has told what it has, what the last one had is shown; a failed attempt leaves it."""
    known = {"workers": {"tls://w": {"name": "w"}}}
    comm = mock.AsyncMock()
    comm.read.side_effect = [OSError("gone again"), {"workers": {}}]
    cluster: Any = SimpleNamespace(
        scheduler_info=dict(known), scheduler_comm=mock.Mock(live_comm=mock.AsyncMock(return_value=comm))
    )
    with pytest.raises(OSError, match="gone again"):
        await ConnectedCluster._subscribe(cluster)
    assert cluster.scheduler_info == known
    assert await ConnectedCluster._subscribe(cluster) is comm
    assert cluster.scheduler_info == {"workers": {}}

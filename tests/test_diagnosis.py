"""From states to sentences, and from terminal ones to errors while waiting."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta, timezone

import pytest

from dask_kubernetes_helm import diagnosis, errors
from dask_kubernetes_helm.diagnosis import images, pods
from dask_kubernetes_helm.waiting import trouble, watching
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import FakeKube, pod, waiting


@pytest.mark.parametrize(
    ("status", "error", "terminal", "words"),
    [
        (waiting("ErrImagePull", "no route"), errors.ImagePullError, False, ["n1", "dask:1", "no route"]),
        (waiting("ImagePullBackOff"), errors.ImagePullError, True, ["dask:1"]),
        (waiting("InvalidImageName"), errors.ImagePullError, True, ["dask:1"]),
        (
            waiting("ErrImagePull", "failed to resolve reference: docker.io/library/dask:1: not found"),
            errors.ImagePullError, True, ["dask:1", "not found"],
        ),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), errors.MissingObjectError, True, ['"x"']),
        (waiting("CreateContainerConfigError", "runAsNonRoot"), errors.CrashLoopError, True, ["runAsNonRoot"]),
        (
            waiting("CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 2, "reason": "Error"}}),
            errors.CrashLoopError, True, ["exit code 2", "1 restart"],
        ),
        (
            {"name": "scheduler", "state": {"running": {}}, "restartCount": 1,
             "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            errors.OutOfMemoryError, False, ["OOMKilled", "no limit but its node"],
        ),
    ],
)  # fmt: skip
def test_containers(status: dict, error: type[Exception], terminal: bool, words: list[str]) -> None:
    """Each state of a container has its error, and says whether waiting mends it."""
    finding = diagnosis.examine(pod(containerStatuses=[status]))
    assert finding is not None
    assert (error, terminal) == (finding.error, finding.terminal)
    for word in words:
        assert word in finding.sentence


def test_out_of_memory_names_the_cure() -> None:
    """A container that was killed for its memory gets another cure than a crash."""
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    finding = diagnosis.examine(pod(containerStatuses=[{"name": "scheduler", "state": ended, "restartCount": 0}]))
    assert finding is not None
    assert "memory limit" in finding.cure


def test_packages_name_their_key() -> None:
    """Where pip failed, the cure names the values that it was given."""
    ended = {"name": "dask-packages", "restartCount": 1, **waiting("CrashLoopBackOff")}
    ended["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    finding = diagnosis.examine(pod(initContainerStatuses=[ended | {"name": "dask-packages"}]))
    assert finding is not None
    assert finding.terminal
    assert "dask-packages" in finding.sentence
    assert "extraPackages.pip or the variable EXTRA_PIP_PACKAGES" in finding.cure


def test_unscheduled_may_resolve() -> None:
    """No node takes the pod yet, but an autoscaler may bring one."""
    condition = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu."}
    finding = diagnosis.examine(pod(conditions=[condition]))
    assert finding is not None
    assert (errors.UnschedulableError, False) == (finding.error, finding.terminal)
    assert "Insufficient cpu" in finding.sentence


def test_a_healthy_pod_has_no_finding() -> None:
    """Running, and completed init containers, are no findings."""
    done = {"name": "init", "state": {"terminated": {"exitCode": 0}}, "restartCount": 0}
    running = {"name": "scheduler", "state": {"running": {}}, "restartCount": 0}
    assert diagnosis.examine(pod(initContainerStatuses=[done], containerStatuses=[running])) is None


SCHEDULED = {"type": "PodScheduled", "status": "True"}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (pod(), "waiting for a node"),
        (pod(conditions=[SCHEDULED]), "pulling image, creating"),
        (pod(conditions=[SCHEDULED], containerStatuses=[waiting("ContainerCreating")]), "pulling image, creating"),
        (pod(conditions=[SCHEDULED], containerStatuses=[waiting("ImagePullBackOff")]), "ImagePullBackOff"),
        (pod(conditions=[SCHEDULED], containerStatuses=[{"name": "scheduler", "state": {"running": {}}}]), "starting"),
        (pod(conditions=[{"type": "Ready", "status": "True"}]), "ready"),
        (pod(phase="Failed", reason="Evicted"), "evicted"),
        (pod(phase="Failed", reason="NodeShutdown", conditions=[SCHEDULED]), "nodeshutdown"),
        (pod(phase="Failed", conditions=[SCHEDULED], containerStatuses=[waiting("ContainerCreating")]), "failed"),
        (pod(phase="Failed", conditions=[{"type": "Ready", "status": "True"}]), "failed"),
        (pod(phase="Succeeded", conditions=[SCHEDULED]), "ended"),
    ],
)
def test_phases(item: dict, words: str) -> None:
    """Where a pod is, in a few words."""
    assert words == diagnosis.phase(item)


def event(reason: str, message: str, name: str = "p", kind: str = "Pod", at: str = "21:00") -> dict:
    """An event as the API has it."""
    return {
        "metadata": {"name": f"{name}.{reason}"},
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-11-26T{at}:00Z",
    }


CREATING = waiting("ContainerCreating")


@pytest.mark.parametrize(
    ("reason", "message", "error", "cure"),
    [
        (
            "FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "creds" not found',
            errors.MissingObjectError, "kubectl get secrets",
        ),
        (
            "FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "c" not found',
            errors.MissingObjectError, "kubectl get configmaps",
        ),
        (
            "FailedMount", 'MountVolume.SetUp failed for volume "v" : references non-existent secret key: k',
            errors.MissingObjectError, "correct the key",
        ),
        ("FailedAttachVolume", "Multi-Attach error for volume", errors.MissingObjectError, "goes on trying"),
        ("FailedCreatePodSandBox", "plugin type=calico failed", errors.StartError, "goes on trying"),
    ],
)  # fmt: skip
def test_what_stands_in_events_only(reason: str, message: str, error: type[Exception], cure: str) -> None:
    """What a pod that is being made waits for is told by its last event, and may still come."""
    item = pod(conditions=[SCHEDULED], containerStatuses=[CREATING])
    happened = [event(reason, "before", at="20:00"), event(reason, message), event(reason, "another's", name="q")]
    finding = diagnosis.examine(item, happened)
    assert finding is not None
    assert (finding.error, finding.terminal, finding.reason, finding.object) == (error, False, reason, "pod/p")
    assert message in finding.sentence
    assert cure in finding.cure


@pytest.mark.parametrize("state", [{"running": {}}, {"terminated": {"exitCode": 0}}])
def test_what_is_past(state: dict) -> None:
    """Once a container is made, what was in its way is past."""
    item = pod(conditions=[SCHEDULED], containerStatuses=[{"name": "scheduler", "state": state, "restartCount": 0}])
    assert diagnosis.examine(item, [event("FailedMount", 'secret "s" not found')]) is None


@pytest.mark.parametrize(
    ("message", "cures"),
    [
        ("2 Insufficient cpu", ["scheduler.resources"]),
        ("2 node(s) had untolerated taint {gpu: yes}", ["scheduler.tolerations"]),
        ("2 node(s) didn't match Pod's node affinity/selector", ["scheduler.nodeSelector"]),
        ("1 Insufficient memory, 1 node(s) had untolerated taint {a: b}", ["scheduler.resources", "tolerations"]),
        ("2 node(s) didn't match pod topology spread constraints", ["topologySpreadConstraints"]),
        ("2 Too many pods", ["add nodes"]),
        ("2 something new", ["kubectl describe"]),
    ],
)
def test_no_node(message: str, cures: list[str]) -> None:
    """The scheduler's own sentence is told without what preemption would bring, and the cure goes by it."""
    text = f"0/2 nodes are available: {message}. no new claims to deallocate, preemption: 0/2 nodes: No."
    item = pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}])
    finding = diagnosis.examine(item)
    assert finding is not None
    assert finding.sentence == f"No node takes pod p: 0/2 nodes are available: {message}"
    assert (finding.error, finding.reason) == (errors.UnschedulableError, "Unschedulable")
    for cure in cures:
        assert cure in finding.cure
    assert diagnosis.phase(item) == f"waiting for a node ({message})"


def test_a_claim_that_is_not_there() -> None:
    """A volume claim that no one has made is missing, rather than the pod too large."""
    message = '0/2 nodes are available: persistentvolumeclaim "data" not found.'
    finding = diagnosis.examine(pod(conditions=[{"type": "PodScheduled", "status": "False", "message": message}]))
    assert finding is not None
    assert (finding.error, finding.terminal) == (errors.MissingObjectError, False)
    assert "kubectl get persistentvolumeclaims" in finding.cure


@pytest.mark.parametrize(
    ("message", "terminal", "cure"),
    [
        ("pull access denied, repository does not exist", True, "image.pullSecrets"),
        ("unexpected status: 401 Unauthorized", True, "create secret docker-registry"),
        ("from host 127.0.0.1:34299 failed: 401 Unauthorized", True, "create secret docker-registry"),
        ("manifest unknown", True, "name and tag"),
        ("dial tcp 127.0.0.1:443: connect: connection refused", False, "does not reach the registry"),
        ("lookup nowhere.example: no such host", False, "does not reach the registry"),
        ("429 Too Many Requests: toomanyrequests", False, "does not reach the registry"),
        ("something new", False, "name and tag"),
    ],
)
def test_what_registries_say(message: str, terminal: bool, cure: str) -> None:
    """A registry's refusal ends the wait at the first try; one that is out of reach gets another."""
    finding = diagnosis.examine(pod(containerStatuses=[waiting("ErrImagePull", message)]))
    assert finding is not None
    assert (finding.error, finding.terminal) == (errors.ImagePullError, terminal)
    assert message in finding.sentence
    assert cure in finding.cure


def test_a_kubelet_that_rests_has_said_why_before() -> None:
    """Between two tries the registry's message is in an event only."""
    item = pod(containerStatuses=[waiting("ImagePullBackOff", 'Back-off pulling image "dask:1"')])
    finding = diagnosis.examine(item, [event("Failed", 'Failed to pull image "dask:1": manifest unknown')])
    assert finding is not None
    assert "manifest unknown" in finding.sentence


@pytest.mark.parametrize(
    ("count", "container", "terminal"), [(2, "scheduler", True), (1, "scheduler", False), (2, "dask-packages", False)]
)
def test_a_kubelet_that_tries_again_has_failed_before(count: int, container: str, terminal: bool) -> None:
    """A try that fails after one that did is final; a first one is not, nor that of another container."""
    failed = event("Failed", "Error: ErrImagePull") | {"count": count}
    failed["involvedObject"]["fieldPath"] = f"spec.containers{{{container}}}"
    item = pod(containerStatuses=[waiting("ErrImagePull", "connect: connection refused")])
    finding = diagnosis.examine(item, [failed])
    assert finding is not None
    assert (finding.terminal, "connection refused" in finding.sentence) == (terminal, True)


def test_memory_names_the_limit() -> None:
    """A container that was killed for its memory is told with its limit and the key that raises it."""
    item = pod("w", "worker", containerStatuses=[
        {"name": "worker", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3,
         "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
    ])  # fmt: skip
    item["metadata"]["labels"]["dask.org/worker-group"] = "big"
    item["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Gi"}}
    finding = diagnosis.examine(item)
    assert finding is not None
    assert (finding.error, finding.terminal, finding.reason) == (errors.OutOfMemoryError, True, "OOMKilled")
    assert "its limit is 2Gi" in finding.sentence
    assert "worker.groups.big.resources.limits.memory" in finding.cure


def test_what_has_crashed_and_runs_is_no_reason_to_give_up() -> None:
    """A worker that ended twice last week and is Ready now is fine; only a look back finds it, for a while."""
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-26T21:00:00Z"}}
    status = {"name": "scheduler", "state": {"running": {}}, "ready": True, "restartCount": 2, "lastState": ended}
    item = pod(containerStatuses=[status])
    assert diagnosis.examine(item) is None
    back = pods.restarted(item, datetime(2026, 11, 26, 20, 55, tzinfo=timezone.utc))
    assert back is not None
    assert (back.error, back.terminal, back.previous) == (errors.CrashLoopError, False, True)
    assert pods.restarted(item, datetime(2026, 11, 26, 21, 5, tzinfo=timezone.utc)) is None


def test_running_but_not_ready() -> None:
    """A pod that runs for a minute and is not Ready is told, and whether its node has gone."""
    status = {"name": "worker", "state": {"running": {"startedAt": "2026-11-26T21:00:00Z"}}}
    item = pod("w", "worker", containerStatuses=[status])
    now = datetime(2026, 11, 26, 21, 2, tzinfo=timezone.utc)
    finding = pods.unready(item, now)
    assert finding is not None
    assert "not registered with the scheduler" in finding.sentence
    assert pods.unready(item, now - timedelta(seconds=90)) is None
    gone = pods.unready(item, now, [event("NodeNotReady", "Node is not ready", name="w")])
    assert gone is not None
    assert (gone.error, "n1" in gone.sentence) == (errors.NodeLostError, True)


def test_many_with_the_same_are_one() -> None:
    """Findings that differ in the pod only are told once, with how many there are."""
    items = [pod(f"w-{number}", "worker", containerStatuses=[waiting("ImagePullBackOff")]) for number in range(3)]
    (finding,) = diagnosis.survey(items, [])
    assert finding.others == 2
    assert "(and 2 others)" in str(finding.exception("r", "lab"))


async def never() -> bool:
    return False


async def test_a_terminal_cause_ends_the_wait_at_once() -> None:
    """The typed error comes with the log's end, long before the time is over."""
    status = waiting("CrashLoopBackOff", restartCount=3, lastState={"terminated": {"exitCode": 1}})
    kube = FakeKube(("ADDED", pod(containerStatuses=[status])), log="line\nlast words")
    began = time.monotonic()
    async with Watcher(kube, "r") as watcher:
        with pytest.raises(errors.CrashLoopError, match=r"(?s)last words.*release r, namespace lab"):
            await watcher.until(never, component="scheduler", timeout=60, what="it")
    assert time.monotonic() - began < 10


async def test_what_is_in_the_way_is_told_when_time_is_over() -> None:
    """A cause that might have resolved is in the timeout's message."""
    condition = {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
    async with Watcher(FakeKube(("ADDED", pod(conditions=[condition]))), "r") as watcher:
        with pytest.raises(
            errors.StartTimeoutError, match=r"the scheduler was not there after 0 s.*Insufficient cpu"
        ) as caught:
            await watcher.until(never, component="scheduler", timeout=0.3, what="the scheduler")
    assert isinstance(caught.value, TimeoutError)


async def test_other_components_do_not_end_the_wait() -> None:
    """A worker that crashes does not stop the wait for the scheduler."""
    crashing = pod("w", "worker", containerStatuses=[waiting("ImagePullBackOff", container="worker")])
    async with Watcher(FakeKube(("ADDED", crashing)), "r") as watcher:
        with pytest.raises(errors.StartTimeoutError):
            await watcher.until(never, component="scheduler", timeout=0.3, what="it")


async def test_pods_that_go_are_forgotten() -> None:
    """A deletion is a change as well, and ends the wait for it."""
    script = [("ADDED", pod("a")), ("ADDED", pod("b")), ("DELETED", pod("a"))]
    async with Watcher(FakeKube(*script), "r") as watcher:

        async def one_left() -> bool:
            return set(watcher.pods) == {"b"}

        assert await watcher.until(one_left, component=None, timeout=10, what="it")


async def test_errors_have_attributes() -> None:
    """What is raised says which object of which release, and Kubernetes' word for it."""
    kube = FakeKube(("ADDED", pod(containerStatuses=[waiting("ImagePullBackOff", "no such")])))
    async with Watcher(kube, "r") as watcher:
        with pytest.raises(errors.ImagePullError) as caught:
            await watcher.until(never, component="scheduler", timeout=60, what="it")
    error = caught.value
    assert (error.release, error.namespace, error.object, error.reason) == ("r", "lab", "pod/p", "ImagePullBackOff")
    assert "image.pullSecrets" in error.cure


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
NODE = {"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}}}


async def test_what_stands_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may resolve by itself is logged once, with the largest node, and is the cause of the timeout's error."""
    monkeypatch.setattr(trouble, "STANDS", 0.1)
    item = pod(conditions=[UNSCHEDULED])
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "999"}}
    kube = FakeKube(("ADDED", item), listed={"nodes": [NODE]})
    with caplog.at_level(logging.WARNING):
        async with Watcher(kube, "r") as watcher:
            with pytest.raises(errors.StartTimeoutError) as caught:
                await watcher.until(never, component="scheduler", timeout=0.5, what="it", interval=0.05)
    (record,) = caplog.records
    for text in (record.getMessage(), str(caught.value)):
        assert "1 Insufficient cpu. A pod asks for cpu 999, but the largest node, n1, has cpu 2 to give" in text
    assert isinstance(caught.value.__cause__, errors.UnschedulableError)


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull that goes on failing is final, whatever the kubelet calls it."""
    monkeypatch.setattr(images, "_PATIENCE", 0.2)
    item = pod(containerStatuses=[waiting("ErrImagePull", "connection refused")])
    async with Watcher(FakeKube(("ADDED", item)), "r") as watcher:
        with pytest.raises(errors.ImagePullError, match="connection refused"):
            await watcher.until(never, component="scheduler", timeout=60, what="it", interval=0.05)


async def test_events_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of the namespace are listed as warnings, and those of the pod are heeded."""
    monkeypatch.setattr(watching, "EVENTS_AFTER", 0.0)
    item = pod(conditions=[SCHEDULED], containerStatuses=[CREATING])
    events = [event("FailedMount", 'secret "creds" not found'), event("FailedMount", "other", name="other")]
    async with Watcher(FakeKube(("ADDED", item), listed={"events": events}), "r") as watcher:
        with pytest.raises(errors.StartTimeoutError, match='secret "creds" not found') as caught:
            await watcher.until(never, component="scheduler", timeout=0.3, what="it")
    assert "other" not in str(caught.value)


async def test_events_that_may_not_be_read_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of events ends no wait."""
    monkeypatch.setattr(watching, "EVENTS_AFTER", 0.0)
    refused = asyncio.Event()

    class Reserved(FakeKube):
        async def snapshot(self, resource: str, selector: str = "", *, fields: str = "") -> tuple[list[dict], str]:
            if resource == "events":
                refused.set()
                raise errors.ForbiddenError("may not list events", status=403)
            return await super().snapshot(resource, selector, fields=fields)

    async with Watcher(Reserved(("ADDED", pod("a"))), "r") as watcher:

        async def there() -> bool:
            return set(watcher.pods) == {"a"} and refused.is_set()

        assert await watcher.until(there, component="scheduler", timeout=10, what="it")


def deployed(**status: int) -> dict:
    labels = {"app.kubernetes.io/component": "worker"}
    return {"metadata": {"name": "d", "labels": labels, "generation": 2}, "spec": {"replicas": 2}, "status": status}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"observedGeneration": 1, "updatedReplicas": 2, "replicas": 2}, []),
        ({"observedGeneration": 2, "replicas": 2}, []),
        ({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 3}, ["pod/new"]),
    ],
)
def test_pods_on_their_way_out_do_not_count(status: dict, found: list[str]) -> None:
    """In a rollout, only pods of the newest template tell how it goes."""
    old, new = (pod(name, "worker", containerStatuses=[waiting("ImagePullBackOff", name)]) for name in ("old", "new"))
    for item, second in ((old, "00"), (new, "30")):
        item["metadata"]["creationTimestamp"] = f"2026-11-26T21:00:{second}Z"
        item["metadata"]["labels"]["pod-template-hash"] = item["metadata"]["name"]
    pods_there = [old, new] if found else [old]
    assert [finding.object for finding in diagnosis.survey(pods_there, [deployed(**status)])] == found

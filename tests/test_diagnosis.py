"""From states to sentences, and from terminal ones to errors while waiting."""

from __future__ import annotations

import time

import pytest

from dask_kubernetes_helm import diagnosis, errors
from dask_kubernetes_helm.watching import Watcher

from .fakes import FakeKube, pod, waiting


@pytest.mark.parametrize(
    ("status", "error", "terminal", "words"),
    [
        (waiting("ErrImagePull", "no route"), errors.ImagePullError, False, ["n1", "dask:1", "no route"]),
        (waiting("ImagePullBackOff"), errors.ImagePullError, True, ["dask:1"]),
        (waiting("InvalidImageName"), errors.ImagePullError, True, ["dask:1"]),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), errors.CrashLoopError, True, ['secret "x"']),
        (
            waiting("CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 2, "reason": "Error"}}),
            errors.CrashLoopError, True, ["exit code 2", "1 restart"],
        ),
        (
            {"name": "scheduler", "state": {"running": {}}, "restartCount": 1,
             "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            errors.CrashLoopError, False, ["OOMKilled"],
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
    ],
)
def test_phases(item: dict, words: str) -> None:
    """Where a pod is, in a few words."""
    assert words == diagnosis.phase(item)


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

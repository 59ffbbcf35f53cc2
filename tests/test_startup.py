"""How long a start took: from what pods, events and the scheduler tell to steps, totals and the slowest."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from dask_kubernetes_helm.reports import startup, timing

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pod(name: str, component: str, scheduled: float | None = None, started: float | None = None,
        ready: float | None = None, **container: Any) -> dict[str, Any]:  # fmt: skip
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": stamp(when)}
        for kind, when in (("PodScheduled", scheduled), ("Ready", ready))
        if when is not None
    ]
    state = {"running": {"startedAt": stamp(started)}} if started is not None else {"waiting": {}}
    return {
        "metadata": {
            "name": name, "uid": name, "creationTimestamp": stamp(0),
            "labels": {"app.kubernetes.io/component": component},
        },
        "spec": {"nodeName": "n1"},
        "status": {"conditions": conditions, "containerStatuses": [{"name": component, "state": state, **container}]},
    }  # fmt: skip


def pulled(uid: str, seconds: float, message: str) -> dict[str, Any]:
    about = {"kind": "Pod", "uid": uid}
    return {"reason": "Pulled", "involvedObject": about, "message": message, "firstTimestamp": stamp(seconds)}


def made(**more: Any) -> startup.StartupReport:
    pods = [
        pod("w-1", "worker", 1, 40, 46),
        pod("s", "scheduler", 1, 3, 6),
        pod("w-2", "worker", 2, 4),
        pod("w-3", "worker"),
    ]
    long = 'Successfully pulled image "dask:1" in 12.5s (36.25s including waiting). Image size: 367001600 bytes.'
    told = [pulled("w-1", 38, long), pulled("w-2", 3, 'Container image "dask:1" already present on machine')]
    registered = {"w-1": NOON + timedelta(seconds=45.5)}
    return timing.report(pods, told, registered, release="demo", namespace="lab", **more)


def test_steps_of_pods() -> None:
    """Each pod has its steps as far as it is, the scheduler first, and an image's time and size by its event."""
    report = made()
    assert report.pods[0].name == "s"
    by_name = {item.name: item for item in report.pods}
    assert [by_name[name].state for name in ("s", "w-1", "w-2", "w-3")] == [
        "ready", "registered", "starting", "waiting for a node",
    ]  # fmt: skip
    slow = by_name["w-1"]
    assert (slow.pull_seconds, slow.image_bytes) == (36.25, 367001600)
    assert slow.steps == {
        "waiting for a node": 1.0,
        "pulling images": 36.25,
        "preparing volumes and containers": 2.75,
        "starting Dask": 5.5,
    }
    assert by_name["w-2"].pull_seconds is None
    assert by_name["w-3"].seconds is None


def test_totals_and_the_slowest() -> None:
    """What was shown while waiting gives the totals, and the longest step of all is named with its pod."""
    marks = [
        (0.0, "release", "checking", False), (0.5, "release", "installing", False), (2.0, "release", "demo in", True),
        (2.1, "scheduler", "pulling", False), (7.5, "scheduler", "reached", True),
    ]  # fmt: skip
    report = made(marks=marks)
    assert report.totals == {"checks": 0.5, "helm": 1.5, "scheduler": 5.5, "workers": 46.0}
    assert report.slowest == {"step": "pulling images", "pod": "w-1", "seconds": 36.25}
    assert made(marks=[(3.0, "scheduler", "reached", True)]).totals["scheduler"] == 3.0


def test_how_it_reads() -> None:
    """As text and HTML, with what could not be had; as plain data for programs."""
    report = made(missing=["when workers registered: the scheduler <does> not answer"])
    text = str(report)
    assert "The slowest step was pulling images (pod w-1), with 36 s." in text
    assert "36 s, 350 MiB" in text
    assert "was there" in text
    assert "Not known: when workers registered" in text
    assert "&lt;does&gt;" in report._repr_html_()
    assert report.to_dict()["pods"][1]["created"] == "2026-11-26T12:00:00+00:00"
    empty = timing.report([], [], {}, release="demo", namespace="lab")
    assert "No pods." in str(empty)
    assert empty.slowest is None


def test_when_workers_registered() -> None:
    """The scheduler's own events tell, for the workers that it has now; a second coming is the one that counts."""
    told = [
        (NOON.timestamp(), {"action": "add-worker", "worker": "tcp://a"}),
        (NOON.timestamp() + 9, {"action": "add-worker", "worker": "tcp://a"}),
        (NOON.timestamp() + 5, {"action": "add-worker", "worker": "tcp://gone"}),
        (NOON.timestamp() + 6, "something else"),
    ]
    found = timing.registrations(told, {"tcp://a": {"name": "w-1"}, "tcp://b": {"name": "w-2"}})
    assert found == {"w-1": NOON + timedelta(seconds=9)}


def test_several_workers_in_a_pod() -> None:
    """A pod has come up with the last of its workers; another pod of a similar name is another."""
    registered = {"w-0": NOON + timedelta(seconds=3), "w-1": NOON + timedelta(seconds=5), "wx-1": NOON}
    (found,) = timing.report([pod("w", "worker", 0, 1, 9)], [], registered, release="r", namespace="n").pods
    assert found.registered == NOON + timedelta(seconds=5)
    assert found.restarts == 0


def test_a_restart_is_told() -> None:
    """A container that began anew says so in the table, and is in no total: its times are of its life now."""
    report = timing.report([pod("w", "worker", 0, 1, 9, restartCount=2)], [], {}, release="r", namespace="n")
    assert "registered, 2 restarts" in str(report)
    assert report.pods[0].seconds is None
    assert report.pods[0].steps == {"waiting for a node": 0.0}
    assert report.totals == {}

"""Events of the API as ours: whose they are, in which order, and how they read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dask_kubernetes_helm import moments
from dask_kubernetes_helm.reports import events

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


def event(kind: str = "Pod", name: str = "demo-dask-worker-5d8f9c7b6d-x2x4z", seconds: int = 0, **more: Any) -> dict:
    when = (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    about = {"kind": kind, "name": name, "uid": more.pop("uid", "u")}
    said = {"reason": "Pulled", "message": "there", "type": "Normal", "lastTimestamp": when, "count": 1}
    return {"metadata": {}, "involvedObject": about, **said, **more}


def thing(name: str, uid: str, seconds: int = -10) -> dict:
    when = (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"metadata": {"name": name, "uid": uid, "creationTimestamp": when}}


@pytest.mark.parametrize(
    ("item", "mine"),
    [
        (event(), True),
        (event("ReplicaSet", "demo-dask-worker-5d8f9c7b6d"), True),
        (event("Deployment", "demo-dask-worker", uid="deployment"), True),
        (event("Deployment", "demo-dask-worker", uid="of the release before"), False),
        (event("Service", "demo-dask-scheduler", uid="service"), True),
        (event("Service", "another", uid="s"), False),
        # A group's pods, and a release whose name begins likewise, have their own Deployments.
        (event("Pod", "demo-dask-worker-gpu-5d8f9c7b6d-x2x4z"), False),
        (event("ReplicaSet", "demo-dask-worker-gpu-5d8f9c7b6d"), False),
        (event("Pod", "other-demo-dask-worker-5d8f9c7b6d-x2x4z"), False),
        (event(seconds=-3600), False),
    ],
)
def test_whose_events(item: dict, mine: bool) -> None:
    """A release's are those of its objects, pods that are gone included; not those of a release before it."""
    deployments, others = [thing("demo-dask-worker", "deployment")], [thing("demo-dask-scheduler", "service")]
    assert bool(events.of_release([item], deployments, others)) is mine


def test_without_deployments_there_are_none() -> None:
    """Nothing is taken for a release's that has nothing."""
    assert events.of_release([event()], [], []) == []


def test_folded_and_in_order() -> None:
    """What was said again is said once with its number, the newest last; older ones than asked for are left out."""
    items = [
        event(seconds=30),
        event(seconds=5, reason="BackOff", type="Warning", count=4),
        event(seconds=20, reason="BackOff", type="Warning", count=2),
        event(seconds=-50, reason="Old"),
    ]
    found = events.folded(items, NOON)
    assert [(item.reason, item.count) for item in found] == [("BackOff", 6), ("Pulled", 1)]
    assert found[0].when == NOON + timedelta(seconds=20)
    assert found.to_dict()[0]["when"] == "2026-11-26T12:00:20+00:00"


def test_all_forms_of_time() -> None:
    """Events of either API have a time: the last one that they tell."""
    series = {"count": 7, "lastObservedTime": "2026-11-26T12:00:09.000000Z"}
    newer = {**event(), "lastTimestamp": None, "eventTime": "2026-11-26T12:00:01.5Z", "count": None, "series": series}
    (found,) = events.folded([newer])
    assert (found.when, found.count) == (NOON + timedelta(seconds=9), 7)
    bare = {"metadata": {"creationTimestamp": "2026-11-26T12:00:00Z"}, "involvedObject": {}}
    assert events.folded([bare])[0].when == NOON


def test_how_they_read() -> None:
    """As a table of text and of HTML, in which nothing of Kubernetes' words is markup."""
    found = events.folded([event(message="<b>pull</b> failed", type="Warning")])
    assert "Pod/demo-dask-worker-5d8f9c7b6d-x2x4z" in str(found)
    assert "WHEN" in repr(found)
    assert "&lt;b&gt;pull" in found._repr_html_()
    assert "WHEN" in str(found[-1:])
    assert str(events.Events()) == "No events."
    assert "Warning Pulled Pod/demo" in str(found[0])


def test_moments() -> None:
    """Kubernetes' stamps are read with any number of digits and any zone; what is none is none."""
    assert moments.parse("2026-11-26T13:00:00.5+01:00") == NOON + timedelta(seconds=0.5)
    assert moments.parse("2026-11-26 12:00") is None
    assert moments.parse(None) is None
    assert moments.since(timedelta(minutes=2)) == 120
    beginning = moments.beginning(moments.since("1 hour"))
    assert beginning is not None
    assert beginning < datetime.now(timezone.utc)

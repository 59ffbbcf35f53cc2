"""What is left of releases: what counts as that, and that nothing else is removed."""

from __future__ import annotations

import json

import pytest

from dask_kubernetes_helm.releases import survey

from .conftest import Namespace, deployment, invoke, owner, record

HOUR = 3600.0


def left(*options: str) -> dict[str, str]:
    return {one["release"]: one["why"] for one in json.loads(invoke("gc", "-o", "json", *options).stdout)}


def test_a_release_in_use_is_not_left(dask: Namespace) -> None:
    """Nor is another tool's record, or an install that has just begun."""
    dask.add("secrets", record("stranger", "failed", age=HOUR))
    dask.add("configmaps", owner("young", age=5), owner("under-way", age=60))
    dask.add("secrets", record("under-way", "pending-install", age=60, owner="under-way-owner"))
    assert left() == {}
    assert invoke("gc").stdout == "Nothing is left over.\n"


@pytest.mark.parametrize(
    ("records", "owned", "words"),
    [
        pytest.param([("failed", 1, 5.0)], True, "its install failed", id="failed"),
        pytest.param([("pending-install", 1, HOUR)], True, "it has been pending-install", id="pending"),
        pytest.param([], True, "only its owner is left", id="owner"),
        pytest.param([("deployed", 1, 5.0)], False, "only Helm's record", id="record"),
    ],
)
def test_halves_of_releases(lab: Namespace, records: list[tuple[str, int, float]], owned: bool, words: str) -> None:
    """Each is listed with its reason, and removed by --yes, records and owner."""
    for status, revision, age in records:
        lab.add("secrets", record("half", status, revision=revision, age=age, owner="half-owner"))
    if owned:
        lab.add("configmaps", owner("half"))
    assert words in left()["half"]
    assert not lab.deleted
    printed = invoke("gc").stdout
    assert words in printed
    assert "--yes removes them." in printed
    assert "Removed." in invoke("gc", "--yes").stdout
    assert len(lab.deleted) == len(records) + owned
    assert left() == {}


def test_a_failed_upgrade_is_no_leftover(lab: Namespace) -> None:
    """The revision before it runs on."""
    lab.add("configmaps", owner("dask"))
    lab.add("deployments", deployment("dask", "worker", replicas=0))
    for revision, status in enumerate(("superseded", "deployed", "failed"), start=1):
        lab.add("secrets", record("dask", status, revision=revision, age=HOUR, owner="dask-owner"))
    assert left() == {}


@pytest.mark.parametrize("statuses", [("deployed",), ("superseded", "deployed"), ("superseded", "deployed", "failed")])
def test_a_release_without_deployments_is_left(lab: Namespace, statuses: tuple[str, ...]) -> None:
    """What Helm calls deployed runs no more once somebody has deleted its Deployments; another's don't count."""
    lab.add("deployments", deployment("other"))
    lab.add("configmaps", owner("dask"))
    for revision, status in enumerate(statuses, start=1):
        lab.add("secrets", record("dask", status, revision=revision, age=HOUR, owner="dask-owner"))
    assert left() == {"dask": "its Deployments are gone"}
    assert "Removed." in invoke("gc", "--yes").stdout
    assert len(lab.deleted) == len(statuses) + 1
    assert left() == {}


def test_an_upgrade_under_way_is_not_left(lab: Namespace) -> None:
    """Helm may be about to make again what was deleted."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", "superseded", age=HOUR, owner="dask-owner"))
    lab.add("secrets", record("dask", "pending-upgrade", revision=2, age=60, owner="dask-owner"))
    assert left() == {}


@pytest.mark.parametrize("label", ["dask-owner", ""])
def test_what_somebody_upgraded_by_hand_is_not_left(lab: Namespace, label: str) -> None:
    """It may be another chart's by now, whether Helm has handed on our label or not."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", "superseded", age=HOUR, owner="dask-owner", adopted=True))
    lab.add("secrets", record("dask", "deployed", revision=2, age=HOUR, owner=label))
    assert left() == {}


def test_records_that_helm_keeps_elsewhere(lab: Namespace) -> None:
    """An owner whose Deployments are there has not been left, though no Secret tells of it."""
    lab.add("configmaps", owner("dask"))
    lab.add("deployments", deployment("dask", owned=True))
    assert left() == {}


def test_releases_without_clients(dask: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """They count where they are asked for, and only those that tell; under the path that their pages have."""
    dask.add("deployments", deployment("used", args=["--dashboard-prefix=/team/dask"]), deployment("mute"))
    dask.add("configmaps", owner("used"), owner("mute"))
    dask.add("secrets", record("used", owner="used-owner"), record("mute", owner="mute-owner"))
    pages = {
        ("dask", "/metrics"): b"HTTP/1.0 200 OK\r\n\r\n# TYPE\ndask_agent_alone_seconds 700000.0\nother 1\n",
        ("used", "/team/dask/metrics"): b"HTTP/1.0 200 OK\r\n\r\ndask_agent_alone_seconds 60.0\n",
    }

    async def page(kube, release: str, path: str) -> bytes:
        if (release, path) not in pages:
            raise OSError
        return pages[release, path]

    monkeypatch.setattr(survey, "_page", page)
    assert left() == {}
    assert left("--unused", "7 days") == {"dask": "has had no client"}
    assert "8d" in invoke("gc", "--unused", "7 days").stdout


@pytest.mark.parametrize("resource", ["configmaps", "secrets", "deployments"])
def test_who_may_not_look_is_told(lab: Namespace, resource: str) -> None:
    """A missing right is an error with its cure: who can't see what runs can't tell what is left."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", age=HOUR, owner="dask-owner"))
    lab.forbidden.add(resource)
    assert f"may not list {resource}" in invoke("gc", "--yes", code=1).stderr
    assert not lab.deleted

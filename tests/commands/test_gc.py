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
    for revision, status in enumerate(("superseded", "deployed", "failed"), start=1):
        lab.add("secrets", record("dask", status, revision=revision, age=HOUR, owner="dask-owner"))
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


def test_who_may_not_look_is_told(lab: Namespace) -> None:
    """A missing right is an error with its cure."""
    lab.forbidden.add("configmaps")
    assert "may not list configmaps" in invoke("gc", code=1).stderr

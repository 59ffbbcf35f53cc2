"""The pod that Python runs in: what is known of it from inside, and what it is told where policies keep it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dask_kubernetes_helm import contract, errors
from dask_kubernetes_helm.connections.connect import IN_CLUSTER, Connection
from dask_kubernetes_helm.releases import ownership, ownpod, release
from dask_kubernetes_helm.releases.release import Release
from dask_kubernetes_helm.waiting.progress import Progress

from .fakes import FakeKube, pod, service

READY: dict[str, Any] = {
    "containerStatuses": [{"name": "scheduler", "state": {"running": {}}}],
    "conditions": [{"type": "Ready", "status": "True"}],
}


class Kube(FakeKube):
    """An API that has one more pod, this process's own, or refuses to show it."""

    def __init__(self, *script: Any, labels: dict[str, str] | None = None, seen: bool = True) -> None:
        super().__init__(*script)
        self.labels, self.seen = labels, seen
        self.asked: list[tuple[str, str]] = []
        self.made: list[dict[str, Any]] = []

    async def get(self, resource: str, name: str) -> dict[str, Any]:
        self.asked.append((resource, name))
        if not self.seen:
            raise errors.ForbiddenError("no", status=403)
        metadata = {"name": name, "uid": "u"} | ({} if self.labels is None else {"labels": self.labels})
        return {"metadata": metadata}

    async def create(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        self.made.append(body)
        return {"metadata": {"name": "owner", "uid": "o"}}


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This process runs in the pod `notebook` of the namespace `lab`; where its namespace is told."""
    told = tmp_path / "namespace"
    told.write_text("lab\n")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("HOSTNAME", "notebook")
    monkeypatch.setattr(ownpod, "_NAMESPACE", told)
    return told


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


async def test_outside_there_is_none() -> None:
    """A process that runs in no pod asks for none, and is told nothing of policies: they don't stop a port-forward."""
    kube = Kube()
    assert await ownpod.find(kube) is None  # type: ignore[arg-type]
    assert await ownpod.stranger(kube, "r") == ""  # type: ignore[arg-type]
    assert kube.asked == []


async def test_it_is_found(inside: Path) -> None:
    """By its host name, in the release's namespace only, and not where that is forbidden."""
    kube = Kube()
    found = await ownpod.find(kube)  # type: ignore[arg-type]
    assert found is not None
    assert kube.asked == [("pods", "notebook")]
    assert await ownpod.find(Kube(seen=False)) is None  # type: ignore[arg-type]
    for elsewhere in ("other", None):
        inside.unlink() if elsewhere is None else inside.write_text(elsewhere)
        kube = Kube()
        assert await ownpod.find(kube) is None  # type: ignore[arg-type]
        assert kube.asked == []


@pytest.mark.parametrize("value", ["r", "true"])
async def test_a_client_is_told_nothing(inside: Path, value: str) -> None:
    """A pod that has the label is a client, so whatever is in the way, that is not it."""
    assert await ownpod.stranger(Kube(labels={contract.CLIENT_LABEL: value}), "r") == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [None, {}, {"app": "x"}, {contract.CLIENT_LABEL: "another"}])
async def test_a_pod_without_the_label(inside: Path, labels: dict[str, str] | None) -> None:
    """It is told which label makes it a client, by a command that can be copied."""
    said = await ownpod.stranger(Kube(labels=labels), "r")  # type: ignore[arg-type]
    assert "this pod has no label dask.org/client" in said
    assert "`kubectl label pod notebook --namespace lab dask.org/client=r`" in said
    assert "namespaceSelector" not in said


async def test_a_pod_that_is_not_known(inside: Path) -> None:
    """What can't be seen is not claimed; a pod of another namespace needs that to be let in as well."""
    assert "may have no label" in await ownpod.stranger(Kube(seen=False), "r")  # type: ignore[arg-type]
    inside.write_text("notebooks")
    said = await ownpod.stranger(Kube(), "r")  # type: ignore[arg-type]
    assert "may have no label" in said
    assert "--namespace notebooks dask.org/client=r" in said
    assert "networkPolicy.client.namespaceSelector lets namespace notebooks in" in said


@pytest.mark.parametrize("bound", [True, False])
async def test_a_release_goes_with_its_pod(inside: Path, *, bound: bool) -> None:
    """The owner of a release that is bound to this process belongs to this process's pod."""
    kube = Kube()
    await ownership.create(kube, "r", bound=bound)  # type: ignore[arg-type]
    expected = [{"apiVersion": "v1", "kind": "Pod", "name": "notebook", "uid": "u"}]
    assert kube.made[0]["metadata"].get("ownerReferences") == (expected if bound else None)


# A scheduler that does not answer -----------------------------------------------------------------------


async def _reach(kube: Kube, monkeypatch: pytest.MonkeyPatch, *, route: str, timeout: float) -> None:
    async def connect(self: Any) -> Connection:
        return Connection(route, "", "r-scheduler.lab.svc", 8786, 8787)

    async def silence(address: str) -> bool:
        return False

    monkeypatch.setattr(release.Router, "connect", connect)
    monkeypatch.setattr(release, "_PROBE_INTERVAL", 0.01)
    found = Release("r", kube)  # type: ignore[arg-type]
    found.service = service()
    await found.reach(silence, Progress("r", quiet=True), timeout)


async def test_a_ready_scheduler_that_does_not_answer(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod without the label is told so long before its time is over."""
    monkeypatch.setattr(release, "_SILENT", 0.1)
    kube = Kube(("ADDED", pod(**READY)), labels={})
    with pytest.raises(
        errors.SchedulerUnreachableError, match=r"kubectl label pod notebook .*dask.org/client=r"
    ) as raised:
        await _reach(kube, monkeypatch, route=IN_CLUSTER, timeout=60)
    assert (raised.value.release, raised.value.namespace) == ("r", "lab")


@pytest.mark.parametrize(
    ("status", "labels", "route"),
    [
        (READY, {contract.CLIENT_LABEL: "r"}, IN_CLUSTER),
        (READY, {}, "port-forward"),
        ({**READY, "conditions": []}, {}, IN_CLUSTER),
    ],
    ids=["a client", "another route", "not Ready"],
)
async def test_others_wait(
    inside: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], labels: dict[str, str], route: str
) -> None:
    """Who is a client, who comes by another way, and who is before its time waits as long as it may."""
    monkeypatch.setattr(release, "_SILENT", 0.01)
    with pytest.raises(errors.StartTimeoutError):
        await _reach(Kube(("ADDED", pod(**status)), labels=labels), monkeypatch, route=route, timeout=0.5)

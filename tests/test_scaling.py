"""The order of a shrink's acts, with a scheduler and a Deployment that are played: the patch comes last, or never."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.elasticity import rollout
from dask_kubernetes_helm.elasticity.scaling import PATIENCE, Scaling
from dask_kubernetes_helm.errors import ScaleConflictError


class Desk:
    """Empties one of three workers, and tells of what it was scripted to from then on."""

    def __init__(self, *looks: dict[str, Any]) -> None:
        self.looks, self.ended = list(looks), ""

    async def begin(self, check: Any, **order: Any) -> dict[str, Any]:
        return {"phase": contract.EMPTY, "in_service": 1, "kept": []}

    async def look(self, check: Any, number: str) -> dict[str, Any]:
        return {"kept": [], **(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])}

    async def end(self, number: str, outcome: str, **done: Any) -> None:
        self.ended = outcome

    async def end_badly(self, number: str, outcome: str, calls: int) -> None:
        self.ended = outcome


class Release:
    name, namespace = "demo", "lab"

    def __init__(self) -> None:
        self.kube, self.patched = self, list[tuple[int, int, float]]()
        self.calls, self.replicas, self.ready = 0, {"default": 3}, {"default": 3}

    def deployment(self, group: str) -> str:
        return "demo-worker"

    async def scale(self, deployment: str, replicas: int, seen: int, patience: float) -> bool:
        self.patched.append((seen, replicas, patience))
        return True


async def shrunk(desk: Desk, counts: list[int], monkeypatch: pytest.MonkeyPatch) -> Release:
    async def finished(*_: Any) -> int:
        return 3

    async def ready(*_: Any) -> AsyncGenerator[int, None]:
        for count in counts:
            yield count

    async def rest(group: str) -> None: ...

    monkeypatch.setattr(rollout, "finished", finished)
    monkeypatch.setattr(rollout, "ready", ready)
    release: Any = Release()
    scaling = Scaling(release, desk, SimpleNamespace(rest=rest))  # type: ignore[arg-type]
    try:
        await scaling.scale(1, None, force=False, timeout=10)
    finally:
        desk.release = release  # type: ignore[attr-defined]
    return release  # type: ignore[no-any-return]


EMPTY, UNDONE = ({"phase": phase, "in_service": count} for phase, count in ((contract.EMPTY, 1), ("undone", 3)))


async def test_the_patch_comes_once_kubernetes_has_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """When those in service, and only those, are Ready the number is patched, with patience."""
    desk = Desk(EMPTY)
    release = await shrunk(desk, [3, 2, 1], monkeypatch)
    assert release.patched == [(3, 1, PATIENCE)]
    assert desk.ended == "done"


async def test_what_was_undone_is_not_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that has put all back into service meanwhile is believed, even where as many are Ready."""
    desk = Desk(EMPTY, UNDONE)
    with pytest.raises(ScaleConflictError, match="undone by the scheduler"):
        await shrunk(desk, [3, 3, 3], monkeypatch)
    assert desk.release.patched == []  # type: ignore[attr-defined]
    assert "undone" in desk.ended


async def test_a_vote_in_vain(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where Kubernetes never counts right the patch is tried once: it is not to lie in wait for an API server."""
    release = await shrunk(Desk(EMPTY), [3, 3, 3], monkeypatch)
    assert release.patched == [(3, 1, 0.0)]
    assert "Kubernetes may take others" in caplog.text

"""Waiting for a worker group's Deployment, with an API that plays what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from dask_kubernetes_helm.elasticity import rollout


class Api:
    """A Deployment with one count of Ready pods after the other."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts

    def _deployment(self, count: int) -> dict[str, Any]:
        return {"metadata": {"name": "dask-worker"}, "spec": {}, "status": {"readyReplicas": count}}

    async def snapshot(self, *_: Any) -> tuple[list[dict[str, Any]], str]:
        return [self._deployment(self._counts[0])], "1"

    async def watch(self, *_: Any, **how: Any) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        for count in self._counts[1:]:
            yield "MODIFIED", self._deployment(count)


async def counted(counts: list[int], every: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What `ready` tells, by a clock that moves `every` seconds with each."""
    release: Any = SimpleNamespace(name="demo", kube=Api(counts))
    now = 0.0
    monkeypatch.setattr(rollout, "_TICK", 60.0)
    monkeypatch.setattr(rollout.time, "monotonic", lambda: now)
    found = []
    async for count in rollout.ready(release, "default", 0.0):
        found.append(count)
        now += every
        if len(found) == len(counts):
            break
    return found


async def test_thousands_of_pods_may_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as fewer and fewer are Ready it goes on, however long all of it takes."""
    counts = list(range(20, 10, -1))
    assert await counted(counts, rollout.READY_TIMEOUT * 0.9, monkeypatch) == counts


async def test_a_count_that_does_not_fall_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that stays, or goes up and down, ends it."""
    counts = [20, 19, 20, 19, 20, 19, 20]
    assert await counted(counts, rollout.READY_TIMEOUT * 0.9, monkeypatch) == counts[:3]

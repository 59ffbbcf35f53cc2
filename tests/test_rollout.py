"""Waiting for a worker group's Deployment, by news that are played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from dask_kubernetes_helm.elasticity import rollout
from dask_kubernetes_helm.errors import KubernetesError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi import following

#: In place of a count of Ready pods: the API server can't be reached; the Deployment is deleted.
AWAY, DELETED = -1, -2


def news_of(count: int) -> tuple[str, dict[str, Any]]:
    if count == AWAY:
        return following.UNHEARD, {"error": KubernetesError("nobody answers")}
    item = {"metadata": {"name": "dask-worker"}, "spec": {}, "status": {"readyReplicas": count}}
    return "DELETED" if count == DELETED else "MODIFIED", item


async def counted(counts: list[int], every: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What `ready` tells, by a clock that moves `every` seconds with each."""

    async def played(*_: Any, **how: Any) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        listed = False
        for count in counts:
            item = news_of(count)
            yield item if listed or count == AWAY else (following.LISTED, {"items": [item[1]]})
            listed = listed or count != AWAY
        await asyncio.Event().wait()

    release: Any = SimpleNamespace(name="demo", kube=None)
    now = 0.0
    monkeypatch.setattr(following, "follow", played)
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


async def test_an_api_server_that_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time in which it was away counts, nor the minute that its controllers take to come back to it."""
    every = 10.0
    for away in (1, 4):
        counts = [20, *[AWAY] * away, *[20] * 20]
        told = await counted(counts, every, monkeypatch)
        since = every * (len(told) - 1 - away)
        assert set(told) == {20}
        assert rollout.BLIND <= since <= rollout.BLIND + rollout.READY_TIMEOUT + every


async def test_an_api_server_that_is_away_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its absence counts as well where it comes back only with the first look."""
    told = await counted([AWAY, *[20] * 20], 10.0, monkeypatch)
    assert rollout.BLIND <= 10.0 * (len(told) - 1) <= rollout.BLIND + rollout.READY_TIMEOUT + 10.0


async def test_a_rollout_that_nobody_waits_for_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the end of a rollout hears at once that he is not wanted any more."""

    async def played(*_: Any, **how: Any) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        rolling = {"metadata": {"name": "w", "generation": 2}, "spec": {}, "status": {"observedGeneration": 1}}
        yield following.LISTED, {"items": [rolling]}
        await asyncio.Event().wait()

    def unwanted() -> None:
        raise RuntimeError("superseded")

    monkeypatch.setattr(following, "follow", played)
    release: Any = SimpleNamespace(name="demo", kube=None)
    with pytest.raises(RuntimeError, match="superseded"):
        await asyncio.wait_for(rollout.finished(release, "default", 3600.0, 0.0, unwanted), 10)


async def test_a_deployment_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the pods of one that was deleted meanwhile."""
    with pytest.raises(WorkloadNotFoundError, match="group default is gone"):
        await counted([20, DELETED, 20], 0.0, monkeypatch)

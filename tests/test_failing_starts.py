"""Starts that fail in a running event loop: the error that it was, and nothing left pending."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from distributed.core import Status

from dask_kubernetes_helm import HelmCluster, KubeCluster
from dask_kubernetes_helm.auth import KubeConfig
from dask_kubernetes_helm.errors import KubeConfigError
from dask_kubernetes_helm.releases import ownership
from dask_kubernetes_helm.releases.lifecycle import ManagedRelease

NOWHERE = KubeConfig("/nonexistent/kubeconfig")
TEMPLATE = {"spec": {"containers": [{"image": "i:1", "args": ["dask-worker"]}]}}


def _helm() -> Any:
    return HelmCluster(asynchronous=True, quiet=True, auth=NOWHERE)


def _classic() -> Any:
    return KubeCluster(TEMPLATE, asynchronous=True, quiet=True, auth=NOWHERE)


@pytest.mark.parametrize("make", [_helm, _classic])
async def test_the_error_is_told(make: Any) -> None:
    """Awaiting a cluster that can't start raises its error, and the cluster is closed."""
    cluster = make()
    with pytest.raises(KubeConfigError, match="/nonexistent/kubeconfig"):
        await asyncio.wait_for(cluster, 20)
    assert cluster.status == Status.closed
    await asyncio.wait_for(cluster.close(), 5)


async def test_closed_by_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is closed while another task waits for its start ends for both."""
    cluster = _helm()
    reached = asyncio.Event()

    async def never() -> None:
        cluster._starting = asyncio.current_task()
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(cluster, "_start", never)

    async def wait_for_it() -> None:
        await cluster

    waiting = asyncio.create_task(wait_for_it())
    await reached.wait()
    await asyncio.wait_for(cluster.close(), 5)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 5)
    assert cluster.status == Status.closed


async def test_an_owner_that_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends a start while the API server makes the release's owner has that owner removed, too."""
    asked, answered, owner = asyncio.Event(), asyncio.Event(), ownership.Owner("r-owner-x", "7")
    removed: list[ownership.Owner] = []

    async def create(*_: Any, **__: Any) -> ownership.Owner:
        asked.set()
        await answered.wait()
        return owner

    async def remove(_: Any, item: ownership.Owner) -> None:
        removed.append(item)

    class Kube:
        namespace = "lab"

        async def names(self, *_: Any) -> list[str]:
            return []

    monkeypatch.setattr(ownership, "create", create)
    monkeypatch.setattr(ownership, "remove", remove)
    release = ManagedRelease("r", Kube())  # type: ignore[arg-type]
    starting = asyncio.create_task(release._own(bound=True))
    await asked.wait()
    starting.cancel()
    asyncio.get_running_loop().call_later(0.1, answered.set)
    with pytest.raises(asyncio.CancelledError):
        await starting
    await release.remove(asyncio.Event().wait, hastily=True)  # type: ignore[arg-type]
    assert removed == [owner]

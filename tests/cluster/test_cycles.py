"""Clusters made and closed again and again, or many at once: nothing piles up, and one name is one release."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from distributed import Client
from distributed.client import FutureCancelledError

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.kubeapi.transport import Transport

from .conftest import KINDS, Namespace, run, until
from .workload import SMALL

pytestmark = pytest.mark.alone

CYCLES, AT_ONCE = 8, 8
#: What helm removes; the owner is this package's.
RELEASED = KINDS.replace("configmaps,", "")
#: Bytes that cycles may leave in memory.
GROWTH = 20 << 20


def left_in_python() -> tuple[int, int, int]:
    """Threads, connections and children of this process."""
    gc.collect()
    me = psutil.Process()
    return threading.active_count(), len(me.net_connections()), len(me.children(recursive=True))


def test_cycles(make_cluster, namespace: Namespace) -> None:
    """Each time nothing is left in Kubernetes nor in Python; memory grows by less than 20 MB over all of them."""
    for _ in range(2):  # what libraries keep for good after their first use is no leak
        make_cluster(n_workers=0, values=SMALL).close()
    before, used = left_in_python(), psutil.Process().memory_info().rss
    for _ in range(CYCLES):
        with make_cluster(n_workers=0, values=SMALL) as cluster, Client(cluster) as client:
            assert client.scheduler_info()["type"] == "Scheduler"
        del cluster, client
        assert namespace.objects() == set()
        assert left_in_python() == before
    grown = psutil.Process().memory_info().rss - used
    print(f"{CYCLES} cycles: {grown / (1 << 20):.1f} MiB")
    assert grown < GROWTH


async def test_one_name_at_once(namespace: Namespace, image: str) -> None:
    """Of eight that create one name at once one wins; the others are told that it exists, and leave nothing."""

    async def create() -> HelmCluster:
        settled = {"environment": "ci", "quiet": True, "n_workers": 0, "asynchronous": True, "timeout": 120}
        return await HelmCluster("one", namespace=namespace.name, image=image, values=SMALL, **settled)

    ended = await asyncio.gather(*(create() for _ in range(AT_ONCE)), return_exceptions=True)
    (winner,) = [cluster for cluster in ended if isinstance(cluster, HelmCluster)]
    lost = [error for error in ended if error is not winner]
    assert Counter(type(error) for error in lost) == {errors.ReleaseExistsError: AT_ONCE - 1}
    assert all("release one, namespace" in str(error) and "from_name" in str(error) for error in lost)
    owners = namespace.get("configmaps", "app.kubernetes.io/component=owner")
    assert [owner["metadata"]["uid"] for owner in owners] == [winner._release.owner.uid]
    assert len(namespace.get("secrets", "owner=helm")) == 1
    assert winner.scheduler_info["type"] == "Scheduler"
    await winner.close()
    assert namespace.objects() == set()


def test_a_start_is_few_calls(make_cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """With half a second each, creation waits for no more than 15 requests, looks for the scheduler's port left out."""
    taken: list[tuple[float, float]] = []
    send = Transport._send

    async def noted(self: Transport, *arguments: Any, **how: Any) -> Any:
        began = time.monotonic()
        await asyncio.sleep(0.5)
        try:
            return await send(self, *arguments, **how)
        finally:
            taken.append((time.monotonic(), began))

    monkeypatch.setattr(Transport, "_send", noted)
    make_cluster(n_workers=1, values=SMALL)
    chain, free = 0, 0.0
    for ended, began in sorted(taken):
        if began >= free:
            chain, free = chain + 1, ended
    print(f"{len(taken)} requests, {chain} one after the other")
    assert 5 < chain <= 15


def slow(number: int) -> int:
    time.sleep(0.5)
    return number


slow.__module__ = "__main__"


def test_removal_under_load(make_cluster, namespace: Namespace) -> None:
    """What `helm uninstall` removes while it computes is gone within a minute; who waits for a result is told why."""
    cluster = make_cluster(n_workers=3, values=SMALL)
    cluster.wait_for_workers(3, timeout=60)
    with Client(cluster) as client:
        futures = client.map(slow, range(300), pure=False)
        until(lambda: any(future.done() for future in futures))
        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(client.gather, futures)
            began = time.monotonic()
            run("helm", "uninstall", cluster.name, "--namespace", namespace.name)
            until(lambda: not namespace.objects(RELEASED), 60)
            print(f"gone after {time.monotonic() - began:.1f} s")
            with pytest.raises(FutureCancelledError, match="lost the connection to the scheduler"):
                waiting.result(10)
    cluster.close()
    assert namespace.objects() == set()

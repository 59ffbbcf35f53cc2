"""The contract with dask-ctl: an entry point that gives names and classes."""

from __future__ import annotations

import pytest

from dask_kubernetes_helm import HelmCluster, discovery
from dask_kubernetes_helm.errors import ApiUnreachableError, KubeConfigError
from dask_kubernetes_helm.kubeapi import kube

from .commands.conftest import Namespace, deployment, record


async def test_releases_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with a scheduler of their own; connections are closed before the first name is given."""
    lab, closed = Namespace(), []
    lab.add("deployments", deployment("dask"), deployment("dask", "worker"), deployment("local", "worker"))
    lab.add("secrets", record("half", "failed", owner="half-owner"))

    async def connect(auth=None, namespace=None) -> Namespace:
        return lab

    async def close() -> None:
        closed.append(True)

    monkeypatch.setattr(kube.Kube, "connect", connect)
    monkeypatch.setattr(lab, "close", close)
    async for name, found in discovery.discover():
        assert (name, found, closed) == ("dask", HelmCluster, [True])


@pytest.mark.parametrize(("error", "told"), [(KubeConfigError("none"), False), (ApiUnreachableError("none"), True)])
async def test_where_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch, error: Exception, told: bool) -> None:
    """Without a kubeconfig there are no releases; a cluster that does not answer is an error."""

    async def connect(auth=None, namespace=None) -> None:
        raise error

    monkeypatch.setattr(kube.Kube, "connect", connect)
    if told:
        with pytest.raises(ApiUnreachableError):
            await anext(discovery.discover())
    else:
        assert [found async for found in discovery.discover()] == []

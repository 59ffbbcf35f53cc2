"""Releases as clusters that Dask's control plane can find: the entry point `dask_cluster_discovery`.

Belongs here: that contract. Never here: how releases are found (survey.py).

Source: https://dask-ctl.readthedocs.io/en/latest/integrating.html: an asynchronous generator of names and classes,
each of which has a `from_name`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from dask_kubernetes_helm import config
from dask_kubernetes_helm.cluster import HelmCluster
from dask_kubernetes_helm.errors import KubeConfigError


async def discover() -> AsyncGenerator[tuple[str, type[HelmCluster]], None]:
    """Releases in the configured namespace whose scheduler can be attached to.

    Yields
    ------
    tuple of str and type
        A name, and the class whose `from_name` attaches to it.

    Raises
    ------
    KubernetesError
        Where no kubeconfig is set up there are no releases; any other failure is one.

    Examples
    --------
    >>> [name async for name, _ in discover()]  # doctest: +SKIP
    ['dask']
    """
    from dask_kubernetes_helm.kubeapi.kube import Kube  # noqa: PLC0415
    from dask_kubernetes_helm.releases import overview, survey  # noqa: PLC0415 - slow to import

    try:
        kube = await Kube.connect(None, config.get("namespace"))
    except KubeConfigError:
        return
    try:
        found = await survey.releases(kube)
    finally:
        await kube.close()  # before the first name: whoever has found the right one asks no more
    for one in found:
        if one.chart and one.scheduler != overview.ELSEWHERE:
            yield one.name, HelmCluster

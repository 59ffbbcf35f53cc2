"""Each environment of values/ installed for real, with workers that fit two cores."""

from __future__ import annotations

from typing import Any

import pytest
from dask.array import ones
from distributed import Client

from dask_kubernetes_helm import HelmCluster

from .conftest import Namespace
from .workload import SMALL

#: ci is what nearly all other tests have.
ENVIRONMENTS = {
    "local": {},
    "production": {},
    "gpu": {},
    "spot": {},
    "jupyterhub": {"worker": {"adaptive": {"minimum": 1}}},
    "gitops": {"tls": {"certManager": {"enabled": False}}},
}
SCHEDULER = {"scheduler": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}}}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment(namespace: Namespace, image: str, environment: str) -> None:
    """It installs, computes on a worker, and goes without a trace."""
    values: list[Any] = [SMALL, SCHEDULER, ENVIRONMENTS[environment]]
    settled: dict[str, Any] = {"namespace": namespace.name, "image": image, "quiet": True}
    with HelmCluster(environment=environment, values=values, **settled) as cluster, Client(cluster) as client:
        cluster.wait_for_workers(1, timeout=60)
        assert ones(1000).mean().compute(scheduler=client) == 1.0
    namespace.empties()

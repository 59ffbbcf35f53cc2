"""The life of a release: installed, upgraded, removed. Whatever needs Helm.

Belongs here: the order of these acts, on the doors. Never here: what an attached cluster can do without Helm
(release.py has it), Dask's own machinery (cluster.py), or details of Helm and Kubernetes (the doors have them).
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import config, contract, kubesaid, permissions, schema
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    StartTimeoutError,
)
from dask_kubernetes_helm.helm import Helm
from dask_kubernetes_helm.kube import Kube
from dask_kubernetes_helm.progress import Progress
from dask_kubernetes_helm.release import Release
from dask_kubernetes_helm.values import Layer
from dask_kubernetes_helm.watching import Watcher

logger = logging.getLogger(__name__)

#: Labels Helm's record of a release with a number of ours, so that we never remove somebody else's.
OWNER_LABEL = "dask.org/created-by"
#: Seconds that the pods of a removed release may take to end.
_REMOVAL_TIMEOUT = 90.0


@dataclass(frozen=True)
class Plan:
    """What to install: everything that HelmCluster was told, settled."""

    name: str
    namespace: str | None
    layers: list[Layer]
    chart: str | None
    auth: Any
    timeout: float


class ManagedRelease(Release):
    """A release that Helm installs, upgrades and removes at our word."""

    def __init__(self, name: str, kube: Kube) -> None:
        super().__init__(name, kube)
        self._owner = ""

    # Coming to be ---------------------------------------------------------------------------------------

    async def install(self, plan: Plan, progress: Progress) -> None:
        """Check everything that can be checked, then install.

        Raises
        ------
        ValuesError, HelmError, KubernetesError
        """
        progress.show("release", "checking")
        helm = await self._helm()
        async with helm.unpacked(plan.chart or str(contract.chart_path())) as chart:
            values = await asyncio.to_thread(schema.check, plan.layers, chart)
            await self._preflight()
            progress.show("release", "installing")
            self._owner = uuid.uuid4().hex
            await helm.install(self.name, chart, values, {OWNER_LABEL: self._owner})
        await self.find()
        progress.done("release", f"{self.name} installed in namespace {self.namespace} ({self.chart})")

    async def _helm(self) -> Helm:
        timeout = config.seconds(config.get("helm.timeout"), "kubernetes.helm.timeout")
        return await Helm.find(self.kube.credentials, self.namespace, config.get("helm.executable"), timeout)

    async def _preflight(self) -> None:
        exists, (rules, complete) = await asyncio.gather(self.kube.namespace_exists(), self.kube.allowed())
        if not exists:
            raise kubesaid.no_namespace(self.namespace, self.kube.credentials).concerning(self.name, None)
        outside = "KUBERNETES_SERVICE_HOST" not in os.environ
        needed = permissions.INSTALL + permissions.ATTACH + (permissions.FORWARD if outside else [])
        lacking = permissions.missing(rules, needed)
        if lacking and complete:
            raise ForbiddenError(
                f"These credentials may not {', '.join(map(str, lacking))} in namespace {self.namespace}",
                cure="Ask for a Role with these permissions (docs/permissions.md has one to apply).",
            ).concerning(self.name, self.namespace)

    # Being changed --------------------------------------------------------------------------------------

    async def upgrade(self, layers: list[Layer], chart: str | None, timeout: float) -> None:
        """Upgrade to the chart with the release's own values under these, and wait for the rollout."""
        helm = await self._helm()
        async with helm.unpacked(chart or str(contract.chart_path())) as folder:
            own = Layer(f"values of release {self.name}", await helm.values(self.name))
            values = await asyncio.to_thread(schema.check, [own, *layers], folder)
            await helm.upgrade(self.name, folder, values)
        await self.find()
        await self.rolled_out(timeout)

    async def rolled_out(self, timeout: float) -> None:
        """Wait until all pods are as their Deployments say, and Ready."""
        async with Watcher(self.kube, self.name) as watcher:
            for component in (contract.SCHEDULER, contract.WORKER):
                await watcher.until(
                    lambda: _rolled_out(watcher),
                    component=component,
                    timeout=timeout,
                    what="The upgrade's rollout",
                )

    async def remove(self, farewell: Callable[[], Awaitable[None]]) -> None:
        """Remove the release if it is the one that we installed, and wait until its pods are gone.

        Parameters
        ----------
        farewell : coroutine function
            Called once the release is being removed: Dask ends quicker by itself than each pod on its own.
        """
        if not self._owner:
            return
        records = await self.kube.find("secrets", f"owner=helm,name={self.name},{OWNER_LABEL}={self._owner}")
        if not records:
            return
        helm = await self._helm()
        await helm.uninstall(self.name)
        self._owner = ""
        await farewell()
        async with Watcher(self.kube, self.name) as watcher:

            async def gone() -> bool:
                if watcher.pods or watcher.deployments:
                    return False
                pods = await self.kube.find("pods", contract.selector(self.name))
                return not pods

            try:
                await watcher.until(gone, component=None, timeout=_REMOVAL_TIMEOUT, what="The end of its pods")
            except StartTimeoutError:
                logger.warning(
                    "release %s is removed, but after %.0f s these pods are still there: %s",
                    self.name,
                    _REMOVAL_TIMEOUT,
                    ", ".join(watcher.pods),
                )


async def _rolled_out(watcher: Watcher) -> bool:
    """Whether every Deployment runs its newest template, and nothing else.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    return bool(watcher.deployments) and all(
        status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == item["spec"].get("replicas", 1)
        and status.get("availableReplicas", 0) == item["spec"].get("replicas", 1)
        for item in watcher.deployments.values()
        for status in [item.get("status", {})]
    )

"""The life of a release: installed, upgraded, removed. Whatever needs Helm.

Belongs here: the order of these acts, on the doors. Never here: what an attached cluster can do without Helm
(release.py has it), Dask's own machinery (cluster.py), or details of Helm and Kubernetes (the doors have them).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from dask_kubernetes_helm import config, contract, deadlines
from dask_kubernetes_helm.chartvalues import schema
from dask_kubernetes_helm.chartvalues.values import Layer, merge
from dask_kubernetes_helm.connections.certificates import Certificates
from dask_kubernetes_helm.diagnosis import rollouts
from dask_kubernetes_helm.errors import ApiUnreachableError, ReleaseExistsError, StartTimeoutError
from dask_kubernetes_helm.helmcli.helm import Helm
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.releases import namesakes, ownership, preflight
from dask_kubernetes_helm.releases.release import Release
from dask_kubernetes_helm.rights import permissions
from dask_kubernetes_helm.waiting import showing
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

logger = logging.getLogger(__name__)

#: Seconds that the pods of a removed release may take to end.
_REMOVAL_TIMEOUT = 90.0
#: Seconds in which a request that was under way as its sender was ended may still arrive.
_LATE = 1.5


@dataclass(frozen=True)
class Plan:
    """What to install: everything that HelmCluster was told, settled."""

    name: str
    namespace: str | None
    layers: list[Layer]
    chart: str | None
    auth: Any
    timeout: float
    #: Whether it goes when this process has gone.
    bound: bool = True
    #: Certificates for Dask's comms.
    certificates: Certificates | None = None
    #: What a worker's pod asks of a node, where it is to be compared with the nodes there are.
    asks: Mapping[str, Fraction] = field(default_factory=dict)


class ManagedRelease(Release):
    """A release that Helm installs, upgrades and removes at our word."""

    def __init__(self, name: str, kube: Kube) -> None:
        super().__init__(name, kube)
        self._installed = False

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
            effective = schema.effective(values, chart)
            certified = plan.certificates is not None
            await preflight.check(self.kube, self.name, effective, certified=certified, applied=helm.applies)
            progress.show("release", "installing")
            await self._install(helm, chart, values, plan)
        await self.find()
        progress.done("release", f"{self.name} installed in namespace {self.namespace} ({self.chart})")

    async def preview_install(self, plan: Plan) -> str:
        """The manifests that `install` would send, after the same checks; nothing is created.

        Raises
        ------
        ValuesError, HelmError, KubernetesError
        """
        helm = await self._helm()
        async with helm.unpacked(plan.chart or str(contract.chart_path())) as chart:
            values = await asyncio.to_thread(schema.check, plan.layers, chart)
            effective = schema.effective(values, chart)
            certified = plan.certificates is not None
            await preflight.check(self.kube, self.name, effective, certified=certified, applied=helm.applies)
            return await helm.rendered(self.name, chart, values, upgrade=False)

    async def _install(self, helm: Helm, chart: Path, values: dict[str, Any], plan: Plan) -> None:
        """Install, and have everything belong to an owner of ours, Helm's record included."""
        self.owner = owner = await self._own(bound=plan.bound)
        await ownership.sweep(self.kube, self.name)
        mine: dict[str, Any] = {"owner": {"name": owner.name, "uid": owner.uid}}
        alone = config.get("no-client-timeout") if plan.bound and permissions.has_agent(values) else None
        if alone is not None and "noClientTimeout" not in values.get("lifecycle", {}):
            mine["noClientTimeout"] = config.seconds(alone, "kubernetes.no-client-timeout")
        self._installed = True
        try:
            added = {"lifecycle": mine, **(await self._certify(plan.certificates, owner))}
            await helm.install(self.name, chart, merge(values, added), {ownership.OWNER_LABEL: owner.uid})
        except ReleaseExistsError as error:
            self._installed, self.owner = False, None  # the name is somebody else's
            await ownership.remove(self.kube, owner)
            raise (await namesakes.taken(self.kube, self.name)).concerning(self.name, self.namespace) from error
        await ownership.adopt_records(self.kube, self.name, owner)

    async def _own(self, *, bound: bool) -> ownership.Owner:
        """Make the owner. Where that is cancelled it may be made all the same, so it is waited for, to be removed."""
        making = asyncio.ensure_future(ownership.create(self.kube, self.name, bound=bound))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            keep = functools.partial(setattr, self, "owner")
            with contextlib.suppress(Exception):  # the cancellation is what is to be told
                keep(await deadlines.within(making, _LATE, drop=keep))
            raise

    async def _certify(self, certificates: Certificates | None, owner: ownership.Owner) -> dict[str, Any]:
        """Put certificates where the pods find them; the chart's values for that."""
        if certificates is None:
            return {}
        labels = {contract.PART_OF_LABEL: contract.PART_OF, contract.INSTANCE_LABEL: self.name}
        metadata = {"generateName": f"{self.name}-tls-", "labels": labels, "ownerReferences": [owner.reference]}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": certificates.data}
        made = await self.kube.create("secrets", body)
        return {"tls": {"secretName": made["metadata"]["name"], "keys": certificates.keys}}

    async def _helm(self) -> Helm:
        timeout = config.seconds(config.get("helm.timeout"), "kubernetes.helm.timeout")
        return await Helm.find(self.kube.credentials, self.namespace, config.get("helm.executable"), timeout)

    # Being changed --------------------------------------------------------------------------------------

    async def preview_upgrade(self, layers: list[Layer], chart: str | None) -> tuple[str, str]:
        """The manifests of the release, and those that `upgrade` would send; nothing is changed.

        Raises
        ------
        ValuesError, HelmError
        """
        helm = await self._helm()
        async with helm.unpacked(chart or str(contract.chart_path())) as folder:
            values = await self._settled(helm, layers, folder)
            return await helm.manifest(self.name), await helm.rendered(self.name, folder, values, upgrade=True)

    async def _settled(self, helm: Helm, layers: list[Layer], chart: Path, without: str = "") -> dict[str, Any]:
        """The release's own values under these, once the chart's schema has seen them."""
        own = Layer(f"values of release {self.name}", await helm.values(self.name))
        if without:
            own.mapping.get("worker", {}).get("groups", {}).pop(without, None)
        return await asyncio.to_thread(schema.check, [own, *layers], chart)

    async def upgrade(
        self,
        layers: list[Layer],
        chart: str | None,
        timeout: float,
        *,
        without: str = "",
        progress: Progress | None = None,
    ) -> None:
        """Upgrade to the chart with the release's own values under these, and wait for the rollout.

        Parameters
        ----------
        layers, chart, timeout
            As for `Plan`.
        without : str
            A worker group that its own values shall not have any more.
        progress : Progress, optional
            Where to show what is awaited.
        """
        helm = await self._helm()
        async with helm.unpacked(chart or str(contract.chart_path())) as folder:
            await helm.upgrade(self.name, folder, await self._settled(helm, layers, folder, without))
        await self.find()
        if self.owner:
            await ownership.adopt_records(self.kube, self.name, self.owner)
        await self.rolled_out(timeout, progress)

    async def rolled_out(
        self, timeout: float, progress: Progress | None = None, what: str = "The upgrade's rollout"
    ) -> None:
        """Wait until all pods are as their Deployments say, and Ready."""
        async with Watcher(self.kube, self.name) as watcher:
            await watcher.until(
                lambda: _rolled_out(watcher),
                component=(contract.SCHEDULER, contract.WORKER),
                timeout=timeout,
                what=what,
                tick=functools.partial(showing.pods, watcher, progress) if progress else _nothing,
            )

    async def remove(self, farewell: Callable[[], Awaitable[None]], *, hastily: bool = False) -> None:
        """Remove the release if it is ours, and wait until its pods are gone.

        One that we attached to is removed through its owner, which needs no helm; one without an owner never.

        Parameters
        ----------
        farewell : coroutine function
            Called once the release is being removed: Dask ends quicker by itself than each pod on its own.
        hastily : bool
            Leave the end of its pods to Kubernetes: somebody wants the terminal back.
        """
        if self.owner is None:
            if self.groups:
                logger.warning(
                    "release %s belongs to nobody, so it is left in place: helm uninstall %s", self.name, self.name
                )
            return
        owner, label = self.owner, f"owner=helm,name={self.name},{ownership.OWNER_LABEL}={self.owner.uid}"
        is_there = bool(await self.kube.names("secrets", label))
        if self._installed and is_there:
            await (await self._helm()).uninstall(self.name)
        await ownership.remove(self.kube, owner)
        if self._installed and not is_there:
            await self._remove_late_records(label)
        self._installed, self.owner = False, None
        if is_there and not hastily:
            await farewell()
            await self._wait_until_gone()

    async def _remove_late_records(self, selector: str) -> None:
        """Remove what an install that was ended half-way still had on its way to the API server.

        All else of it has the owner, which is gone; Helm can't give its records one.
        """
        deadline = time.monotonic() + _LATE
        while time.monotonic() < deadline:
            for record in await self.kube.metadata("secrets", selector):
                await self.kube.delete("secrets", record["metadata"]["name"], record["metadata"]["uid"])
            await asyncio.sleep(_LATE / 10)

    async def _wait_until_gone(self) -> None:
        """Wait until Kubernetes has ended what was removed."""
        async with Watcher(self.kube, self.name) as watcher:

            async def gone() -> bool:
                if watcher.pods or watcher.deployments:
                    return False
                with contextlib.suppress(ApiUnreachableError):
                    return not await self.kube.find("pods", contract.selector(self.name))
                return False

            try:
                await watcher.until(gone, component=None, timeout=_REMOVAL_TIMEOUT, what="The end of its pods")
            except StartTimeoutError:
                logger.warning(
                    "release %s is removed, but after %.0f s these pods are still there: %s",
                    self.name,
                    _REMOVAL_TIMEOUT,
                    ", ".join(watcher.pods),
                )


def _nothing() -> None:
    """What is shown where nobody looks."""


async def _rolled_out(watcher: Watcher) -> bool:
    """Whether every Deployment runs its newest template, and nothing else.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    return bool(watcher.deployments) and all(
        rollouts.is_seen(item)
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == item["spec"].get("replicas", 1)
        and status.get("availableReplicas", 0) == item["spec"].get("replicas", 1)
        for item in watcher.deployments.values()
        for status in [item.get("status", {})]
    )

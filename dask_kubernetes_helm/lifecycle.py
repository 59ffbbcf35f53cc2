"""The life of a release: installed or found, awaited, scaled, upgraded, removed.

Belongs here: the order of these acts, on the doors. Never here: Dask's own machinery (cluster.py has it), or details
of Helm and Kubernetes (the doors have them).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import config, contract, diagnosis, permissions, schema
from dask_kubernetes_helm.connect import Connection, connect
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    KubernetesError,
    ReleaseNotFoundError,
    StartTimeoutError,
    WorkerGroupNotFoundError,
    WorkloadNotFoundError,
)
from dask_kubernetes_helm.helm import Helm
from dask_kubernetes_helm.kube import Kube
from dask_kubernetes_helm.progress import Progress
from dask_kubernetes_helm.text import did_you_mean
from dask_kubernetes_helm.values import Layer, merge
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


class Release:
    """One release of the chart, with the doors that lead to it.

    Parameters
    ----------
    name : str
        The release's name.
    kube : Kube
        The door to the API, in the release's namespace.
    """

    def __init__(self, name: str, kube: Kube) -> None:
        self.name, self.kube = name, kube
        self.chart = ""
        self.service = ""
        self.groups: dict[str, str] = {}
        self.replicas: dict[str, int] = {}
        self._owner = ""

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.kube.namespace

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
            raise self.kube.no_namespace().concerning(self.name, None)
        outside = "KUBERNETES_SERVICE_HOST" not in os.environ
        needed = permissions.INSTALL + permissions.ATTACH + (permissions.FORWARD if outside else [])
        lacking = permissions.missing(rules, needed)
        if lacking and complete:
            raise ForbiddenError(
                f"These credentials may not {', '.join(map(str, lacking))} in namespace {self.namespace}",
                cure="Ask for a Role with these permissions (docs/permissions.md has one to apply).",
            ).concerning(self.name, self.namespace)

    async def find(self) -> None:
        """Find the release's objects by their labels.

        Raises
        ------
        ReleaseNotFoundError
            Names releases that are near.
        """
        selector = f"{contract.PART_OF_LABEL}={contract.PART_OF}"
        deployments, services = await asyncio.gather(
            self.kube.find("deployments", selector), self.kube.find("services", selector)
        )
        names = {item["metadata"]["labels"].get(contract.INSTANCE_LABEL, "") for item in deployments}
        mine = [item for item in deployments if item["metadata"]["labels"].get(contract.INSTANCE_LABEL) == self.name]
        if not mine:
            raise ReleaseNotFoundError(
                f"There is no release {self.name!r} of this chart in namespace {self.namespace}"
                f"{did_you_mean(self.name, names)}",
                cure=f"Releases there: {', '.join(sorted(names)) or 'none'}.",
            )
        self._take(mine, [s for s in services if s["metadata"]["labels"].get(contract.INSTANCE_LABEL) == self.name])

    def _take(self, deployments: list[dict[str, Any]], services: list[dict[str, Any]]) -> None:
        for item in deployments:
            labels = item["metadata"]["labels"]
            if labels[contract.COMPONENT_LABEL] == contract.WORKER:
                group = labels[contract.GROUP_LABEL]
                self.groups[group] = item["metadata"]["name"]
                self.replicas[group] = item["spec"].get("replicas", 1)
            self.chart = labels.get(contract.CHART_LABEL, self.chart)
        if not services:
            raise WorkloadNotFoundError(
                "The release has no scheduler Service", cure="Reinstall it: its objects are incomplete."
            ).concerning(self.name, self.namespace)
        self.service = services[0]["metadata"]["name"]

    # Being reached --------------------------------------------------------------------------------------

    async def reach(self, probe: Callable[[str], Awaitable[bool]], progress: Progress, timeout: float) -> Connection:
        """Open a route to the scheduler and wait until it answers there.

        Parameters
        ----------
        probe : coroutine function
            Whether a scheduler answers at an address.
        progress : Progress
            Where to show what is awaited.
        timeout : float
            Seconds.

        Raises
        ------
        StartError, PortInUseError
        """
        connection = await connect(
            self.kube,
            self.name,
            self.service,
            comm_port=config.get("scheduler-forward-port"),
            dashboard_port=config.get("dashboard-forward-port"),
        )
        try:
            async with Watcher(self.kube, self.name) as watcher:

                async def answers() -> bool:
                    self._show(watcher, progress)
                    started = any(
                        diagnosis.is_started(pod, contract.SCHEDULER) for pod in watcher.of(contract.SCHEDULER)
                    )
                    return started and await probe(connection.address)

                await watcher.until(
                    answers,
                    component=contract.SCHEDULER,
                    timeout=timeout,
                    what="The scheduler",
                    tick=progress.heartbeat,
                )
        except BaseException:
            await connection.close()
            raise
        progress.done("scheduler", f"reached at {connection.address} by {connection.route}")
        return connection

    def _show(self, watcher: Watcher, progress: Progress) -> None:
        for component, row in ((contract.SCHEDULER, "scheduler"), (contract.WORKER, "workers")):
            phases = [diagnosis.phase(pod) for pod in watcher.of(component)]
            counted = [f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases)]
            text = ", ".join(counted) if component == contract.WORKER else ", ".join(dict.fromkeys(phases))
            if text:
                progress.show(row, text)

    # Being changed --------------------------------------------------------------------------------------

    def deployment(self, group: str | None) -> str:
        """The name of a worker group's Deployment.

        Raises
        ------
        WorkerGroupNotFoundError
        """
        group = group or contract.DEFAULT_GROUP
        if group not in self.groups:
            raise WorkerGroupNotFoundError(
                f"There is no worker group {group!r}{did_you_mean(group, self.groups)}",
                cure=f"Groups are: {', '.join(sorted(self.groups))}.",
            ).concerning(self.name, self.namespace)
        return self.groups[group]

    async def scale(self, replicas: int, group: str | None) -> None:
        """Set a worker group's number of pods, in one request."""
        try:
            await self.kube.scale(self.deployment(group), replicas)
        except KubernetesError as error:
            raise error.concerning(self.name, self.namespace) from error.__cause__
        self.replicas[group or contract.DEFAULT_GROUP] = replicas

    async def upgrade(self, layers: list[Layer], chart: str | None, timeout: float) -> None:
        """Upgrade to the chart with the release's own values under these, and wait for the rollout."""
        helm = await self._helm()
        async with helm.unpacked(chart or str(contract.chart_path())) as folder:
            own = Layer(f"values of release {self.name}", await helm.values(self.name))
            values = await asyncio.to_thread(schema.check, [own, *layers], folder)
            await helm.upgrade(self.name, folder, values)
        await self.find()
        given: Any = merge(*(layer.mapping for layer in layers)).get("worker", {})
        if isinstance(given.get("replicas"), int) and given["replicas"] != self.replicas[contract.DEFAULT_GROUP]:
            await self.scale(given["replicas"], None)
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

    # Being looked at ------------------------------------------------------------------------------------

    async def logs(self, component: str) -> dict[str, str]:
        """Logs by pod; for a pod that has none yet, why."""
        pods = await self.kube.find("pods", contract.selector(self.name, component))
        texts = await asyncio.gather(*(self._log(pod, component) for pod in pods))
        return {pod["metadata"]["name"]: text for pod, text in zip(pods, texts, strict=True)}

    async def _log(self, pod: dict[str, Any], container: str) -> str:
        with contextlib.suppress(KubernetesError):
            return await self.kube.log(pod["metadata"]["name"], container)
        finding = diagnosis.examine(pod)
        return f"No log yet: {finding.sentence if finding else diagnosis.phase(pod)}"


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

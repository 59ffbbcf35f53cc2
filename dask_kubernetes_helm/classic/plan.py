"""From what KubeCluster was told to what is installed.

Belongs here: classic dask-kubernetes' arguments and configuration as values of the chart. Never here: what a pod
template means (translation.py), where it comes from (templates.py), or acting.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import config, naming
from dask_kubernetes_helm.classic.arguments import LOCAL
from dask_kubernetes_helm.errors import TemplateWarning
from dask_kubernetes_helm.podtemplates import hardening, podspec

if TYPE_CHECKING:
    from distributed.security import Security

    from dask_kubernetes_helm.podtemplates.translation import Translated
    from dask_kubernetes_helm.releases.lifecycle import Plan

#: What workers of classic dask-kubernetes were told by convention: seconds without a scheduler after which they end.
DEATH_TIMEOUT = 60.0
#: Fields of a worker's pod without which the reaper might find no node, or not the way to the scheduler.
_PLACING = ("runtimeClassName", "schedulerName", "dnsPolicy", "dnsConfig", "hostAliases", "hostNetwork")
#: What the reaper needs, which does nothing but hold a connection.
_REAPER = {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}


@dataclass(frozen=True)
class ClassicArguments:
    """KubeCluster's arguments, as far as the release depends on them; see there."""

    pod_template: Any
    scheduler_pod_template: Any
    namespace: str | None
    n_workers: int
    env: Mapping[str, Any]
    auth: Any
    idle_timeout: str | None
    deploy_mode: str
    security: Security | None
    affinity: str
    service_type: str
    timeout: float
    shutdown_on_close: bool = True
    #: Whether Dask's comms are encrypted; without certificates here they are the chart's.
    encrypted: bool = True
    #: As HelmCluster's has it.
    chart: str | None = None

    def plan(self, name: str) -> Plan:
        """What to install, after a look at all that can be looked at."""
        from dask_kubernetes_helm import sizing  # noqa: PLC0415 - their libraries are slow to import
        from dask_kubernetes_helm.chartvalues.values import Layer, merge  # noqa: PLC0415
        from dask_kubernetes_helm.connections import certificates  # noqa: PLC0415 - their libraries are slow to import
        from dask_kubernetes_helm.podtemplates import translation  # noqa: PLC0415 - their libraries are slow to import
        from dask_kubernetes_helm.releases.lifecycle import Plan  # noqa: PLC0415

        template = self.template()
        worker = translation.translate(template, "worker", affinity=self.affinity)
        said = {"worker": {**self._labelled(worker.values, name, "worker"), "replicas": self.n_workers}}
        notes = list(worker.notes)
        if self.deploy_mode == LOCAL:
            said["scheduler"] = _reaper(worker.values)
            notes += self._unused()
        else:
            scheduler = self._scheduler(template)
            notes += scheduler.notes
            said = merge(said, self._remote(name, scheduler), {"lifecycle": self._idle(scheduler)})
        if self.bound:
            alone = DEATH_TIMEOUT if worker.death_timeout is None else worker.death_timeout
            # 0 is for ever, as Dask has it.
            said = merge(said, {"lifecycle": {"noClientTimeout": alone or None}})
        if not self.encrypted:
            said["tls"] = {"enabled": False}
        for note in dict.fromkeys(notes):
            warnings.warn(note, TemplateWarning, stacklevel=2)
        roles = ("worker",) if self.deploy_mode == LOCAL else ("scheduler", "worker")
        certified = certificates.of(self.security, roles) if self.security is not None else None
        layers = [Layer("KubeCluster's pod template", said)]
        asks = sizing.requests(template)
        return Plan(name, self.namespace, layers, self.chart, self.auth, self.timeout, self.bound, certified, asks)

    @property
    def bound(self) -> bool:
        """Whether the release goes with this process; where the scheduler does, it has to."""
        return self.shutdown_on_close or self.deploy_mode == LOCAL

    def template(self) -> dict[str, Any]:
        """The workers' pod template, with the variables that were given besides."""
        from dask_kubernetes_helm.classic import templates  # noqa: PLC0415 - its libraries are slow to import

        return self._prepared(templates.worker(self.pod_template), "worker")

    def _prepared(self, pod: dict[str, Any], role: str) -> dict[str, Any]:
        container = pod["spec"]["containers"][0]
        if not container.get("command") and not container.get("args"):
            container["args"] = [f"dask-{role}"]
        own = [{"name": key, "value": str(value)} for key, value in self.env.items()]
        container["env"] = [*(container.get("env") or []), *own]
        return pod

    # The scheduler's part -------------------------------------------------------------------------------

    def _scheduler(self, template: dict[str, Any]) -> Translated:
        from dask_kubernetes_helm.classic import templates  # noqa: PLC0415 - their libraries are slow to import
        from dask_kubernetes_helm.podtemplates import translation  # noqa: PLC0415 - their libraries are slow to import

        given = templates.scheduler(self.scheduler_pod_template)
        pod = translation.for_scheduler(template) if given is None else self._prepared(given, "scheduler")
        return translation.translate(pod, "scheduler", affinity=self.affinity)

    def _remote(self, name: str, scheduler: Translated) -> dict[str, Any]:
        service = config.get("scheduler-service-template") or {}
        spec = {
            key: item for key, item in (service.get("spec") or {}).items() if key not in ("selector", "ports", "type")
        }
        metadata = {
            key: item for key, item in (service.get("metadata") or {}).items() if key in ("labels", "annotations")
        }
        budget = (config.get("scheduler-pdb-template") or {}).get("spec") or {}
        return {
            "scheduler": {
                **self._labelled(scheduler.values, name, "scheduler"),
                "serviceType": self.service_type,
                "serviceTemplate": {key: item for key, item in (("metadata", metadata), ("spec", spec)) if item},
                "podDisruptionBudget": _budget(budget),
            }
        }

    def _idle(self, scheduler: Translated) -> dict[str, Any]:
        """A scheduler that ends when it is idle would be restarted; what was meant is the cluster's end."""
        timeout = self.idle_timeout or scheduler.idle_timeout
        if not timeout or not config.span(timeout, "idle_timeout"):
            return {}
        return {"idleTimeout": timeout, "idleAction": "uninstall"}

    def _unused(self) -> list[str]:
        """What is meant for a scheduler in a pod."""
        given = {"idle_timeout": self.idle_timeout, "scheduler_pod_template": self.scheduler_pod_template}
        return [
            f"{name} is not used, as the scheduler runs in this process; with deploy_mode='remote' it runs in a pod."
            for name, value in given.items()
            if value is not None
        ]

    def _labelled(self, values: Mapping[str, Any], name: str, component: str) -> dict[str, Any]:
        """The labels that classic's users select pods by."""
        user = naming.label(naming.user())
        forced = {"dask.org/cluster-name": name, "dask.org/component": component, "user": user, "app": "dask"}
        return {**values, "podLabels": {**(values.get("podLabels") or {}), **forced}}


def _budget(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A budget's spec as values; one that says nothing is none."""
    said = {key: item for key, item in spec.items() if key != "selector"}
    return said or {"enabled": False}


def _reaper(worker: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `scheduler` by which the reaper runs wherever workers do."""
    values = {key: worker[key] for key in ("image", "nodeSelector", "priorityClassName") if key in worker}
    # How workers keep away from each other is not its business.
    nodes = (worker.get("affinity") or {}).get("nodeAffinity")
    values |= {"affinity": {"nodeAffinity": nodes}} if nodes else {}
    spec, container = ((worker.get(key) or {}) for key in ("podTemplate", "container"))
    kept = list(_PLACING)
    # What is installed as root before a worker starts it needs none of.
    if not {item["name"] for item in worker.get("env", ())} & set(hardening.INSTALLED_AS_ROOT):
        kept.append("securityContext")
        values |= {key: worker[key] for key in ("securityContext", "containerSecurityContext") if key in worker}
        secured = {key: container[key] for key in ("securityContext",) if key in container}
        values |= {"container": secured} if secured else {}
    placed = {key: item for key, item in (spec.get("spec") or {}).items() if key in kept}
    values |= {"podTemplate": {"spec": placed}} if placed else {}
    tolerations = [*podspec.tolerations("worker"), *(worker.get("tolerations") or [])]
    return {**values, "tolerations": tolerations, "resources": _REAPER}

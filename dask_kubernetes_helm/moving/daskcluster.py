"""The operator's manifests (kubernetes.dask.org/v1) as values: DaskCluster, DaskWorkerGroup, DaskAutoscaler, DaskJob.

Belongs here: what their fields are for the chart. Never here: pods (pods.py), or the scheduler's Service (services.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.moving import groups, operatorpods, pods, services
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked
from dask_kubernetes_helm.podtemplates.translation import Translated

API = "kubernetes.dask.org/"
KINDS = ("DaskCluster", "DaskJob", "DaskWorkerGroup", "DaskAutoscaler")
_APART = "Keep it in a file of its own, and apply it beside the release."


@dataclass
class _Cluster:
    """One cluster, as far as it is known."""

    sheet: Sheet
    name: str = ""
    found: bool = False
    scheduler: dict[str, Any] = field(default_factory=dict)
    worker: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def convert(ledgers: Sequence[Ledger], sheet: Sheet) -> dict[str, Any]:
    """Values from the operator's manifests.

    Raises
    ------
    PodTemplateError
        There is no cluster among them, or a pod that Kubernetes would refuse.
    """
    cluster = _Cluster(sheet)
    ordered = sorted(ledgers, key=_rank)
    for ledger in ordered:
        _document(ledger.root, cluster)
    if not cluster.found and not cluster.groups:
        raise PodTemplateError(
            "There is neither a DaskCluster nor a DaskJob nor a DaskWorkerGroup",
            cure="Name the file that has one, or give --kind for another kind of file.",
        )
    made = merge(pods.together(cluster.scheduler, cluster.worker), cluster.more)
    beside = {
        name: groups.difference(own, cluster.worker, sheet.target.default(("worker",)) or {})
        for name, own in cluster.groups.items()
    }
    return merge(made, {"worker": {"groups": beside}} if beside else {})


def _rank(ledger: Ledger) -> int:
    """Clusters first, as the others refer to them."""
    kind = _kind(ledger.root)
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _kind(root: Tracked) -> str:
    ours = str(root.value.get("apiVersion", "")).startswith(API)
    return str(root.value.get("kind")) if ours else ""


def _name(root: Tracked) -> str:
    name = root.get("metadata", "name")
    return str(name.value) if name else ""


def _document(root: Tracked, cluster: _Cluster) -> None:
    kind, spec = _kind(root), root.get("spec")
    if kind not in KINDS:
        root.lost(f"A {root.value.get('kind', 'document')} is no part of a Dask cluster.", _APART)
        return
    if spec is None or not isinstance(spec.value, dict):
        raise PodTemplateError(f"The {kind} has no spec", cure="Complete it.")
    if kind == "DaskCluster":
        _cluster(root, spec, cluster)
    elif kind == "DaskJob":
        _job(root, spec, cluster)
    elif kind == "DaskWorkerGroup":
        _group(root, spec, cluster)
    else:
        _autoscaler(root, spec, cluster)


def _cluster(root: Tracked, spec: Tracked, cluster: _Cluster) -> None:
    name = _name(root)
    if cluster.found:
        root.lost("There is another cluster before it, and a release is one.", "Convert it from a file of its own.")
        return
    cluster.found, cluster.name = True, name
    pods.settle_identity(root)
    shared = _metadata(root.get("metadata"))
    if part := spec.get("scheduler"):
        translated = operatorpods.carry(part, "scheduler", cluster.sheet)
        cluster.scheduler = _with(shared, translated)
        cluster.more = pods.lifecycle(translated, root.ledger, part.path)
        if service := part.get("service"):
            cluster.more = merge(cluster.more, services.carry(service, cluster.sheet))
    if part := spec.get("worker"):
        cluster.worker = _worker(part, shared, ("worker",), cluster.sheet)
    idle = spec.get("idleTimeout")
    if idle is not None:
        if str(idle.value) in ("0", "None"):
            idle.silent()
        elif isinstance(idle.value, int | float | str):
            cluster.sheet.came(("lifecycle", "idleTimeout"), idle)
            cluster.more |= pods.idle(f"{idle.take()} s", root.ledger, idle.path)


def _worker(part: Tracked, shared: dict[str, Any], at: Path, sheet: Sheet) -> dict[str, Any]:
    translated = operatorpods.carry(part, "worker", sheet, at)
    pods.death(translated, part.ledger, part.path)
    values = _with(shared, translated)
    replicas = part.get("replicas")
    if replicas is not None:
        sheet.came((*at, "replicas"), replicas)
        values["replicas"] = replicas.take()
    return values


def _with(shared: dict[str, Any], translated: Translated) -> dict[str, Any]:
    return merge(shared, translated.values)


def _metadata(metadata: Tracked | None) -> dict[str, Any]:
    """Labels and annotations of a cluster, which the operator hands on to its pods."""
    found: dict[str, Any] = {}
    for key, ours in (("labels", "podLabels"), ("annotations", "annotations")):
        part = metadata.get(key) if metadata else None
        if part is not None and isinstance(part.value, dict):
            operatorpods.own_labels(part)
            kept = part.take()
            found |= {ours: kept} if kept else {}
    return found


def _job(root: Tracked, spec: Tracked, cluster: _Cluster) -> None:
    if part := spec.get("job"):
        part.lost(
            "The chart runs no job.",
            "Run it as a Job of its own, which reaches the release by HelmCluster.from_name(NAME).",
        )
    inner = spec.get("cluster")
    if inner is not None and isinstance(inner.get("spec") and inner.value.get("spec"), dict):
        pods.settle_identity(root)
        _cluster(inner, Tracked.at(root.ledger, (*inner.path, "spec")), cluster)


def _group(root: Tracked, spec: Tracked, cluster: _Cluster) -> None:
    if not _belongs(root, spec, cluster):
        return
    pods.settle_identity(root, named=False)
    given = _name(root) or "group"
    short = given.removeprefix(f"{cluster.name}-") if cluster.name else given
    short = short.removesuffix("-worker-group").removeprefix("worker-group-") or given
    name = groups.name(short, cluster.groups)
    root.note(f"The DaskWorkerGroup {given} is worker.groups.{name}.")
    part = spec.get("worker")
    if part is None:
        raise PodTemplateError(f"The DaskWorkerGroup {given} has no spec.worker", cure="Complete it.")
    cluster.groups[name] = _worker(part, _metadata(root.get("metadata")), ("worker", "groups", name), cluster.sheet)


def _autoscaler(root: Tracked, spec: Tracked, cluster: _Cluster) -> None:
    if not _belongs(root, spec, cluster):
        return
    pods.settle_identity(root, named=False)
    bounds = {key: part for key in ("minimum", "maximum") if (part := spec.get(key))}
    if "maximum" not in bounds:
        root.note("It has no maximum, without which worker.adaptive is not enabled.", "Set worker.adaptive.maximum.")
    for key, part in bounds.items():
        cluster.sheet.came(("worker", "adaptive", key), part)
    adaptive = {key: part.take() for key, part in bounds.items()}
    cluster.worker["adaptive"] = {"enabled": "maximum" in adaptive, **adaptive}


def _belongs(root: Tracked, spec: Tracked, cluster: _Cluster) -> bool:
    """Whether a document is for the cluster that the values are for."""
    part = spec.get("cluster")
    if part is not None and cluster.found and part.value != cluster.name:
        root.lost(
            f"It belongs to the cluster {part.value}, and the values are for {cluster.name}.",
            "Convert it from a file with its own cluster.",
        )
        return False
    if part is not None:
        part.silent()
    return True

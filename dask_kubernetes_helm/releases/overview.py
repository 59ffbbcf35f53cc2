"""What releases there are and how each stands, from what Kubernetes and Helm have of them.

Belongs here: reading it off, on plain data. Never here: requests (survey.py has them), or showing it (cli/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.diagnosis.phases import is_over

Object = dict[str, Any]

#: How a release stands: all that it should have is Ready; it is on its way there; something is wrong that no waiting
#: mends; it is being removed.
READY, STARTING, FAILING, STOPPING = "ready", "starting", "failing", "stopping"
#: Helm is at work, or has given up, and there is nothing else of it.
INSTALLING, FAILED = "installing", "failed"
#: The scheduler of a release whose workers go to one elsewhere.
ELSEWHERE = "elsewhere"
#: Helm's words for a release that has been running.
DEPLOYED, SUPERSEDED = "deployed", "superseded"


@dataclass(frozen=True)
class Group:
    """A worker group: how many pods it should have, and how many are Ready."""

    name: str
    desired: int
    ready: int


@dataclass(frozen=True)
class Pod:
    """A pod of a release.

    Attributes
    ----------
    component, group : str
        What it is; the group of workers only.
    phase : str
        Where it is on its way, in a few words.
    created : str
        When it was made, as Kubernetes writes it.
    trouble, cure : str
        What is wrong, and what to do; empty where nothing is.
    terminal : bool
        Whether no waiting mends it.
    over : bool
        Whether it has ended for good, and another is in its place.
    """

    name: str
    component: str
    group: str
    phase: str
    ready: bool
    restarts: int
    node: str
    created: str
    trouble: str = ""
    cure: str = ""
    terminal: bool = False
    over: bool = False


@dataclass(frozen=True)
class Record:
    """Helm's word on a release: its newest revision's status, when that was, and whether any revision has run."""

    status: str
    revision: int
    modified: float
    has_run: bool


@dataclass(frozen=True)
class Overview:
    """A release as it stands.

    Attributes
    ----------
    status : str
        One of the words above.
    scheduler : str
        The phase of its pod; `ELSEWHERE` where it has none.
    owned : bool
        Whether it goes with its owner, so that it can be removed.
    helm : str, optional
        What Helm says of its newest revision; None where its records may not be seen.
    refusals : tuple of str
        Why Kubernetes creates no pods of it.
    """

    name: str
    namespace: str
    status: str
    chart: str = ""
    created: str = ""
    scheduler: str = ""
    owned: bool = False
    helm: str | None = None
    groups: tuple[Group, ...] = ()
    pods: tuple[Pod, ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()

    @property
    def ready(self) -> int:
        """How many workers are Ready."""
        return sum(group.ready for group in self.groups)

    @property
    def desired(self) -> int:
        """How many workers it should have."""
        return sum(group.desired for group in self.groups)

    @property
    def troubles(self) -> tuple[tuple[str, str], ...]:
        """What is wrong with it, each with its cure; what many pods have in common is told once."""
        alike: dict[str, list[Pod]] = {}
        for pod in self.pods:
            if pod.trouble:
                alike.setdefault(pod.trouble.replace(pod.name, ""), []).append(pod)
        told = [(pods[0].trouble + _and_more(len(pods) - 1), pods[0].cure) for pods in alike.values()]
        return (*self.refusals, *told)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        told = asdict(self)
        told["workers"] = {"desired": self.desired, "ready": self.ready}
        told["groups"] = {group.name: {"desired": group.desired, "ready": group.ready} for group in self.groups}
        told["pods"] = [asdict(pod) for pod in self.pods]
        told["troubles"] = [{"sentence": sentence, "cure": cure} for sentence, cure in self.troubles]
        del told["refusals"]
        return told


def _and_more(others: int) -> str:
    return f" (and so for {others} more pod{'s' * (others > 1)})" if others else ""


def releases(
    deployments: Iterable[Object],
    pods: Iterable[Object] = (),
    records: Mapping[str, Record] | None = None,
    events: Iterable[Object] = (),
) -> list[Overview]:
    """How releases stand, by namespace and name.

    Parameters
    ----------
    deployments, pods : iterable of dict
        As Kubernetes has them. Where pods are left out, Deployments alone tell.
    records : mapping of str to Record, optional
        Helm's, by release; None where they may not be seen, or were not asked for.
    events : iterable of dict
        Those of the namespace, as far as they may be seen: what was tried before stands only there.
    """
    told = diagnosis.by_name(events)
    by_release: dict[tuple[str, str], list[Object]] = {}
    for item in deployments:
        by_release.setdefault(_release(item), []).append(item)
    owned: dict[tuple[str, str], list[Object]] = {}
    for pod in pods:
        owned.setdefault(_release(pod), []).append(pod)
    found = [
        _running(key, items, [_pod(pod, told) for pod in owned.get(key, [])], (records or {}).get(key[1]))
        for key, items in by_release.items()
    ]
    return sorted(found, key=lambda one: (one.namespace, one.name))


def _release(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata.get("labels", {}).get(contract.INSTANCE_LABEL, "")


def _running(key: tuple[str, str], deployments: list[Object], pods: list[Pod], record: Record | None) -> Overview:
    schedulers = [item for item in deployments if _component(item) == contract.SCHEDULER]
    workers = [item for item in deployments if _component(item) == contract.WORKER]
    refused = [finding for finding in map(diagnosis.refused, deployments) if finding]
    seen = tuple(sorted(pods, key=lambda pod: (pod.component != contract.SCHEDULER, pod.group, pod.name)))
    return Overview(
        name=key[1],
        namespace=key[0],
        status=_status(deployments, seen, failing=bool(refused)),
        chart=next((item["metadata"]["labels"].get(contract.CHART_LABEL, "") for item in deployments), ""),
        created=min(item["metadata"].get("creationTimestamp", "") for item in deployments),
        scheduler=_scheduler(schedulers, seen),
        owned=any(item["metadata"].get("ownerReferences") for item in deployments),
        helm=record.status if record else None,
        groups=tuple(
            sorted(map(_group, workers), key=lambda group: (group.name != contract.DEFAULT_GROUP, group.name))
        ),
        pods=seen,
        refusals=tuple((finding.sentence, finding.cure) for finding in refused),
    )


def _status(deployments: list[Object], pods: tuple[Pod, ...], *, failing: bool) -> str:
    if any(item["metadata"].get("deletionTimestamp") for item in deployments):
        return STOPPING
    if failing or any(pod.terminal for pod in pods):
        return FAILING
    return READY if all(map(_complete, deployments)) else STARTING


def _complete(deployment: Object) -> bool:
    """Whether a Deployment has all its pods, as they should be, and Ready.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    status, desired = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == desired
        and status.get("readyReplicas", 0) == desired
    )


def _component(item: Object) -> str:
    return str(item["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, ""))


def _group(deployment: Object) -> Group:
    name = deployment["metadata"]["labels"].get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    return Group(str(name), int(deployment["spec"].get("replicas", 1)), int(ready))


def _scheduler(deployments: list[Object], pods: tuple[Pod, ...]) -> str:
    if not deployments:
        return ELSEWHERE
    phases = [pod.phase for pod in pods if pod.component == contract.SCHEDULER and not pod.over]
    if phases:
        return ", ".join(dict.fromkeys(phases))
    return "ready" if all(item.get("status", {}).get("readyReplicas", 0) for item in deployments) else "not ready"


def _pod(pod: Object, told: Mapping[str, Iterable[Object]]) -> Pod:
    # What a container that is Ready now has died of before is history, as is what a pod has that is going or gone.
    past = diagnosis.is_ready(pod) or is_over(pod) or pod["metadata"].get("deletionTimestamp")
    finding = None if past else diagnosis.examine(pod, told.get(pod["metadata"]["name"], ()))
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return Pod(
        name=pod["metadata"]["name"],
        component=_component(pod),
        group=str(pod["metadata"].get("labels", {}).get(contract.GROUP_LABEL, "")),
        phase=diagnosis.phase(pod),
        ready=diagnosis.is_ready(pod),
        restarts=sum(status.get("restartCount", 0) for status in statuses),
        node=str(pod["spec"].get("nodeName") or ""),
        created=str(pod["metadata"].get("creationTimestamp", "")),
        trouble=finding.sentence if finding else "",
        cure=finding.cure if finding else "",
        terminal=bool(finding and finding.terminal),
        over=is_over(pod),
    )


def records(secrets: Iterable[Object]) -> dict[str, Record]:
    """Helm's word on each release, from the labels of its records.

    Parameters
    ----------
    secrets : iterable of dict
        Metadata of Helm's records.
    """
    by_release: dict[str, list[dict[str, str]]] = {}
    for secret in secrets:
        labels = secret["metadata"].get("labels", {})
        by_release.setdefault(labels.get("name", ""), []).append(labels)
    return {name: _record(revisions) for name, revisions in by_release.items()}


def _record(revisions: list[dict[str, str]]) -> Record:
    newest = max(revisions, key=lambda labels: int(labels.get("version", "0")))
    return Record(
        status=newest.get("status", ""),
        revision=int(newest.get("version", "0")),
        modified=float(newest.get("modifiedAt") or newest.get("createdAt") or 0),
        has_run=any(labels.get("status") in (DEPLOYED, SUPERSEDED) for labels in revisions),
    )


def recorded(name: str, namespace: str, record: Record) -> Overview:
    """A release of which there is nothing but Helm's record."""
    status = INSTALLING if record.status.startswith("pending") else FAILED
    return Overview(name, namespace, status, owned=True, helm=record.status)

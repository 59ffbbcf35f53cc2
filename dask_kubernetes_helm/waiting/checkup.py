"""A release looked at once, from its objects to what is wrong with it.

Belongs here: asking for all that tells something, and going on without what may not be read. Never here: what a state
means (diagnosis), or waiting for one (watching.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.diagnosis import Count, Diagnosis, Finding, happenings, losses, pods, rollouts
from dask_kubernetes_helm.diagnosis.phases import is_over
from dask_kubernetes_helm.diagnosis.survey import current
from dask_kubernetes_helm.diagnosis.survey import part as part_of
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    ReleaseNotFoundError,
    SchedulerUnreachableError,
    WorkloadNotFoundError,
)
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.waiting.trouble import Trouble

Object = dict[str, Any]

#: Seconds for which a container that has ended and runs again is news.
RECENT = 600.0


@dataclass
class Evidence:
    """What Kubernetes has of a release, as far as it may be read.

    Attributes
    ----------
    pods, deployments, replicasets, services : list of dict
        Objects with the release's labels.
    events : list of dict
        Those about its Deployments and what these have made, the oldest first.
    unread : list of str
        Resources that were not told, and why.
    """

    pods: list[Object] = field(default_factory=list)
    deployments: list[Object] = field(default_factory=list)
    replicasets: list[Object] = field(default_factory=list)
    services: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @classmethod
    async def gather(cls, kube: Kube, release: str) -> Evidence:
        """Ask for all of it at once.

        Raises
        ------
        KubernetesError
            The API can't be reached, or nothing at all may be read.
        """
        evidence, selector = cls(), contract.selector(release)
        kinds = ("pods", "deployments", "replicasets", "services", "events")
        replies = await asyncio.gather(*(_asked(kube, kind, "" if kind == "events" else selector) for kind in kinds))
        refused = {kind: reply for kind, reply in zip(kinds, replies, strict=True) if isinstance(reply, ForbiddenError)}
        for kind, reply in zip(kinds, replies, strict=True):
            if not isinstance(reply, ForbiddenError):
                setattr(evidence, kind, reply)
        if len(refused) == len(kinds):
            raise refused["pods"]
        # Where the scheduler is elsewhere, there are no Services, and no right to them is needed.
        evidence.unread += [f"{kind} ({error.message})" for kind, error in refused.items() if kind != "services"]
        names = [item["metadata"]["name"] for item in evidence.deployments]
        evidence.events = happenings.of_release(evidence.events, names)
        return evidence

    @property
    def groups(self) -> dict[str, str]:
        """Worker groups by the names of their Deployments."""
        return {
            item["metadata"]["name"]: item["metadata"]["labels"].get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
            for item in self.deployments
            if _component(item) == contract.WORKER
        }

    def lost(self) -> tuple[list[losses.LostWorker], list[losses.LostWorker]]:
        """Workers that were lost, by what pods remember, and by events."""
        workers = [pod for pod in self.pods if _component(pod) == contract.WORKER]
        now = datetime.now(timezone.utc)
        remembered = [lost for pod in workers for lost in losses.restarts(pod)]
        remembered += [lost for pod in workers if (lost := losses.removal(pod, now))]
        return remembered, losses.by_events(self.events, self.groups, workers)


async def _asked(kube: Kube, kind: str, selector: str) -> list[Object] | ForbiddenError:
    try:
        return await kube.find(kind, selector)
    except ForbiddenError as error:
        return error


def _component(item: Object) -> str:
    return str(item["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL, ""))


async def examine(
    kube: Kube, release: str, identity: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
) -> Diagnosis:
    """What is wrong with a release now.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Which one.
    identity : coroutine function, optional
        Asks the scheduler who it is; raises an OSError where it does not answer.

    Raises
    ------
    KubernetesError
        The API can't be reached, or nothing at all may be read.
    """
    evidence = await Evidence.gather(kube, release)
    told: Mapping[str, Any] = {}
    found = _by_objects(evidence, datetime.now(timezone.utc))
    if identity is not None and evidence.deployments:
        told, silent = await _by_scheduler(identity, evidence)
        found += [silent] if silent else []
    if not evidence.deployments and not any(text.startswith("deployments") for text in evidence.unread):
        found.append(_gone(release))
    trouble, by_name = Trouble(kube, release), {pod["metadata"]["name"]: pod for pod in evidence.pods}
    findings = [await trouble.explained(finding, by_name) for finding in diagnosis.fold(found)]
    return Diagnosis(release, kube.namespace, tuple(findings), tuple(_counts(evidence)), told, tuple(evidence.unread))


def _by_objects(evidence: Evidence, now: datetime) -> list[Finding]:
    """What is wrong by what Kubernetes has."""
    found = diagnosis.survey(evidence.pods, evidence.deployments, evidence.events)
    troubled = {finding.object for finding in found}
    since = now - timedelta(seconds=RECENT)
    for pod in current(evidence.pods, evidence.deployments):
        more = pods.unready(pod, now, evidence.events) or pods.restarted(pod, since)
        if more and more.object not in troubled:
            found.append(more)
    refused = [item for item in found if item.object.startswith("deployment/")]
    if not refused:
        # A ReplicaSet knows of itself alone: its Deployment has one that is newer.
        found += filter(None, (diagnosis.refused({**item, "kind": "ReplicaSet"}) for item in _newest(evidence)))
    if not found:
        found += filter(None, map(diagnosis.stalled, evidence.deployments))
    return found + _by_services(evidence)


def _newest(evidence: Evidence) -> list[Object]:
    """The ReplicaSets, without those of which a Deployment is known to have a newer one."""
    newest = {item["metadata"]["name"]: rollouts.newest(item) for item in evidence.deployments}
    return [
        item
        for item in evidence.replicasets
        if (name := item["metadata"]["name"]) == (newest.get(name.rpartition("-")[0]) or name)
    ]


def _by_services(evidence: Evidence) -> list[Finding]:
    """A scheduler's Service without a scheduler leads nowhere."""
    has = {_component(item) for item in evidence.deployments}
    names = [item["metadata"]["name"] for item in evidence.services if _component(item) == contract.SCHEDULER]
    unread = any(text.startswith("deployments") for text in evidence.unread)
    if not names or contract.SCHEDULER in has or unread:
        return []
    return [
        Finding(
            WorkloadNotFoundError,
            f"The scheduler's Deployment is gone; Service {names[0]} leads nowhere",
            "helm rollback or an upgrade makes it again; what was computed is lost.",
            terminal=True,
            object=f"service/{names[0]}",
            reason="NotFound",
        )
    ]


def _gone(release: str) -> Finding:
    return Finding(
        ReleaseNotFoundError,
        f"There are no Deployments of release {release} in this namespace",
        "It was removed, or its name or namespace is another: helm list --all-namespaces.",
        terminal=True,
        reason="NotFound",
    )


async def _by_scheduler(
    identity: Callable[[], Awaitable[Mapping[str, Any]]], evidence: Evidence
) -> tuple[Mapping[str, Any], Finding | None]:
    """What the scheduler says of itself, or that it says nothing."""
    try:
        return {"answers": True, **(await identity())}, None
    except (OSError, asyncio.TimeoutError):
        running = [pod for pod in evidence.pods if _component(pod) == contract.SCHEDULER and not is_over(pod)]
        states = ", ".join(diagnosis.phase(pod) for pod in running) or "not there"
        return {"answers": False}, Finding(
            SchedulerUnreachableError,
            f"The scheduler does not answer this process; its pod is {states}",
            "Where its pod is ready, the way there is broken: see cluster.connection, and NetworkPolicies.",
            terminal=False,
            object=f"pod/{running[0]['metadata']['name']}" if running else "",
            reason="Unreachable",
        )


def _counts(evidence: Evidence) -> list[Count]:
    """Pods of each Deployment of Dask's own, but for those that ended for good: others are in their place."""
    counts = []
    for item in sorted(evidence.deployments, key=lambda item: (_component(item), item["metadata"]["name"])):
        component = _component(item)
        group = item["metadata"]["labels"].get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
        part = {contract.WORKER: "workers"}.get(component, component)
        part += f" ({group})" if group != contract.DEFAULT_GROUP else ""
        mine = [pod for pod in evidence.pods if part_of(pod) == part_of(item) and not is_over(pod)]
        phases = [diagnosis.phase(pod) for pod in mine if not diagnosis.is_ready(pod)]
        text = ", ".join(f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases))
        status = item.get("status", {})
        counts.append(Count(part, status.get("readyReplicas", 0), item["spec"].get("replicas", 1), text))
    return counts

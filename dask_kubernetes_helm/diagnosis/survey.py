"""What is in the way of a release's pods, all of them.

Belongs here: which objects count, and their findings together. Never here: what one object's state means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.diagnosis import rollouts
from dask_kubernetes_helm.diagnosis.finding import Finding, fold
from dask_kubernetes_helm.diagnosis.phases import is_over
from dask_kubernetes_helm.diagnosis.pods import examine
from dask_kubernetes_helm.diagnosis.refusals import refused

Object = dict[str, Any]

_HASH_LABEL = "pod-template-hash"


def survey(
    pods: Iterable[Object],
    deployments: Iterable[Object],
    events: Iterable[Object] = (),
    components: Collection[str] | None = None,
) -> list[Finding]:
    """What is wrong, those first that waiting won't mend; the same of several pods is one.

    Parameters
    ----------
    pods, deployments, events : iterable of dict
        Those of the release; there may be others' events among them.
    components : collection of str, optional
        Whose pods count; by default all.
    """
    pods, deployments = list(pods), [item for item in deployments if _is_of(item, components)]
    told = by_name(events)
    found = [
        examine(pod, told.get(pod["metadata"]["name"], ()))
        for pod in current(pods, deployments)
        if _is_of(pod, components)
    ]
    refusals = [event for items in told.values() for event in items if event.get("reason") == "FailedCreate"]
    found += [refused(deployment, refusals) for deployment in deployments]
    return fold(finding for finding in found if finding)


def _is_of(item: Object, components: Collection[str] | None) -> bool:
    return components is None or item["metadata"].get("labels", {}).get(contract.COMPONENT_LABEL) in components


def by_name(events: Iterable[Object]) -> dict[str, list[Object]]:
    """Events by the name of what they are about."""
    found: dict[str, list[Object]] = defaultdict(list)
    for event in events:
        found[(event.get("involvedObject") or {}).get("name", "")].append(event)
    return dict(found)


def current(pods: Iterable[Object], deployments: Iterable[Object]) -> list[Object]:
    """Pods as their Deployments want them: those of older templates, and those that end, are on their way out.

    A Deployment whose newest change has no pod yet has none that count.
    """
    staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    deployments, newest = list(deployments), dict[Any, str]()
    for pod in sorted(staying, key=_age):
        newest[part(pod)] = _template(pod)
    # A template before it may have made the newest pod, in place of one that was evicted.
    newest.update({part(item): name.rpartition("-")[2] for item in deployments if (name := rollouts.newest(item))})
    waiting = {part(item) for item in deployments if not _has_begun(item)}
    return [
        pod for pod in staying if part(pod) not in waiting and _template(pod) == newest[part(pod)] and not is_over(pod)
    ]


def part(item: Object) -> tuple[str, str]:
    """Which part of the release an object is of: its component and its worker group."""
    labels = item["metadata"].get("labels", {})
    return labels.get(contract.COMPONENT_LABEL, ""), labels.get(contract.GROUP_LABEL, "")


def _age(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _template(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(_HASH_LABEL, ""))


def _has_begun(deployment: Object) -> bool:
    """Whether pods of the newest template are there, or none are wanted."""
    status: Object = deployment.get("status", {})
    return rollouts.is_seen(deployment) and bool(status.get("updatedReplicas") or not status.get("replicas"))

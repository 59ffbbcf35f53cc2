"""Pods that are never made: what the API server says to whoever would make them.

Belongs here: reading the refusal of a pod, wherever it is written down. Never here: pods that are there (pods.py).

Sources: https://kubernetes.io/docs/concepts/policy/resource-quotas/,
https://kubernetes.io/docs/concepts/security/pod-security-admission/,
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dask_kubernetes_helm.diagnosis import happenings, rollouts
from dask_kubernetes_helm.diagnosis.finding import Finding, role
from dask_kubernetes_helm.errors import (
    AdmissionError,
    MissingServiceAccountError,
    PodCreationError,
    QuotaExceededError,
    StartError,
)

Object = dict[str, Any]


@dataclass(frozen=True)
class _Rule:
    """What the API server says, what that means, and what to do; groups of the pattern fill the texts."""

    pattern: re.Pattern[str]
    error: type[StartError]
    sentence: str
    cure: str
    terminal: bool = True


_ASK = "Change the values to what it asks for, or ask who runs it."
#: The first that is found counts.
_RULES = (
    _Rule(
        re.compile(
            r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<asked>.+), used: (?P<used>.+), limited: (?P<hard>.+)"
        ),
        QuotaExceededError,
        "exceeded quota: {quota} ({figures})",
        "Ask for fewer workers, or for less ({values}.resources); or have the namespace's quota raised: kubectl "
        "describe quota {quota}.",
    ),
    _Rule(
        re.compile(r"failed quota: (?P<quota>[^:\s]+): must specify (?P<what>.+)"),
        QuotaExceededError,
        "quota {quota} wants each to say {what}",
        "Give requests and limits for all that runs in the pod ({values}.resources).",
    ),
    _Rule(
        # A new namespace has its default one in a moment.
        re.compile(r'error looking up service account \S+?: serviceaccount "default" not found'),
        MissingServiceAccountError,
        "the namespace has no service account default yet",
        "Kubernetes makes it; kubectl get serviceaccounts.",
        terminal=False,
    ),
    _Rule(
        re.compile(r'error looking up service account \S+?: serviceaccount "(?P<account>[^"]+)" not found'),
        MissingServiceAccountError,
        "there is no service account {account}",
        "Create it, or name one that is there ({values}.serviceAccountName): kubectl get serviceaccounts.",
    ),
    _Rule(
        re.compile(r'violates PodSecurity "(?P<level>[^"]+)": (?P<what>.+)', re.DOTALL),
        AdmissionError,
        "they violate the namespace's Pod Security standard {level}: {what}",
        "Change what it names ({values}.securityContext, {values}.containerSecurityContext, volumes); the chart's own "
        "defaults meet `restricted`.",
    ),
    _Rule(
        re.compile(r'admission webhook "(?P<webhook>[^"]+)" denied the request: (?P<what>.+)', re.DOTALL),
        AdmissionError,
        "webhook {webhook} denies them: {what}",
        _ASK,
    ),
    _Rule(
        re.compile(r'admission webhook "(?P<webhook>[^"]+)" denied the request'),
        AdmissionError,
        "webhook {webhook} denies them without a reason",
        _ASK,
    ),
    _Rule(
        re.compile(r"ValidatingAdmissionPolicy '(?P<policy>[^']+)'.*? denied request: (?P<what>.+)", re.DOTALL),
        AdmissionError,
        "policy {policy} denies them: {what}",
        _ASK,
    ),
    _Rule(
        re.compile(
            r'failed calling webhook "(?P<webhook>[^"]+)": (?:failed to call webhook: )?(?P<what>.+)', re.DOTALL
        ),
        AdmissionError,
        "webhook {webhook}, which has to admit them, does not answer: {what}",
        "Whoever runs that webhook has to mend it; Kubernetes goes on trying.",
        terminal=False,
    ),
    _Rule(
        re.compile(r"(?:maximum|minimum) .+ usage per |max limit to request ratio"),
        AdmissionError,
        "a LimitRange of the namespace forbids them: {text}",
        "Change {values}.resources to what it allows: kubectl describe limitrange.",
    ),
    _Rule(
        re.compile(r"is forbidden|is invalid|denied request"),
        PodCreationError,
        "{text}",
        "Change the values to what it allows.",
    ),
    _Rule(re.compile(""), PodCreationError, "{text}", "Kubernetes goes on trying.", terminal=False),
)
#: Seconds after which a refusal that is still there is not that of a template before.
_REPLACED = 5.0
#: Of which ReplicaSet's pods, whose own names are not settled yet.
_WHOSE = re.compile(r'pods? "([^"]+)-" is (?:forbidden|invalid)')
#: What is in front of the text that matters: who says so, and of which pod.
_FRONT = re.compile(r'^(?:Error creating: )?(?:pods? "[^"]*" is (?:forbidden|invalid): )?(?:unable to create pods?: )?')


def refused(owner: Object, events: Iterable[Object] = ()) -> Finding | None:
    """Why Kubernetes refuses to create a Deployment's or a ReplicaSet's pods, or None.

    A Deployment also tells of the ReplicaSets before its newest one, whose refusals a change may have mended.

    Parameters
    ----------
    owner : dict
        The Deployment or the ReplicaSet.
    events : iterable of dict
        Those of the release; of help where the conditions say nothing.
    """
    if not rollouts.is_seen(owner):
        return None
    kind, name, newest = owner.get("kind") or "Deployment", owner["metadata"]["name"], rollouts.newest(owner)
    status = owner.get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = condition.get("message") or condition.get("reason", "")
            whose = _WHOSE.search(message)
            if whose and newest and whose.group(1) != newest:
                continue
            finding = read(owner, message, condition.get("reason", ""))
            # Perhaps of a template before, which this one is about to replace: that is over in a moment.
            replacing = status.get("updatedReplicas", 0) < status.get("replicas", 0)
            if replacing and not (whose and newest) and finding.terminal:
                return replace(finding, terminal=False, patience=_REPLACED)
            return finding
    if status.get("replicas", 0) >= owner.get("spec", {}).get("replicas", 1):
        return None
    failed = [
        event
        for event in events
        if event.get("reason") == "FailedCreate"
        and (event.get("involvedObject") or {}).get("kind") == "ReplicaSet"
        and _is_of(event["involvedObject"].get("name", ""), kind, name)
        and newest in ("", event["involvedObject"].get("name", ""))
    ]
    event = max(failed, key=happenings.last, default=None)
    return read(owner, event.get("message", ""), "FailedCreate") if event else None


def _is_of(replicaset: str, kind: str, name: str) -> bool:
    return replicaset == name if kind == "ReplicaSet" else replicaset.rpartition("-")[0] == name


def read(owner: Object, message: str, reason: str = "FailedCreate") -> Finding:
    """What a refusal means."""
    kind, metadata = owner.get("kind") or "Deployment", owner["metadata"]
    whose, values = f"{kind} {metadata['name']}", role(metadata.get("labels", {}))
    text = _FRONT.sub("", message).strip()
    rule, found = next((rule, found) for rule in _RULES if (found := rule.pattern.search(message)))
    fills = {**found.groupdict(), "text": text, "values": values}
    if "asked" in fills:
        fills["figures"] = _figures(fills)
    return Finding(
        rule.error,
        f"Kubernetes refuses pods of {whose}: {rule.sentence.format(**fills).strip()}",
        rule.cure.format(**fills),
        terminal=rule.terminal,
        object=f"{kind.lower()}/{metadata['name']}",
        reason=reason,
        cause=text,
    )


def _figures(found: Mapping[str, str]) -> str:
    """What a quota has of each resource that is asked for.

    Examples
    --------
    >>> _figures({"asked": "pods=1", "used": "cpu=3,pods=2", "hard": "cpu=3,pods=2"})
    'pods: 1 asked for, 2 of 2 used'
    """
    asked, used, hard = (_amounts(found[key]) for key in ("asked", "used", "hard"))
    return "; ".join(
        f"{resource}: {amount} asked for, {used.get(resource, '?')} of {hard.get(resource, '?')} used"
        for resource, amount in asked.items()
    )


def _amounts(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split(","))
    return {resource.strip(): amount.strip() for resource, _, amount in pairs}


def stalled(deployment: Object) -> Finding | None:
    """Whether Kubernetes has given a Deployment's rollout up, which tells of it and goes on.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
    """
    name = deployment["metadata"]["name"]
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return Finding(
                StartError,
                f"Deployment {name} gets no further: {condition.get('message', condition.get('reason'))}",
                f"kubectl describe deployment {name} tells more; kubectl rollout undo takes the last change back.",
                terminal=False,
                object=f"deployment/{name}",
                reason=condition.get("reason", ""),
            )
    return None

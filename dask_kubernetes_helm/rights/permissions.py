"""Which permissions an act needs, and which of them are missing.

Belongs here: comparing needs with the rules that Kubernetes lists, on plain data. Never here: asking for the rules.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import contract


@dataclass(frozen=True)
class Permission:
    """One verb on one kind of object, or on the one that has a name."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        """As people say it: the resource with its API group."""
        what = f"{self.resource}{'.' + self.group if self.group else ''}"
        return f"{self.verb} {what}{' ' + self.name if self.name else ''}"


def _all(verbs: str, group: str, resource: str) -> list[Permission]:
    return [Permission(verb, group, resource) for verb in verbs.split()]


#: To reach, watch and scale a release that is there.
ATTACH = [
    *_all("list watch", "", "pods"),
    *_all("list", "", "services"),
    *_all("list watch", "apps", "deployments"),
    *_all("get patch", "apps", "deployments/scale"),
]
#: From outside the cluster the scheduler is reached through the API server.
FORWARD = _all("get", "", "pods/portforward")
_BUDGET = "podDisruptionBudget"


def installing(values: Mapping[str, Any], *, outside: bool, applied: bool = False) -> list[Permission]:
    """To install, use and remove a release with these values: what the chart creates, and where Helm keeps its records.

    Parameters
    ----------
    values : mapping
        The chart's values.
    outside : bool
        This process runs outside of the cluster.
    applied : bool
        By server-side apply, as Helm 4 does, which takes the right to patch even what is created.
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
    """
    scheduler = values.get("scheduler") or {}
    mine = scheduler.get("enabled", True)
    kinds = [*contract.INSTALLED, ("", "secrets"), *_monitored(values)]
    kinds += _exposed(values, mine=mine)
    verbs = "create get patch delete" if applied else "create get delete"
    needed = [item for group, resource in kinds for item in _all(verbs, group, resource)]
    needed += (
        _all("list", "", "configmaps")
        + _all("list patch update", "", "secrets")
        + ATTACH
        + (FORWARD if outside and mine else [])
    )
    without = set() if mine else {("", "services")}
    if not has_agent(values):
        without |= set(contract.RBAC)
    if not _enabled(values.get("networkPolicy"), default=True):
        without.add(contract.POLICIES)
    if not _has_budget(values):
        without.add(contract.PDB)
    return [item for item in needed if (item.group, item.resource) not in without]


def has_agent(values: Mapping[str, Any]) -> bool:
    """Whether a release with these values has an agent."""
    return _enabled(values.get("agent"), default=True)


def _has_budget(values: Mapping[str, Any]) -> bool:
    scheduler, worker = (values.get(role) or {} for role in ("scheduler", "worker"))
    groups = [{}, *filter(None, (worker.get("groups") or {}).values())]
    budgets = [{**(worker.get(_BUDGET) or {}), **(group.get(_BUDGET) or {})} for group in groups]
    spared = scheduler.get("enabled", True) and _enabled(scheduler.get(_BUDGET), default=True)
    return bool(spared) or any(_enabled(budget, default=False) for budget in budgets)


def _monitored(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kinds of the Prometheus operator's; those in other namespaces are not asked after."""
    metrics = values.get("metrics") or {}
    wanted = {key: metrics.get(key) or {} for key in contract.MONITORS}
    return [
        kind
        for key, kind in contract.MONITORS.items()
        if _enabled(wanted[key], default=False) and not wanted[key].get("namespace")
    ]


def _enabled(values: Mapping[str, Any] | None, *, default: bool) -> bool:
    return bool((values or {}).get("enabled", default))


def _exposed(values: Mapping[str, Any], *, mine: bool) -> list[tuple[str, str]]:
    """What ways in from outside and notebooks need besides."""
    jupyter = values.get("jupyter") or {}
    notebooks = bool(jupyter.get("enabled"))
    fronts = [values.get("webUI") or {}] * mine + [jupyter] * notebooks
    kinds = [
        kind for key, kind in contract.ROUTES.items() if any((front.get(key) or {}).get("enabled") for front in fronts)
    ]
    kept = jupyter.get("persistence") or {}
    return kinds + [contract.CLAIMS] * (notebooks and bool(kept.get("enabled")) and not kept.get("existingClaim"))


def joined(lacking: Iterable[Permission]) -> str:
    """Verbs by what they are on.

    Examples
    --------
    >>> joined([Permission("get", "", "pods"), Permission("list", "", "pods")])
    'get/list pods'
    """
    verbs: dict[str, list[str]] = {}
    for item in lacking:
        verb, _, what = str(item).partition(" ")
        verbs.setdefault(what, []).append(verb)
    return ", ".join(f"{'/'.join(some)} {what}" for what, some in verbs.items())


def missing(rules: Iterable[dict[str, Any]], needed: Iterable[Permission]) -> list[Permission]:
    """The needed permissions that no rule grants.

    Parameters
    ----------
    rules : iterable of dict
        `resourceRules` of a SelfSubjectRulesReview.
    needed : iterable of Permission
        What an act needs.

    Examples
    --------
    >>> [str(item) for item in missing([], [Permission("list", "", "pods")])]
    ['list pods']
    """
    rules = list(rules)
    unique = dict.fromkeys(needed)
    return [permission for permission in unique if not any(_grants(rule, permission) for rule in rules)]


def _grants(rule: dict[str, Any], permission: Permission) -> bool:
    if (names := rule.get("resourceNames")) and permission.name not in names:
        return False
    parts = permission.resource.split("/")
    resources = {permission.resource, "*", *([f"*/{parts[1]}"] if parts[1:] else [])}
    return (
        not {permission.verb, "*"}.isdisjoint(rule.get("verbs", ()))
        and not {permission.group, "*"}.isdisjoint(rule.get("apiGroups", ()))
        and not resources.isdisjoint(rule.get("resources", ()))
    )

"""What this package can do, and which permissions each of that takes (pure).

Belongs here: the table, and Roles as YAML. Never here: asking what is allowed (doctor.py).

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.rights.permissions import FORWARD, Permission, installing

_FULL = ("create", "get", "patch", "delete")
_WITHOUT = {
    "agent": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "scheduler": {"podDisruptionBudget": {"enabled": False}},
}


@dataclass(frozen=True)
class Feature:
    """Something that takes permissions.

    Attributes
    ----------
    name : str
        In a word or two.
    needed : tuple of Permission
        What it takes.
    without : str
        What to do without it; empty where everybody needs it.
    """

    name: str
    needed: tuple[Permission, ...]
    without: str = ""
    #: Only some releases have it, by their values.
    optional: bool = False


def _on(verbs: Iterable[str], *kinds: tuple[str, str]) -> tuple[Permission, ...]:
    return tuple(Permission(verb, group, resource) for group, resource in kinds for verb in verbs)


_WATCHING = ("list", "watch")
_INSTALLING = tuple(dict.fromkeys([*_on(("patch",), *contract.INSTALLED[:4]), *installing(_WITHOUT, outside=False)]))
#: The Secret of a release's certificates, whichever that is.
_CERTIFICATES = Permission("get", "", "secrets")

#: All features, from what most need to what few do.
_FEATURES = (
    Feature(
        "attach, watch", (*_on(_WATCHING, ("", "pods"), ("apps", "deployments")), *_on(["list"], ("", "services")))
    ),
    Feature("scale", _on(("get", "patch"), ("apps", "deployments/scale"))),
    Feature(
        "port-forward",
        tuple(FORWARD),
        "Needed outside the cluster, unless the Service is of type LoadBalancer or NodePort.",
    ),
    Feature("encryption", (_CERTIFICATES,), "Give security= with certificates of your own."),
    Feature("logs", _on(("get",), ("", "pods/log")), "Errors have no log lines, and get_logs() none of the pods."),
    Feature("events", _on(_WATCHING, ("", "events")), "Causes are told as far as pods and Deployments have them."),
    Feature(
        "install, upgrade, remove",
        _INSTALLING,
        "Attach by HelmCluster.from_name to what others have installed.",
    ),
    Feature(
        "adapt, tidy up (the agent's Role)",
        _on(_FULL, *contract.RBAC),
        "agent.enabled=false installs a release that can't adapt.",
    ),
    Feature(
        "network policies",
        _on(_FULL, contract.POLICIES),
        "networkPolicy.enabled=false installs a release that anybody may talk to.",
    ),
    Feature(
        "disruption budgets",
        _on(_FULL, contract.PDB),
        "scheduler.podDisruptionBudget.enabled=false: a drained node takes the scheduler along.",
    ),
    Feature(
        "jupyter's volume",
        _on(_FULL, contract.CLAIMS),
        "Needed only with jupyter.persistence.enabled.",
        optional=True,
    ),
    Feature(
        "ingress",
        _on(_FULL, contract.ROUTES["ingress"]),
        "Needed only with webUI.ingress or jupyter.ingress.",
        optional=True,
    ),
    Feature(
        "gateway routes",
        _on(_FULL, contract.ROUTES["httpRoute"]),
        "Needed only with webUI.httpRoute or jupyter.httpRoute.",
        optional=True,
    ),
    Feature(
        "monitors and alerts",
        _on(_FULL, *contract.MONITORS.values()),
        "Needed only with metrics.*.enabled.",
        optional=True,
    ),
)


def table(certificates: str = "") -> tuple[Feature, ...]:
    """All features, from what most need to what few do.

    Parameters
    ----------
    certificates : str
        The Secret that has a release's certificates; empty: any.

    Examples
    --------
    >>> [str(item) for item in table()[1].needed]
    ['get deployments/scale.apps', 'patch deployments/scale.apps']
    """
    named = replace(_CERTIFICATES, name=certificates)
    return tuple(
        replace(item, needed=tuple(named if one is _CERTIFICATES else one for one in item.needed)) for item in _FEATURES
    )


def role(needed: Iterable[Permission], name: str, namespace: str) -> str:
    """A Role that grants permissions, as YAML; empty where there are none to grant.

    Examples
    --------
    >>> print(role([Permission("get", "", "pods/log")], "dask-helm-more", "lab"), end="")
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: "dask-helm-more"
      namespace: "lab"
    rules:
      - apiGroups: [""]
        resources: ["pods/log"]
        verbs: ["get"]
    """
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for item in needed:
        verbs.setdefault((item.group, item.resource, item.name), []).append(item.verb)
    if not verbs:
        return ""
    grouped: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, only), some in verbs.items():
        grouped.setdefault((group, only, tuple(dict.fromkeys(some))), []).append(resource)
    lines = ["apiVersion: rbac.authorization.k8s.io/v1", "kind: Role", "metadata:"]
    lines += [f"  name: {json.dumps(name)}", f"  namespace: {json.dumps(namespace)}", "rules:"]
    for (group, only, granted), resources in grouped.items():
        lines += [f"  - apiGroups: {json.dumps([group])}", f"    resources: {json.dumps(resources)}"]
        lines += [f"    resourceNames: {json.dumps([only])}"] if only else []
        lines.append(f"    verbs: {json.dumps(list(granted))}")
    return "\n".join(lines) + "\n"

"""The permission doctor: which feature lacks which verb, and the Role that adds it.

Belongs here: asking Kubernetes, and the report. Never here: which feature takes what (features.py), or refusing an
install (preflight.py).

Sources: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/ and
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/.
"""

from __future__ import annotations

import asyncio
import html
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.rights import features, permissions
from dask_kubernetes_helm.rights.features import Feature
from dask_kubernetes_helm.rights.permissions import Permission

#: What the Role is called that the report proposes.
ROLE = "dask-helm-more"


@dataclass(frozen=True)
class Permissions:
    """What some credentials may do in a namespace, by feature.

    Attributes
    ----------
    who : str
        Where the credentials come from.
    namespace : str
        Where they were looked at.
    lacking : dict of Feature to list of Permission
        What each feature lacks; empty lists for those that lack nothing.

    Examples
    --------
    >>> print(cluster.permissions())  # doctest: +SKIP
    Permissions of context 'lab' in namespace team
      yes  attach, watch
      yes  scale
      NO   logs               lacks get pods/log. Errors have no log lines, and get_logs() none of the pods.
    """

    who: str
    namespace: str
    lacking: dict[Feature, list[Permission]]

    @property
    def ok(self) -> bool:
        """Whether nothing is lacking that every release takes."""
        return not self.role

    @property
    def role(self) -> str:
        """A Role with what is lacking, but for what only some releases take, as YAML; empty where nothing is."""
        needed = [item for feature, lacking in self.lacking.items() if not feature.optional for item in lacking]
        return features.role(dict.fromkeys(needed), ROLE, self.namespace)

    def may(self, feature: str) -> bool:
        """Whether a feature, by its name, lacks nothing."""
        return not next(lacking for known, lacking in self.lacking.items() if known.name == feature)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        told = [
            {
                "feature": feature.name,
                "allowed": not lacking,
                "lacks": list(map(str, lacking)),
                "without": feature.without,
            }
            for feature, lacking in self.lacking.items()
        ]
        return {"who": self.who, "namespace": self.namespace, "ok": self.ok, "features": told, "role": self.role}

    def __str__(self) -> str:
        """A table for people, with the Role to add below it."""
        width = max(len(feature.name) for feature in self.lacking)
        lines = [f"Permissions of {self.who} in namespace {self.namespace}"]
        for feature, lacking in self.lacking.items():
            said = f"lacks {permissions.joined(lacking)}. {feature.without}" if lacking else ""
            sign = ("no " if feature.optional else "NO ") if lacking else "yes"
            lines.append(f"  {sign}  {feature.name:{width}}  {said}".rstrip())
        if not self.ok:
            lines += ["", "This Role adds what is lacking; leave out the rules for what is not needed:", "", self.role]
        return "\n".join(lines).rstrip("\n")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'&#10007;' if lacking else '&#10003;'}</td><td>{html.escape(feature.name)}</td>"
            f"<td>{html.escape(permissions.joined(lacking))}</td>"
            f"<td>{html.escape(feature.without if lacking else '')}</td></tr>"
            for feature, lacking in self.lacking.items()
        )
        table = (
            f"<p>Permissions of {html.escape(self.who)} in namespace {html.escape(self.namespace)}</p>"
            f"<table><tr><th></th><th>Feature</th><th>Lacks</th><th>Without it</th></tr>{rows}</table>"
        )
        return table if self.ok else f"{table}<p>This Role adds what is lacking:</p><pre>{html.escape(self.role)}</pre>"


async def examine(kube: Kube, certificates: str = "") -> Permissions:
    """Ask which features the credentials have the permissions for; one request, where that tells all.

    Parameters
    ----------
    kube : Kube
        The door to the API, in the namespace that is meant.
    certificates : str
        The Secret that has a release's certificates, where a Role may name it; empty: any.

    Returns
    -------
    Permissions

    Raises
    ------
    KubernetesError

    Examples
    --------
    >>> report = await examine(await Kube.connect(namespace="team"))  # doctest: +SKIP
    """
    rules, complete = await kube.allowed()
    table = features.table(certificates)
    lacking = {feature: permissions.missing(rules, feature.needed) for feature in table}
    if not complete:  # another authorizer than RBAC, which does not list its rules, may allow more
        doubted = list(dict.fromkeys(item for some in lacking.values() for item in some))
        answers = await asyncio.gather(*(kube.may(item) for item in doubted))
        refused = {item for item, allowed in zip(doubted, answers, strict=True) if not allowed}
        lacking = {feature: [item for item in some if item in refused] for feature, some in lacking.items()}
    return Permissions(kube.credentials.origin, kube.namespace, lacking)

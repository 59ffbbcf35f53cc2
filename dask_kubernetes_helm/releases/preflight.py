"""What can be known before anything is created: the namespace, the rights, the Secret that the values name.

Belongs here: asking for it, and what follows from what is missing. Never here: which rights an act needs
(permissions.py), or judging the values themselves (schema.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.connections import certificates
from dask_kubernetes_helm.errors import ForbiddenError, TlsSecretError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi import kubesaid
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.rights import features, permissions

#: What the Role is called that has what is lacking.
_ROLE = "dask-helm-more"
#: Which values do without rights to which kinds.
_WITHOUT = {
    contract.RBAC: "Without rights to roles, agent.enabled=false installs a release that can't adapt.",
    (
        contract.POLICIES,
    ): "Without rights to networkpolicies, networkPolicy.enabled=false installs a release that anybody may "
    "talk to whom the cluster lets.",
    (
        contract.PDB,
    ): "Without rights to poddisruptionbudgets, scheduler.podDisruptionBudget.enabled=false installs a release "
    "whose scheduler goes when its node is drained.",
}


async def check(kube: Kube, release: str, values: Mapping[str, Any], *, certified: bool, applied: bool = False) -> None:
    """Refuse an install that could not succeed.

    Parameters
    ----------
    kube : Kube
        The door to the API, in the namespace that the release shall be in.
    release : str
        Its name.
    values : mapping
        All of the chart's, defaults included.
    certified : bool
        It is given certificates, whatever its values say of a Secret.
    applied : bool
        Helm installs by server-side apply.

    Raises
    ------
    NamespaceNotFoundError, ForbiddenError, TlsSecretError
    """
    exists, (rules, complete) = await asyncio.gather(kube.namespace_exists(), kube.allowed())
    if not exists:
        known = await kube.namespaces()
        raise kubesaid.no_namespace(kube.namespace, kube.credentials, known).concerning(release, None)
    outside = "KUBERNETES_SERVICE_HOST" not in os.environ
    needed = permissions.installing(values, outside=outside, applied=applied)
    lacking = permissions.missing(rules, needed)
    if lacking and complete:
        kinds = {(item.group, item.resource) for item in lacking}
        role = features.role(lacking, _ROLE, kube.namespace)
        raise ForbiddenError(
            f"{kubesaid.who(await kube.user())} may not {permissions.joined(lacking)} in namespace {kube.namespace}",
            cure="".join(f"{said} " for some, said in _WITHOUT.items() if kinds & set(some))
            + "Ask for a Role with these permissions (docs/permissions.md has one to apply; "
            f"`python -m dask_kubernetes_helm rbac` prints it). What is lacking, as a Role:\n\n{role.rstrip()}",
        ).concerning(release, kube.namespace)
    tls = values.get("tls") or {}
    if tls.get("enabled") and tls.get("secretName") and not certified:
        await _check_secret(kube, release, tls["secretName"], tls.get("keys") or {})


async def _check_secret(kube: Kube, release: str, name: str, keys: Mapping[str, str]) -> None:
    """A pod whose Secret lacks a file waits for it for ever, and only its events say so."""
    try:
        missing = certificates.missing(await kube.get("secrets", name), keys.values())
    except ForbiddenError:
        return  # the pods may have what we may not see
    except WorkloadNotFoundError as error:
        raise TlsSecretError(
            f"There is no Secret {name}, which tls.secretName names",
            cure=f"Create it, with {', '.join(sorted(set(keys.values())))}; or leave tls.secretName out, and the chart "
            "makes certificates.",
        ).concerning(release, kube.namespace) from error
    if missing:
        named = ", ".join(f"tls.keys.{key}" for key, file in keys.items() if file in missing)
        raise TlsSecretError(
            f"The Secret {name}, which tls.secretName names, lacks {', '.join(missing)}",
            cure=f"Add what is missing to the Secret, or say what it is called there by {named}.",
        ).concerning(release, kube.namespace)

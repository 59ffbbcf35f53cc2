"""Values of daskhub, dask/helm-chart's chart around JupyterHub and Dask Gateway.

Belongs here: what of a gateway's backend is a worker or a scheduler. Never here: JupyterHub itself.
"""

from __future__ import annotations

from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.moving import pods
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked
from dask_kubernetes_helm.podtemplates import translation
from dask_kubernetes_helm.podtemplates.commands import Role

KEYS = ("jupyterhub", "dask-gateway", "dask-kubernetes")
_BACKEND = ("gateway", "backend")
_HUB = (
    "JupyterHub has a chart of its own.",
    "Install jupyterhub/jupyterhub with these values, and use HelmCluster from its notebooks.",
)
_GATEWAY = (
    "There is no gateway: notebooks start releases themselves.",
    "HelmCluster(values=...) does, with the Role that `dask helm rbac` prints for the notebooks' account.",
)
_RBAC = "The chart makes its own Roles, by name.", "`dask helm rbac` prints the one for notebooks that start releases."


def convert(ledger: Ledger, sheet: Sheet) -> None:
    """Put what a gateway's backend says of scheduler and workers into a sheet."""
    root = ledger.root
    backend = root.get("dask-gateway", *_BACKEND)
    if backend is not None and isinstance(backend.value, dict):
        for role in ("scheduler", "worker"):
            values = _role(backend, role, sheet)
            sheet.values = merge(sheet.values, {role: values} if values else {})
        for key, ours in (("name", "repository"), ("tag", "tag"), ("pullPolicy", "pullPolicy")):
            if part := backend.said("image", key):
                sheet.put(("image", ours), part)
        if part := backend.said("imagePullSecrets"):
            sheet.put(("image", "pullSecrets"), part)
        if part := backend.get("environment"):
            part.silent()  # taken by both roles
    for key, told in (("jupyterhub", _HUB), ("dask-gateway", _GATEWAY), ("dask-kubernetes", _RBAC), ("rbac", _RBAC)):
        if part := root.get(key):
            part.hush()
            part.lost(*told)


def _role(backend: Tracked, role: Role, sheet: Sheet) -> dict[str, Any]:
    """The pod that Dask Gateway makes of a role's keys."""
    section = backend.get(role) or Tracked(backend.ledger, (*backend.path, role), {})
    limits: dict[str, dict[str, Any]] = {}
    for theirs, ours in (("cores", "cpu"), ("memory", "memory")):
        for key, kind in (("limit", "limits"), ("request", "requests")):
            if part := section.said(theirs, key):
                limits.setdefault(kind, {})[ours] = _quantity(part.take())
    container: dict[str, Any] = {"image": "any", "args": [f"dask-{role}"]}
    variables = {**_peek(backend.get("environment")), **_take(section.get("environment"))}
    if variables:
        container["env"] = [{"name": str(key), "value": str(value)} for key, value in variables.items()]
    if limits:
        container["resources"] = limits
    spec = {"containers": [merge(container, _take(section.get("extraContainerConfig")))]}
    pod = {"spec": merge(spec, _take(section.get("extraPodConfig")))}
    place: Path = section.path
    sheet.came((role,), section)
    translated = translation.translate(pod, role)
    pods.Places(backend.ledger, place).tell(translated.notes)
    values = {key: item for key, item in translated.values.items() if key != "image"}
    if role == "worker" and (threads := section.said("threads")):
        sheet.came(("worker", "threads_per_worker"), threads)
        values["threads_per_worker"] = threads.take()
    return values


def _quantity(value: Any) -> str:
    """Gateway's memory (2 G, 1.5 GiB) as Kubernetes writes it."""
    text = str(value).replace(" ", "")
    return text.removesuffix("B") if text[:1].isdigit() else text


def _peek(part: Tracked | None) -> dict[str, Any]:
    return dict(part.peek() or {}) if part and isinstance(part.value, dict) else {}


def _take(part: Tracked | None) -> dict[str, Any]:
    return dict(part.take() or {}) if part and isinstance(part.value, dict) else {}

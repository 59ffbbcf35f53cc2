"""A pod template as values of the chart: nothing that it says is lost without a sentence that tells.

Belongs here: which field of a pod is which key of `worker` or `scheduler`. Never here: its container of Dask
(containers.py), the command (commands.py), security (hardening.py), or where a template comes from (templates.py).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dask_kubernetes_helm import sizing
from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.podtemplates import commands, containers, hardening, podmodel, podspec
from dask_kubernetes_helm.podtemplates.commands import Role
from dask_kubernetes_helm.podtemplates.meanings import Found

logger = logging.getLogger(__name__)

_OWN_LABEL = re.compile(
    r"app\.kubernetes\.io/(name|instance|component|part-of|managed-by|version)|helm\.sh/chart|dask\.org/worker-group"
)
#: Fields of the spec that have a key of the same meaning.
_SPEC_KEYS = {
    "initContainers": "initContainers",
    "nodeSelector": "nodeSelector",
    "topologySpreadConstraints": "topologySpreadConstraints",
    "priorityClassName": "priorityClassName",
    "terminationGracePeriodSeconds": "terminationGracePeriodSeconds",
    "shareProcessNamespace": "shareProcessNamespace",
}
#: Annotations that name a container: as their value, and as the end of their key.
_NAMING_A_CONTAINER = ("kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_NOT_OF_A_DEPLOYMENT = ("activeDeadlineSeconds", "ephemeralContainers")


@dataclass(frozen=True)
class Translated:
    """What a pod template is for the chart.

    Attributes
    ----------
    values : dict
        The chart's `worker`, or `scheduler`.
    notes : tuple of str
        Sentences on what is carried out otherwise.
    death_timeout : float, optional
        After how many seconds without a scheduler its workers were to end.
    idle_timeout : str, optional
        After how long without work its scheduler was to end.
    workers : int
        Dask workers in a pod.
    """

    values: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    death_timeout: float | None = None
    idle_timeout: str | None = None
    workers: int = 1


def translate(pod: Mapping[str, Any], role: Role, *, affinity: str = "prefer") -> Translated:
    """A pod template as values of the chart.

    Parameters
    ----------
    pod : mapping
        In Kubernetes' own spelling; the first container is Dask's.
    role : {"worker", "scheduler"}
        What its pods are to be.
    affinity : {"prefer", "require", "ignore"}
        What nodes labelled for Dask are to them.

    Raises
    ------
    PodTemplateError
        It is no pod, has no image, or starts the other role's command.

    Examples
    --------
    >>> container = {"image": "ghcr.io/dask/dask:1", "args": ["dask-worker", "--nthreads", "2"]}
    >>> translate({"spec": {"containers": [container]}}, "worker").values["threads_per_worker"]
    2
    """
    pod = podmodel.plain(pod)
    podmodel.check(pod)
    _renamed(pod, role)
    spec = dict(pod["spec"])
    dask, *others = spec.pop("containers")
    command = commands.read(dask, role)
    notes = [*command.notes, *_too_much(command.found, dask)]
    security, said = hardening.values(spec, dask, [*others, *spec.get("initContainers", ())])
    notes += said
    for part in (spec, dask):
        part.pop("securityContext", None)
    values = merge(
        _metadata(pod.get("metadata", {}), notes),
        containers.image(dask, spec),
        containers.env(dask, command, role, notes),
        _other_containers(others, spec, role, notes),
        _placement(spec, role, affinity),
        command.values(),
        containers.ports(dask, role, notes),
        containers.probes(dask, command, role, notes),
        containers.rest(dask, command),
        _rest_of_spec(spec, notes),
        security,
    )
    found = command.found
    return Translated(values, tuple(dict.fromkeys(notes)), found.death_timeout, found.idle_timeout, found.workers)


def for_scheduler(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The template of a scheduler from a worker's: the same pod without GPUs, and with the scheduler's command.

    Parameters
    ----------
    pod : mapping
        In Kubernetes' own spelling; is not changed.
    """
    made = podmodel.plain(pod)
    podmodel.check(made)
    container = made["spec"]["containers"][0]
    container.pop("command", None)
    container["args"] = ["dask-scheduler"]
    for amounts in (container.get("resources") or {}).values():
        if isinstance(amounts, dict):
            # What is not Kubernetes' own (nvidia.com/gpu) was asked for to compute with.
            for resource in [name for name in amounts if "/" in name and "kubernetes.io/" not in name]:
                del amounts[resource]
    return made


def _renamed(pod: dict[str, Any], role: Role) -> None:
    """What calls Dask's container by its name finds it under the chart's."""
    name = pod["spec"]["containers"][0].get("name", role)
    annotations = pod.get("metadata", {}).get("annotations", {})
    for key, value in list(annotations.items()):
        if value == name and key in _NAMING_A_CONTAINER:
            annotations[key] = role
        elif key == f"{_APPARMOR}{name}":
            del annotations[key]
            annotations[f"{_APPARMOR}{role}"] = value
    _redirect(pod["spec"], name, role)


def _redirect(item: Any, name: str, role: Role) -> None:
    if isinstance(item, dict):
        field = item.get("resourceFieldRef")
        if isinstance(field, dict) and field.get("containerName") == name:
            field["containerName"] = role
    for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        _redirect(inner, name, role)


def _metadata(metadata: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    labels = dict(metadata.get("labels", {}))
    own = [label for label in labels if _OWN_LABEL.fullmatch(label)]
    if own:
        notes.append(f"The chart sets {', '.join(own)} itself, so the pod template's label is left out.")
    notes += [
        f"metadata.{key} is left out: pods of a Deployment belong to it, which makes them."
        for key in ("ownerReferences", "finalizers")
        if metadata.get(key)
    ]
    kept = {label: value for label, value in labels.items() if label not in own}
    return containers.said({"podLabels": kept, "annotations": metadata.get("annotations")})


def _other_containers(
    others: list[dict[str, Any]], spec: dict[str, Any], role: Role, notes: list[str]
) -> dict[str, Any]:
    for prefix, found, first in (("dask", others, 1), ("init", spec.get("initContainers", []), 0)):
        for index, container in enumerate(found, start=first):
            container.setdefault("name", f"{prefix}-{index}")
            if container["name"] == role:
                raise PodTemplateError(
                    f"A further container is called {role}, as the chart calls Dask's", cure="Give it another name."
                )
            containers.without_twins(container, notes)
    return containers.said({"extraContainers": others})


def _placement(spec: dict[str, Any], role: Role, affinity: str) -> dict[str, Any]:
    own = podspec.tolerations(role)
    tolerations = [one for one in spec.pop("tolerations", []) if {"operator": "Equal", **one} not in own]
    given = spec.pop("affinity", {})
    node = given.get("nodeAffinity", {})
    if affinity == "prefer" and podspec.PREFERRED in node:
        term = {"weight": 100, "preference": {"matchExpressions": [podspec.node_purpose(role)]}}
        node[podspec.PREFERRED] = [one for one in node[podspec.PREFERRED] if one != term]
        if not node[podspec.PREFERRED]:
            del node[podspec.PREFERRED]
        if not node:
            del given["nodeAffinity"]
    values = containers.said({"tolerations": tolerations, "affinity": given})
    return values if affinity == "prefer" else {**values, "matchNodePurpose": affinity}


def _rest_of_spec(spec: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    values = {key: spec.pop(name) for name, key in _SPEC_KEYS.items() if name in spec}
    volumes = spec.pop("volumes", None)
    if volumes:
        values["mounts"] = {"volumes": volumes}
    aliases: dict[str, Any] = {}
    for alias in spec.pop("hostAliases", []):
        known = aliases.setdefault(alias.get("ip"), {**alias, "hostnames": []})
        known["hostnames"] += alias.get("hostnames", [])
    if aliases:
        spec["hostAliases"] = list(aliases.values())
    policy = spec.pop("restartPolicy", None)
    if policy not in (None, "Always"):
        logger.debug("restartPolicy %s is left out: a Deployment knows Always only", policy)
    notes += [
        f"spec.{key} is left out: pods of a Deployment can't have it."
        for key in _NOT_OF_A_DEPLOYMENT
        if spec.pop(key, None) is not None
    ]
    old = spec.pop("serviceAccount", "")
    account = spec.pop("serviceAccountName", "") or old
    if account:
        values["serviceAccountName"] = account
        # Kubernetes' default, which is not the chart's: who names an account wants what it may do.
        spec.setdefault("automountServiceAccountToken", True)
    if spec.get("hostPID"):
        values["shareProcessNamespace"] = False
    return {**values, "podTemplate": {"spec": spec}} if spec else values


def _too_much(found: Found, dask: Mapping[str, Any]) -> list[str]:
    limit = ((dask.get("resources") or {}).get("limits") or {}).get("memory")
    told = (found.memory or 0) * found.workers
    if limit is None or told <= sizing.quantity(limit):
        return []
    several = f" of {found.workers} workers" if found.workers > 1 else ""
    note = (
        f"--memory-limit{several} makes {told} bytes, but the container's memory limit is {limit} "
        f"({int(sizing.quantity(limit))} bytes): Kubernetes ends it before Dask spills."
    )
    return [note]

"""The pods of the operator's manifests: what the operator itself puts into them goes, the rest is a pod as any.

Belongs here: names, variables and labels that are the operator's. Never here: what a pod is for the chart (pods.py).
"""

from __future__ import annotations

import re
from typing import Any

from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.moving import pods
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Path, Tracked
from dask_kubernetes_helm.podtemplates.commands import Role
from dask_kubernetes_helm.podtemplates.translation import Translated

_WORKER_NAME = "DASK_WORKER_NAME"
_IS_NAME = ("$(DASK_WORKER_NAME)", "$DASK_WORKER_NAME", "${DASK_WORKER_NAME}")
#: Labels by which the operator finds its own; the chart finds by others.
_OPERATOR = re.compile(r"(kubernetes\.)?dask\.org/(cluster-name|workergroup-name|component|autoscaler-name|job-name)")
_PORT = re.compile(r":?(\d+)")
_OWN_PROBE = ("http-dashboard", 8787, "8787")


def carry(part: Tracked, role: Role, sheet: Sheet, at: Path = ()) -> Translated:
    """The values of a role from `spec.scheduler`, or `spec.worker`.

    Raises
    ------
    PodTemplateError
        It has no pod, or one that Kubernetes would refuse.
    """
    spec = part.get("spec")
    if spec is None or not isinstance(spec.value, dict):
        raise PodTemplateError(f"The manifest's {role} has no spec of a pod", cure="Give containers there.")
    if labels := part.get("metadata", "labels"):
        own_labels(labels)
    for container in spec.get("containers").children() if spec.get("containers") else ():  # type: ignore[union-attr]
        _named_by_operator(container)
        if container.path[-1] == 0:
            _variables(container)
            _probes(container, role)
    port = _dashboard(spec.get("containers", 0)) if role == "worker" else None
    translated = pods.carry(part, role, sheet, at, spec=spec)
    if port is not None:
        translated.values["portDashboard"] = port
    return _renamed(spec, translated)


def own_labels(labels: Tracked) -> None:
    """Labels that the operator selects by."""
    for label in labels.children():
        if _OPERATOR.fullmatch(str(label.path[-1])):
            label.note("The operator selects by this label; the chart has labels of its own.")
            label.silent()


def _named_by_operator(container: Tracked) -> None:
    """`--name $(DASK_WORKER_NAME)`: each worker is called by its pod anyway."""
    for key in ("command", "args"):
        words = container.get(key)
        told = words.children() if words and isinstance(words.value, list) else []
        for index, word in enumerate(told):
            after = told[index + 1] if index + 1 < len(told) else None
            if word.value == "--name" and after is not None and after.value in _IS_NAME:
                word.note("--name $(DASK_WORKER_NAME) goes: each worker is called like its pod.")
                word.silent()
                after.silent()
            elif isinstance(word.value, str) and word.value.removeprefix("--name=") in _IS_NAME and "=" in word.value:
                word.note("--name=$(DASK_WORKER_NAME) goes: each worker is called like its pod.")
                word.silent()


def _dashboard(container: Tracked | None) -> int | None:
    """The port of the workers' dashboards, which every manifest names: the chart has a key for it."""
    port = None
    words = container.get("args") if container else None
    told = words.children() if words and isinstance(words.value, list) else []
    for index, word in enumerate(told):
        after = told[index + 1] if index + 1 < len(told) else None
        if word.value == "--dashboard":
            word.silent()  # the chart's default
        elif word.value == "--dashboard-address" and after and (match := _PORT.fullmatch(str(after.value))):
            port = int(match[1])
            word.take()
            after.take()
    ports = container.get("ports") if container and port else None
    for one in ports.children() if ports else ():
        if isinstance(one.value, dict) and one.value.get("containerPort") == port:
            one.silent()  # the chart's own
    return port


def _variables(container: Tracked) -> None:
    env = container.get("env")
    for variable in env.children() if env and isinstance(env.value, list) else ():
        name = variable.value.get("name") if isinstance(variable.value, dict) else None
        if name == _WORKER_NAME:
            variable.lost("The operator sets DASK_WORKER_NAME; here a worker is called like its pod.", "Leave it out.")
        elif name == "DASK_SCHEDULER_ADDRESS":
            variable.lost(
                "The chart sets DASK_SCHEDULER_ADDRESS to the release's scheduler.",
                "worker.custom_scheduler_url leads elsewhere.",
            )


def _probes(container: Tracked, role: Role) -> None:
    """The probes that every manifest has for a scheduler: the chart asks the same."""
    for key in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = container.get(key)
        ask = probe.value.get("httpGet") if probe and isinstance(probe.value, dict) else None
        if (
            probe is not None
            and role == "scheduler"
            and isinstance(ask, dict)
            and ask.get("path") == "/health"
            and ask.get("port") in _OWN_PROBE
        ):
            probe.silent()


def _renamed(spec: Tracked, translated: Translated) -> Translated:
    """Whatever else asks for DASK_WORKER_NAME gets the name of its pod."""
    left: Any = translated.values
    if _WORKER_NAME not in str(left):
        return translated
    spec.note("DASK_WORKER_NAME is used, so it is set to the pod's name.")
    variable = {"name": _WORKER_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    # First, as Kubernetes puts into a variable only what stands before it.
    translated.values["env"] = [variable, *translated.values.get("env", [])]
    return translated

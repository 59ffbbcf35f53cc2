"""Dask's container of a pod template, field by field, as keys of the chart.

Belongs here: what its fields are for the chart; each function takes the fields that it carries out of the container, so
that what is left has no key. Never here: its command (commands.py), its security (hardening.py), or the pod around it
(translation.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm import sizing, versions
from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.podtemplates.commands import Command, Role

_IMAGE = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*(?::\d+(?=/))?(?:/[a-z0-9][\w.-]*)*)(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_FILES = "/etc/dask-kubernetes-helm/dask_kubernetes_helm_"
_PRELOADS = {"worker": ("worker", "nanny"), "scheduler": ("scheduler",)}
_PORTS = {
    "worker": {8790: "http-dashboard", 8791: "readiness"},
    "scheduler": {8786: "tcp-comm", 8787: "http-dashboard"},
}


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without those that say nothing."""
    return {key: value for key, value in values.items() if value}


def _last_of_each(named: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of items with the same name the last: so Kubernetes takes them, but server-side apply refuses twins."""
    last = {item.get("name"): position for position, item in enumerate(named)}
    return [item for position, item in enumerate(named) if last[item.get("name")] == position or "name" not in item]


def without_twins(container: dict[str, Any], notes: list[str]) -> None:
    """A further container as server-side apply takes it: each variable and each port once."""
    if "env" in container:
        container["env"] = _last_of_each(container["env"])
    if "ports" in container:
        container["ports"] = _ports(container, {}, notes)


def image(dask: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Its image, when to pull it, and with which secrets."""
    given = dask.pop("image", "")
    match = _IMAGE.fullmatch(given)
    if not match:
        what = f"is {given!r}, which names no image" if given else "is missing"
        raise PodTemplateError(f"spec.containers[0].image {what}", cure="Give repository[:tag][@sha256:...].")
    parts = {key: part for key, part in match.groupdict().items() if part}
    if parts.get("tag") == versions.MATCH_CLIENT:
        parts["tag"] = versions.own_tag()
    if "digest" not in parts:
        parts.setdefault("tag", "latest")
    # What Kubernetes does where nothing is said.
    policy = "Always" if parts.get("tag") == "latest" else "IfNotPresent"
    secrets = {"pullSecrets": _last_of_each(spec.pop("imagePullSecrets", []))}
    return {"image": {**parts, "pullPolicy": dask.pop("imagePullPolicy", policy), **said(secrets)}}


def env(dask: dict[str, Any], command: Command, role: Role, notes: list[str]) -> dict[str, Any]:
    """Its variables; where the chart can't give the preloads as arguments, they are variables."""
    env = _last_of_each(dask.pop("env", []))
    names = [variable.get("name") for variable in env]
    if role == "worker" and "DASK_SCHEDULER_ADDRESS" in names:
        env = [variable for variable in env if variable.get("name") != "DASK_SCHEDULER_ADDRESS"]
        notes.append("The variable DASK_SCHEDULER_ADDRESS is left out: it tells the workers this cluster's scheduler.")
    if command.raw or command.kind == "cuda":
        for part in _PRELOADS[role][0 if command.raw else 1 :]:
            name = f"DASK_DISTRIBUTED__{part.upper()}__PRELOAD"
            if name not in names:
                env.append({"name": name, "value": f'["{_FILES}{part}.py"]'})
    return said({"env": env, "envFrom": dask.pop("envFrom", None)})


def probes(dask: dict[str, Any], command: Command, role: Role, notes: list[str]) -> dict[str, Any]:
    """Its probes."""
    values: dict[str, Any] = {}
    if dask.pop("readinessProbe", None) is not None:
        notes.append(
            "The readinessProbe of Dask's container is left out: whether a pod is ready is the chart's word, by which "
            "no result is lost when there are to be fewer."
        )
    if command.found.prefix:
        path = f"/{command.found.prefix.strip('/')}/health"
        values = {f"{probe}Probe": {"httpGet": {"path": path}} for probe in ("startup", "readiness", "liveness")}
    for key in ("startupProbe", "livenessProbe"):
        if key in dask and role == "worker":
            values[key] = dask.pop(key)
        elif key in dask:
            # Values merge, and the default asks in another way; so it goes, and the given one stays for the overlay.
            values[key] = None
    return values


def ports(dask: dict[str, Any], role: Role, notes: list[str]) -> dict[str, Any]:
    """Its ports besides the chart's own."""
    return said({"ports": _ports(dask, _PORTS[role], notes)})


def _ports(container: dict[str, Any], own: Mapping[int, str], notes: list[str]) -> list[dict[str, Any]]:
    """A container's ports, each once, and none that the chart has; what is called by a name that goes, by number."""
    seen = {(number, "TCP"): name for number, name in own.items()}
    kept = []
    for port in container.pop("ports", []):
        key, name = (port.get("containerPort"), port.get("protocol", "TCP")), port.get("name")
        if key[0] is None or (key not in seen and name not in own.values()):
            seen[key] = name
            kept.append(port)
        elif name and name != seen.get(key):
            whose = "the chart has its own of" if key[0] in own or name in own.values() else "another one has"
            notes.append(f"The port {name} is left out: {whose} that number or name.")
            _by_number(container, name, key[0])
    return kept


def _by_number(container: Mapping[str, Any], name: str, number: Any) -> None:
    """Have probes and hooks ask at a port by its number."""
    hooks = container.get("lifecycle", {}).values()
    probes = [container.get(f"{probe}Probe", {}) for probe in ("startup", "readiness", "liveness")]
    for handler in (*hooks, *probes):
        for way in ("httpGet", "tcpSocket"):
            if handler.get(way, {}).get("port") == name:
                handler[way]["port"] = number


def rest(dask: dict[str, Any], command: Command) -> dict[str, Any]:
    """What has no key of its own, laid over the chart's container; Dask's name is not kept."""
    for key in ("name", "command", "args"):
        dask.pop(key, None)
    resources = {key: _quantities(amounts) for key, amounts in dask.pop("resources", {}).items() if amounts}
    values = said({"resources": resources, "mounts": said({"volumeMounts": dask.pop("volumeMounts", None)})})
    overlay = dict(dask)
    if command.raw:
        overlay["args"] = None if command.program is None else list(command.program)
        if command.command is not None:
            overlay["command"] = list(command.command)
    elif command.kind == "cuda":
        overlay["args"] = _cuda_arguments(command)
    return {**values, "container": overlay} if overlay else values


def _cuda_arguments(command: Command) -> list[str]:
    """The chart's own arguments, but for those that dask cuda worker refuses."""
    return [
        *(command.program or ()),
        "$(DASK_SCHEDULER_ADDRESS)",
        "--name=$(DASKHELM_POD_NAME)",
        "--local-directory=/dask",
        "--dashboard-address=:8790",
        f"--preload={_FILES}worker.py",
        *command.extra_args,
    ]


def _quantities(amounts: Any) -> Any:
    """Quantities as the chart's schema takes them; claims are none."""
    if not isinstance(amounts, dict):
        return amounts
    return {resource: sizing.canonical(amount) for resource, amount in amounts.items()}

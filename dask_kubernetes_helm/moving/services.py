"""The Service of a scheduler, as the operator's manifests have it, as values.

Belongs here: which of its ports and fields is which key. Never here: anything of pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Tracked

_PORTS = {
    "tcp-comm": ("scheduler", "servicePort"),
    "comm": ("scheduler", "servicePort"),
    8786: ("scheduler", "servicePort"),
    "http-dashboard": ("webUI", "servicePort"),
    "dashboard": ("webUI", "servicePort"),
    8787: ("webUI", "servicePort"),
}
_SELECTS = "dask.org/"


def carry(service: Tracked, sheet: Sheet) -> dict[str, Any]:
    """The values of a Service's spec, with all of it settled."""
    found: dict[str, Any] = {}
    scheduler: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    kind = service.value.get("type") if isinstance(service.value, dict) else None
    for part in service.children():
        key = str(part.path[-1])
        if key == "type":
            sheet.came(("scheduler", "serviceType"), part)
            scheduler["serviceType"] = part.take()
        elif key == "selector":
            _selector(part)
        elif key == "ports":
            found = merge(found, _ports(part, sheet))
        elif key == "loadBalancerIP" and kind == "LoadBalancer":
            sheet.came(("scheduler", "loadBalancerIP"), part)
            scheduler["loadBalancerIP"] = part.take()
        else:
            sheet.came(("scheduler", "serviceTemplate", "spec", key), part)
            rest[key] = part.take()
    if rest:
        scheduler["serviceTemplate"] = {"spec": rest}
    return merge(found, {"scheduler": scheduler} if scheduler else {})


def _selector(part: Tracked) -> None:
    for label in part.children() or [part]:
        if str(label.path[-1]).startswith(_SELECTS):
            label.silent()  # the chart selects its own scheduler
        else:
            label.lost("The Service selects the release's scheduler by the chart's labels.", "Leave it out.")


def _ports(part: Tracked, sheet: Sheet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for port in part.children():
        fields = port.value if isinstance(port.value, dict) else {}
        known = next(
            (_PORTS[one] for key in ("targetPort", "name", "port") if (one := _number(fields.get(key))) in _PORTS), None
        )
        if known is None or known in _flat(found):
            port.lost(
                "The scheduler's Service has two ports, Dask's comm and the dashboard.",
                "Make a Service of your own for it, and scheduler.ports for the container.",
            )
            continue
        number = port.get("port")
        if number is not None:
            role, key = known
            sheet.came(known, number)
            found[role] = {key: number.take()}
        node, at = port.get("nodePort"), (known[0], "service", "nodePort")
        if node is not None and sheet.target.knows(at):
            sheet.came(at, node)
            found = merge(found, {at[0]: {"service": {"nodePort": node.take()}}})
        for key in ("name", "targetPort", "protocol"):
            if (field := port.get(key)) is not None:
                field.silent()
        for field in port.children():
            field.lost("The chart lets Kubernetes choose it.", "Ask kubectl for what it has chosen.")
    return found


def _number(value: Any) -> str | int | None:
    if isinstance(value, str):
        return int(value) if value.isdigit() else value
    return value if isinstance(value, int) else None


def _flat(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(role, key) for role, keys in found.items() for key in keys]

"""Calls to the Kubernetes API in a span of time, by who made them and whether they change anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.rig import audit
from tests.rig.settings import Settings

_READS = ("get", "list", "watch")
#: The name for Kubernetes' own parts, and what these call themselves.
KUBERNETES, _KUBERNETES = "Kubernetes", ("kube-", "kubelet")
#: Makes calls that belong to no namespace, and is used by no other peer.
_WITHOUT_NAMESPACE = ("kr8s", "kopf")


def counted(namespace: str, spans: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, Counter[str]]]:
    """For each span: reads and writes by user agent; Kubernetes' own under one name."""
    found: dict[str, dict[str, Counter[str]]] = {name: defaultdict(Counter) for name in spans}
    seen: set[str] = set()
    for entry in audit.events(Settings.from_environment()):
        # A watch is logged when it begins and when it ends.
        if entry["auditID"] in seen or not _belongs(entry, namespace):
            continue
        seen.add(entry["auditID"])
        received = datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
        for name, (begin, end) in spans.items():
            if begin <= received <= end:
                found[name][_agent(entry)]["reads" if entry["verb"] in _READS else "writes"] += 1
    return found


def _agent(entry: Mapping[str, Any]) -> str:
    agent = str(entry.get("userAgent", "?")).split("/")[0].split()[0]
    return KUBERNETES if agent.startswith(_KUBERNETES) else agent


def _belongs(entry: Mapping[str, Any], namespace: str) -> bool:
    where = entry.get("objectRef", {}).get("namespace")
    if where:
        return bool(where == namespace)
    account = f"system:serviceaccount:{namespace}:"
    return entry["user"].get("username", "").startswith(account) or _agent(entry) in _WITHOUT_NAMESPACE

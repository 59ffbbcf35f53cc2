"""How far a Deployment's rollout is, by what its controller has written down.

Belongs here: reading one Deployment's status. Never here: what is wrong with its pods (pods.py, refusals.py).

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

import re
from typing import Any

Object = dict[str, Any]

#: `Created new replica set "demo-worker-5d4f"`, `ReplicaSet "demo-worker-5d4f" is progressing.`
_NAMED = re.compile(r'replica ?set "([^"]+)"', re.IGNORECASE)


def is_seen(deployment: Object) -> bool:
    """Whether the controller has seen the newest change, so that the status is about it."""
    seen = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"].get("generation", 0))


def newest(deployment: Object) -> str:
    """The ReplicaSet of the newest template; empty where the status does not name it."""
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "Progressing" and (found := _NAMED.search(condition.get("message") or "")):
            return found.group(1)
    return ""

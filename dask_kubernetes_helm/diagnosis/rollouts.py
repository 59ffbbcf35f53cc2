"""How far a Deployment's rollout is, by what its controller has written down.

Belongs here: reading one Deployment's status. Never here: what is wrong with its pods (pods.py, refusals.py).

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

import re
from typing import Any

Object = dict[str, Any]

#: `ReplicaSet "demo-worker-5d4f" is progressing.`, `ReplicaSet "demo-worker-5d4f" has timed out progressing.`
_RENEWED = ("ReplicaSetUpdated", "ProgressDeadlineExceeded")
_NAMED = re.compile(r'replica ?set "([^"]+)"', re.IGNORECASE)


def is_seen(deployment: Object) -> bool:
    """Whether the controller has seen the newest change, so that the status is about it."""
    seen = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"].get("generation", 0))


def newest(deployment: Object) -> str:
    """The ReplicaSet of the newest template; empty where the status does not name it for sure.

    The controller renews the name with progress only: one that was made, found or completed may be another by now.
    """
    status = deployment.get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "Progressing" and condition.get("reason") in _RENEWED and status.get("updatedReplicas"):
            found = _NAMED.search(condition.get("message") or "")
            return found.group(1) if found else ""
    return ""

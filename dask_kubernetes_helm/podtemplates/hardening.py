"""What a pod template says of security, against the chart's restricted defaults.

Belongs here: whose word counts, and what has to be relaxed for a template to run. Never here: the rest of a pod
(translation.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: What the official images install as root at their start.
INSTALLED_AS_ROOT = ("EXTRA_CONDA_PACKAGES", "EXTRA_APT_PACKAGES")
_NOBODY: dict[str, Any] = {"securityContext": None, "containerSecurityContext": None}
#: The chart's own user and group.
_OWN = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000}


def values(
    spec: Mapping[str, Any], container: Mapping[str, Any], others: Sequence[Any]
) -> tuple[dict[str, Any], list[str]]:
    """The chart's keys for a pod's security, and sentences on what is carried out otherwise.

    Parameters
    ----------
    spec, container : mapping
        The pod's spec and Dask's container, with all that they say.
    others : sequence
        The pod's other containers, init containers included.
    """
    if "securityContext" in spec or "securityContext" in container:
        return {**_NOBODY, **_overlays(spec.get("securityContext"), container.get("securityContext"))}, []
    packages = [
        variable["name"]
        for variable in container.get("env") or ()
        if variable.get("name") in INSTALLED_AS_ROOT and (variable.get("value") or variable.get("valueFrom"))
    ]
    if packages:
        note = (
            f"For {' and '.join(dict.fromkeys(packages))}, which installs into the image's own files, the container "
            "runs as root without the chart's restrictions; an image that has them starts faster and keeps these."
        )
        return {**_NOBODY, **_overlays(None, {"runAsUser": 0, "runAsNonRoot": False})}, [note]
    if others:
        # They run as whom their images say; the chart's ids are those of its own container only.
        return {"securityContext": dict.fromkeys(_OWN), "containerSecurityContext": dict(_OWN)}, []
    return {}, []


def _overlays(pod: Any, container: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if pod is not None:
        found["podTemplate"] = {"spec": {"securityContext": pod}}
    if container is not None:
        found["container"] = {"securityContext": container}
    return found

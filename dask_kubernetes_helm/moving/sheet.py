"""Values that are being put together, each with the place that it came from.

Belongs here: putting, and finding the way back. Never here: what belongs where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.moving.target import Target
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked

#: Keys that a container's command and arguments become.
_FROM_WORDS = (
    "command",
    "program",
    "extraArgs",
    "threads_per_worker",
    "memory_limit",
    "daskResources",
    "custom_scheduler_url",
)


class Sheet:
    """Values of a chart, and where each came from.

    Parameters
    ----------
    target : Target
        The chart.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.values: dict[str, Any] = {}
        self._origins: dict[Path, tuple[Ledger, Path]] = {}

    def put(self, path: Path, part: Tracked) -> None:
        """Carry a part of a document to a key."""
        self.came(path, part)
        self.set(path, self.target.fitted(path, part.take()))

    def set(self, path: Path, value: Any) -> None:
        """Set a key; mappings merge."""
        for key in reversed(path):
            value = {key: value}
        self.values = merge(self.values, value)

    def came(self, path: Path, part: Tracked) -> None:
        """Remember where a key came from."""
        self._origins[path] = (part.ledger, part.path)

    def origin(self, path: Path) -> tuple[Ledger, Path] | None:
        """Where a key, or what it is in, came from."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._origins:
                ledger, start = self._origins[path[:length]]
                return ledger, (*start, *path[length:])
        return self.origin(("worker", *path)) if path[:1] == ("image",) else None

    def pod(self, at: Path, metadata: Tracked | None, spec: Tracked) -> None:
        """Remember where the keys of a role came from whose values are a pod."""
        container = spec.get("containers", 0) or spec
        self.came(at, spec)
        for part in spec.children():
            self.came((*at, str(part.path[-1])), part)
        for part in container.children():
            key = str(part.path[-1])
            for own in _FROM_WORDS if key in ("command", "args") else (key,):
                self.came((*at, own), part)
        more = {
            ("container",): container,
            ("podTemplate", "spec"): spec,
            ("podTemplate", "metadata"): metadata,
            ("mounts", "volumes"): spec.get("volumes"),
            ("mounts", "volumeMounts"): container.get("volumeMounts"),
            ("extraContainers",): spec.get("containers"),
            ("podLabels",): metadata and metadata.get("labels"),
            ("annotations",): metadata and metadata.get("annotations"),
        }
        for path, place in more.items():
            if place is not None:
                self.came((*at, *path), place)

    def get(self, *path: str) -> Any:
        """What is said so far, or None."""
        found: Any = self.values
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

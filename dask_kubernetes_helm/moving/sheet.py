"""Values that are being put together, each with the place that it came from.

Belongs here: putting, and finding the way back. Never here: what belongs where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm.moving.target import Target
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked
from dask_kubernetes_helm.values import merge


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

    def get(self, *path: str) -> Any:
        """What is said so far, or None."""
        found: Any = self.values
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

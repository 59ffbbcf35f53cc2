"""The chart that values are made for: which keys it has, and what it says by itself.

Belongs here: reading its schema and defaults as data. Never here: knowing any key, or loading files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm.chartvalues import schema
from dask_kubernetes_helm.chartvalues.violations import Violation
from dask_kubernetes_helm.moving.tracing import Path

_NOTHING: Any = object()


@dataclass(frozen=True)
class Target:
    """A chart's defaults and schema.

    Attributes
    ----------
    defaults, schema : mapping
        What values.yaml and values.schema.json hold.
    version : str
        The chart's.
    """

    defaults: Mapping[str, Any]
    schema: Mapping[str, Any]
    version: str = ""

    def knows(self, path: Path) -> bool:
        """Whether the chart has such a key; what is in an object that is open it does not know, but takes."""
        return self._at(path) is not None

    def fitted(self, path: Path, value: Any) -> Any:
        """A number for a number that was written as text, and the other way about."""
        kinds = (self._at(path) or {}).get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if isinstance(value, str) and "integer" in kinds and "string" not in kinds and value.strip().isdigit():
            return int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and list(kinds) == ["string"]:
            return str(value)
        return value

    def default(self, path: Path) -> Any:
        """What the chart says there by itself; None where it says nothing."""
        found: Any = self.defaults
        for part in path:
            if not isinstance(found, Mapping) or part not in found:
                return None
            found = found[part]
        return found

    def violations(self, values: Mapping[str, Any]) -> list[Violation]:
        """What the schema refuses in values."""
        return schema.refused(values, self.defaults, self.schema)

    def lean(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values without what the chart says by itself, in its order.

        Examples
        --------
        >>> Target({"a": 1, "b": {"c": 2, "d": 3}}, {}).lean({"b": {"d": 4, "c": 2}, "a": 1})
        {'b': {'d': 4}}
        """
        found = _lean(values, self.defaults)
        groups = (found.get("worker") or {}).get("groups") or {}
        order = list(self.defaults.get("worker", {}))
        for name, group in groups.items():
            groups[name] = {
                key: group[key]
                for key in sorted(group, key=lambda key: (key not in order, order.index(key) if key in order else 0))
            }
        return found

    def _at(self, path: Path) -> Mapping[str, Any] | None:
        found: Any = self._resolved(self.schema)
        for part in path:
            if isinstance(part, int):
                found = found.get("items")
            elif part in found.get("properties", {}):
                found = found["properties"][part]
            else:
                more = found.get("additionalProperties", True)
                found = {} if more is True else more
            if not isinstance(found, Mapping):
                return None
            found = self._resolved(found)
        return dict(found)

    def _resolved(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in found:
            at: Any = self.schema
            for part in str(found["$ref"]).removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            found = at
        return found


def _lean(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    ordered = [key for key in defaults if key in values] + [key for key in values if key not in defaults]
    for key in ordered:
        value, default = values[key], defaults.get(key, _NOTHING)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            inner = _lean(value, default)
            if inner:
                found[key] = inner
        elif not _same(value, default):
            found[key] = value
    return found


def _same(value: Any, default: Any) -> bool:
    if default is _NOTHING:
        return False
    if isinstance(value, bool) != isinstance(default, bool):
        return False
    return bool(value == default)

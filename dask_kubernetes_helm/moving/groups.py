"""A worker group beside the worker: what differs.

Belongs here: undoing what a group inherits. Never here: where groups come from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge

_LONGEST = 20
_OWN = ("adaptive", "daskResources")  # each group's own, never inherited
#: Maps without keys of their own, where Helm keeps a null that the schema refuses: the overlay takes a key out of them.
_OVERLAYS = {
    "podLabels": ("podTemplate", "metadata", "labels"),
    "annotations": ("podTemplate", "metadata", "annotations"),
    "nodeSelector": ("podTemplate", "spec", "nodeSelector"),
    "affinity": ("podTemplate", "spec", "affinity"),
    "resources": ("container", "resources"),
}
_NOTHING: Any = object()


def name(given: str, taken: Collection[str]) -> str:
    """A group's name as the chart has them: at most 20 lower-case letters, digits and dashes.

    Examples
    --------
    >>> name("GPU_big", ()), name("default", ()), name("a", ["a"])
    ('gpu-big', 'default-2', 'a-2')
    """
    made = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")
    made = made if made[:1].isalpha() else f"group-{made}".strip("-")
    made = made[:_LONGEST].rstrip("-")
    number, plain = 1, made
    while made == "default" or made in taken:
        number += 1
        made = f"{plain[: _LONGEST - len(str(number)) - 1].rstrip('-')}-{number}"
    return made


def difference(group: Mapping[str, Any], worker: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What a group has to say beside a worker, from which it inherits all but what it says.

    Parameters
    ----------
    group, worker : mapping
        All that is to be so for each, beside the defaults.
    defaults : mapping
        The chart's, of `worker`.

    Examples
    --------
    >>> difference({"nanny": True}, {"nanny": False, "env": [{"name": "A"}]}, {"nanny": True, "env": []})
    {'nanny': True, 'env': []}
    """
    found = _difference(group, {key: item for key, item in worker.items() if key not in _OWN}, defaults)
    found.pop("groups", None)
    for key, place in _OVERLAYS.items():
        kept, nulls = _apart(found.pop(key, {}))
        for part in (*reversed(place),) if nulls else ():
            nulls = {part: nulls}
        found = merge(found, nulls, {key: kept} if kept else {})
    return found


def _apart(given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A mapping without its nulls, and these alone."""
    kept: dict[str, Any] = {}
    nulls: dict[str, Any] = {}
    for key, item in (given or {}).items():
        if item is None:
            nulls[key] = None
        elif isinstance(item, Mapping):
            inner, gone = _apart(item)
            kept |= {key: inner} if inner or not item else {}
            nulls |= {key: gone} if gone else {}
        else:
            kept[key] = item
    return kept, nulls


def _difference(group: Mapping[str, Any], worker: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in [*group, *(key for key in worker if key not in group)]:
        default = defaults.get(key, _NOTHING) if isinstance(defaults, Mapping) else _NOTHING
        mine, theirs = group.get(key, default), worker.get(key, default)
        maps = isinstance(mine, Mapping) and isinstance(theirs, Mapping)
        if maps:
            inner = _difference(mine, theirs, default if isinstance(default, Mapping) else {})
            if inner:
                found[key] = inner
        elif mine is _NOTHING:
            found[key] = None
        elif mine != theirs or isinstance(mine, bool) != isinstance(theirs, bool):
            found[key] = mine
    return found

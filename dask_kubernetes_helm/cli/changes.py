"""What an install or upgrade would change, object by object (pure).

Belongs here: comparing manifests, and keeping secrets out of what is shown. Never here: rendering them (helm.py), or
printing.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm.moving import documents

CREATED, CHANGED, REMOVED, UNCHANGED = "created", "changed", "removed", "unchanged"
#: Longer texts, such as the files that pods run, are told by their length and a part of their hash; settings, which are
#: JSON, are not.
_LONGEST, _DIGITS = 20, 12
_CONTEXT = 3
_HIDDEN, _OTHER = "(hidden)", "(hidden, changed)"

Object = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """What becomes of one object.

    Attributes
    ----------
    kind, name : str
        Which.
    action : str
        One of the words above.
    lines : tuple of str
        The difference, as `diff -u` has it.
    """

    kind: str
    name: str
    action: str
    lines: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"kind": self.kind, "name": self.name, "action": self.action, "diff": "\n".join(self.lines)}


def compare(before: str, after: str) -> list[Change]:
    r"""What becomes of each object, in the order in which they are now.

    Parameters
    ----------
    before, after : str
        Manifests, as Helm renders them.

    Examples
    --------
    >>> old, new = ("kind: Service\nmetadata: {{name: a}}\nspec: {{port: {}}}".format(port) for port in (1, 2))
    >>> [(change.action, change.lines[-2:]) for change in compare(old, new)]
    [('changed', ('-  port: 1', '+  port: 2'))]
    """
    old, new = _objects(before), _objects(after)
    return [_change(key, old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])]


def _objects(manifest: str) -> dict[tuple[str, str], Object]:
    if not manifest.strip():
        return {}
    trees = [document.tree for document in documents.read(manifest, "the manifest")]
    return {(str(tree.get("kind", "")), str(tree.get("metadata", {}).get("name", ""))): tree for tree in trees}


def _change(key: tuple[str, str], old: Object | None, new: Object | None) -> Change:
    shown_old, shown_new = _text(_shown(old)), _text(_shown(new, beside=old))
    action = CREATED if old is None else REMOVED if new is None else CHANGED if old != new else UNCHANGED
    title = "/".join(key)
    lines = difflib.unified_diff(
        shown_old,
        shown_new,
        title if old is not None else "/dev/null",
        title if new is not None else "/dev/null",
        n=_CONTEXT,
        lineterm="",
    )
    return Change(*key, action, tuple(lines))


def _text(tree: Object | None) -> list[str]:
    return [] if tree is None else documents.write(tree).splitlines()


def _shown(tree: Object | None, beside: Object | None = None) -> Object | None:
    """An object as it may be shown."""
    if tree is None:
        return None
    if tree.get("kind") != "Secret":
        return dict(_short(tree))
    return {key: _masked(value, (beside or {}).get(key)) if _secret(key) else value for key, value in tree.items()}


def _secret(key: str) -> bool:
    return key in ("data", "stringData")


def _masked(data: Any, beside: Any) -> Any:
    """A Secret's keys without what they hold."""
    if not isinstance(data, Mapping):
        return _HIDDEN
    old = beside if isinstance(beside, Mapping) else data
    return {key: _HIDDEN if old.get(key, value) == value else _OTHER for key, value in data.items()}


def _short(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _short(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_short(item) for item in node]
    if isinstance(node, str) and node.count("\n") > _LONGEST and not node.lstrip().startswith("{"):
        digest = hashlib.sha256(node.encode()).hexdigest()[:_DIGITS]
        return f"({node.count(chr(10))} lines, sha256 {digest})"
    return node


def summary(changes: list[Change]) -> str:
    """How many objects become what, as one line.

    Examples
    --------
    >>> summary([Change("Service", "a", CREATED), Change("Secret", "b", UNCHANGED)])
    '1 created, 1 unchanged'
    """
    actions = [change.action for change in changes]
    told = [
        f"{actions.count(action)} {action}" for action in (CREATED, CHANGED, REMOVED, UNCHANGED) if action in actions
    ]
    return ", ".join(told) or "nothing"


def text(changes: list[Change]) -> Iterator[str]:
    """The differences, line by line."""
    for change in changes:
        yield from change.lines

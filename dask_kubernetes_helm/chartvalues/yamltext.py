"""YAML as Helm reads it, and where in the text each value stands.

It is not PyYAML's way: `0o17` and `1e3` are numbers, `12:30` is text, a key given twice is an error.

Belongs here: text to values, and where in the text each of them stands. Never here: where text comes from, or what
values mean (values.py, schema.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from dask_kubernetes_helm.errors import ValuesError

#: The way to a value: keys of mappings and positions in lists.
Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """Where a value stands: that of its key, where it has one; lines and columns count from 1."""

    line: int
    column: int
    #: A scalar as it is written; empty for all else, and for what is in quotes.
    written: str = ""


class YamlError(ValuesError):
    """Text that is no YAML; the line and the column of what is wrong.

    Parameters
    ----------
    mark : Mark, optional
    """

    def __init__(self, message: str, *, cure: str, mark: Mark | None) -> None:
        super().__init__(message, cure=cure)
        self.mark = mark


def read(text: str) -> tuple[Any, dict[Path, Mark]]:
    """What a text of YAML says, and where.

    Raises
    ------
    YamlError

    Examples
    --------
    >>> read("image: {tag: 2026.10}")[1]["image", "tag"]
    Mark(line=1, column=9, written='2026.10')
    """
    try:
        loader = _HelmLoader(text)
        node = loader.get_single_node()
        found = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _explained(error) from error
    return found, {} if node is None else dict(_marks(node, (), set()))


def _marks(node: Any, path: Path, above: set[int]) -> Iterator[tuple[Path, Mark]]:
    if id(node) in above:
        return
    above = {*above, id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, str(key.value)), _mark(key.start_mark, value)
            yield from _marks(value, (*path, str(key.value)), above)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), _mark(item.start_mark, item)
            yield from _marks(item, (*path, index), above)


def _mark(start: Any, value: Any) -> Mark:
    plain = isinstance(value, yaml.ScalarNode) and value.style is None
    return Mark(start.line + 1, start.column + 1, value.value if plain else "")


def _explained(error: yaml.YAMLError) -> YamlError:
    """A parser's error in our words, without what stands in the text: it may be a secret."""
    where = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    mark = Mark(where.line + 1, where.column + 1) if where else None
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be read"
    cure = "Correct that line."
    if r"\t" in problem:
        cure = "Indent by spaces: YAML takes no tabs."
    elif "is given twice" in problem:
        cure = "Leave one of them out, or bring what is under them together."
    elif "another document" in problem:
        cure = "Leave out what follows '---': values are one document."
    elif "mapping values are not allowed" in problem:
        cure = "Quote a text that holds ': ', and indent keys of one mapping alike."
    context = getattr(error, "context", None)
    return YamlError(f"{context}, {problem}" if context else problem, cure=cure, mark=mark)


class _HelmLoader(yaml.SafeLoader):
    """YAML as Helm's parser resolves it; refuses keys that are given twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        seen: dict[Any, Any] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = key_node.value
            if key in seen:
                first = seen[key].line + 1
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice, first in line {first}", key_node.start_mark
                )
            seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep)


def _number(text: str) -> int | float:
    text = text.replace("_", "")
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    try:
        return sign * int(digits, 0)
    except ValueError:
        return sign * float(digits.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))


def _resolve(tag: str, pattern: str, first: list[str]) -> None:
    _HelmLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


_BOOLS = ("y", "yes", "n", "no", "true", "false", "on", "off")
_SPELLED = "|".join(f"{word}|{word.title()}|{word.upper()}" for word in _BOOLS)
_resolve("bool", f"^(?:{_SPELLED})$", list("yYnNtTfFoO"))
_resolve("int", r"^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$", list("-+0123456789"))
_resolve(
    "float",
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$",
    list("-+.0123456789"),
)
_resolve("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""])
_resolve("merge", r"^<<$", ["<"])
_HelmLoader.add_constructor(
    "tag:yaml.org,2002:bool",
    lambda _, node: node.value.lower() in ("y", "yes", "true", "on"),
)
_HelmLoader.add_constructor("tag:yaml.org,2002:int", lambda _, node: _number(node.value))
_HelmLoader.add_constructor("tag:yaml.org,2002:float", lambda _, node: _number(node.value))


def loader() -> type[yaml.SafeLoader]:
    """What reads YAML the way Helm does, for who reads several documents."""
    return _HelmLoader

"""What a schema says against values, as sentences (pure): what is wrong, and what would be right.

Belongs here: wording, by the rule that was broken. Never here: judging (schema.py asks jsonschema), where values came
from, or a value itself: it may be a secret. Errors come as jsonschema has them, which this module does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from dask_kubernetes_helm.chartvalues.yamltext import Path
from dask_kubernetes_helm.text import did_you_mean

_KINDS: dict[type, str] = {
    type(None): "null",
    str: "text",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}
_WANTED = {
    "string": "text",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}
#: Rules that a form is made of.
_OF_FORMS = ("pattern", "maxLength", "const")
_LIMITS = {"minimum": "below", "exclusiveMinimum": "not above", "maximum": "above"}
_AMOUNT = "Give a number with a unit of Kubernetes': 500m or 2 (CPU), 512Mi or 6Gi (memory)."


class Violation(NamedTuple):
    """One thing that is wrong: where, what, and the cure."""

    path: Path
    said: str
    cure: str


def explain(error: Any, schema: Mapping[str, Any], written: str = "") -> Violation:
    """A violation of a schema as a sentence.

    Parameters
    ----------
    error : jsonschema.ValidationError
    schema : mapping
        The whole one.
    written : str
        The value as its file has it.
    """
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        return _unknown_key(error, path, schema)
    if (closest := _innermost(error)) is not error:
        return explain(closest, schema, written)
    key = name(path) or "The whole of the values"
    if "propertyNames" in error.absolute_schema_path:
        key = f"{key} has the key {error.instance!r}, which"
    described, form = description(schema, path), _form(error, schema)
    if form and error.validator in _OF_FORMS:
        return Violation(path, f"{key} is not {form}", described)
    said, cure = _type(error, written) if error.validator == "type" else _SENTENCES.get(error.validator, _other)(error)
    return Violation(path, f"{key} {said}", " ".join(part for part in (cure, described) if part))


def _form(error: Any, schema: Mapping[str, Any]) -> str:
    """What the schema calls a form that several keys share, e.g. a name or a path."""
    shared = any(error.schema is item for item in schema.get("definitions", {}).values())
    if _amounts(error) or not (shared or "propertyNames" in error.absolute_schema_path):
        return ""
    found = str(error.schema.get("description", "")).rstrip(".")
    return found[:1].lower() + found[1:]


def name(path: Path) -> str:
    """A path as people write it.

    Examples
    --------
    >>> name(("worker", "env", 0, "value"))
    'worker.env[0].value'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def description(schema: Mapping[str, Any], path: Path) -> str:
    """What the schema says about a key; nothing where it is silent."""
    found = ""
    for node in _down(schema, path):
        found = str(node.get("description", ""))
    return found.partition(". ")[0].rstrip(".") + "." if found else ""


def _down(schema: Mapping[str, Any], path: Path) -> Iterator[Mapping[str, Any]]:
    """The schemas on the way to a value."""
    node: Any = schema
    for part in path:
        node = _resolved(schema, node)
        inner = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        node = inner if isinstance(inner, Mapping) else node.get("additionalProperties")
        if not isinstance(node, Mapping):
            return
        yield node if "description" in node else _resolved(schema, node)


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        reference, node = node["$ref"], schema
        for part in reference.split("/")[1:]:
            node = node[part]
    return node


def places(schema: Mapping[str, Any], key: str) -> list[str]:
    """Where else in the chart's own keys there is a key of this name."""
    found = []
    waiting: list[tuple[Path, Any]] = [((), schema)]
    while waiting:
        path, node = waiting.pop(0)
        for inner, below in node.get("properties", {}).items():
            if inner == key:
                found.append(name((*path, inner)))
            waiting.append(((*path, inner), below))
    return found


def _unknown_key(error: Any, path: Path, schema: Mapping[str, Any]) -> Violation:
    known = list(error.schema.get("properties", {}))
    unknown = next(str(key) for key in error.instance if key not in known)
    whole = (*path, unknown)
    elsewhere = [place for place in places(schema, unknown) if place != name(whole)][:2]
    near = did_you_mean(unknown, known, 0.75)
    if not near:
        near = f"; there is {' and '.join(elsewhere)}" if elsewhere else did_you_mean(unknown, known)
    cure = f"Keys of {name(path) or 'the chart'} are: {', '.join(sorted(known))}."
    return Violation(whole, f"there is no key {name(whole)!r}{near}", cure)


def _innermost(error: Any) -> Any:
    """Of rules of which one has to hold, the broken one that tells most; the error itself where none tells more."""
    if error.validator not in ("oneOf", "anyOf"):
        return error
    branches = [inner for inner in error.context or () if inner.validator != "type"]
    deeper = [inner for inner in branches if len(inner.absolute_path) > len(error.absolute_path)]
    limits = [inner for inner in branches if inner.validator in _LIMITS and not _amounts(error)]
    return [*deeper, *limits, error][0]


def kind(value: Any) -> str:
    """What a value is, without the value."""
    return _KINDS.get(type(value), type(value).__name__)


_Sentence = tuple[str, str]


def _type(error: Any, written: str) -> _Sentence:
    names = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    wanted = [item for item in names if item != "null"]
    said = f"is {kind(error.instance)}, not {' or '.join(_WANTED[item] for item in wanted)}"
    if wanted == ["string"] and isinstance(error.instance, bool | int | float):
        if isinstance(error.instance, float) and written and not _secret(error):
            return f"{said}: YAML reads {written} as {error.instance}", f'Quote it: "{written}".'
        return said, "Put it in quotes."
    if isinstance(error.instance, str) and {"integer", "number", "boolean"} & set(wanted):
        return said, "Write it without quotes." if _bare(error.instance, wanted) else ""
    if error.instance is None:
        return said, "Leave it out, or give it a value."
    return said, ""


def _bare(value: str, wanted: list[str]) -> bool:
    """Whether a text without its quotes would be of the wanted kind."""
    return bool(re.fullmatch(r"-?\d+", value)) if "boolean" not in wanted else value in ("true", "false")


def _secret(error: Any) -> bool:
    return "env" in error.absolute_path or "annotations" in error.absolute_path


def _enum(error: Any) -> _Sentence:
    allowed = [item for item in error.validator_value if item is not None]
    near = did_you_mean(error.instance, map(str, allowed)) if isinstance(error.instance, str) else ""
    return f"is none of {', '.join(repr(item) for item in allowed)}{near}", ""


def _pattern(error: Any) -> _Sentence:
    return (
        ("is no quantity", f"{_AMOUNT}{_unit(error.instance)}")
        if _amounts(error)
        else (f"does not have the form {error.validator_value}", "")
    )


def _amounts(error: Any) -> bool:
    """Whether a quantity is wanted."""
    return error.validator in ("pattern", "oneOf") and "[KMGTPE]i" in str(error.validator_value)


def _one_of(error: Any) -> _Sentence:
    branches = error.validator_value
    if _amounts(error):
        return "is no quantity", f"{_AMOUNT}{_unit(error.instance)}"
    needed = [" and ".join(branch["required"]) for branch in branches if "required" in branch]
    if needed:
        return f"needs one of {', '.join(needed)}, and only one", ""
    if any("weeks?" in branch.get("pattern", "") for branch in branches):
        return "is no duration", 'Give seconds, or text such as "30 minutes".'
    kinds = [_WANTED.get(branch.get("type"), "") for branch in branches]
    return f"({kind(error.instance)}) is not what is wanted there: {' or '.join(filter(None, kinds)) or 'another'}", ""


def _unit(value: Any) -> str:
    """How an amount that is nearly one would be written."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKMGTP])(?:i?[bBoO])?", str(value).strip())
    if not match:
        return ""
    number, letter = match[1], match[2]
    return f" Did you mean {number}{letter.upper()}i or {number}{'k' if letter in 'kK' else letter}?"


def _limit(error: Any) -> _Sentence:
    return (
        f"is {error.instance}, which is {_LIMITS[error.validator]} the {error.validator} of {error.validator_value}",
        "",
    )


def _required(error: Any) -> _Sentence:
    missing = [key for key in error.validator_value if key not in error.instance]
    return f"lacks {' and '.join(missing)}", ""


def _not(error: Any) -> _Sentence:
    together = error.validator_value.get("required", [])
    return (f"has {' and '.join(together)}, which exclude each other", "Leave one of them out.") if together else (
        "is not allowed there", ""
    )  # fmt: skip


def _length(error: Any) -> _Sentence:
    least = error.validator.startswith("min")
    what = {"Items": "items", "Length": "characters", "Properties": "keys"}[error.validator[3:]]
    return f"has {len(error.instance)} {what}, {'fewer' if least else 'more'} than {error.validator_value}", ""


def _const(error: Any) -> _Sentence:
    return f"must be {error.validator_value!r} there", ""


def _unique(_error: Any) -> _Sentence:
    return "has an item twice", "Leave one of them out."


def _together(error: Any) -> _Sentence:
    missing = sorted({item for needed in error.validator_value.values() for item in needed} - set(error.instance))
    return f"lacks {' and '.join(missing)}", ""


def _other(error: Any) -> _Sentence:
    if error.validator is None:
        return "can't be there", "Leave it out."
    return f"({kind(error.instance)}) is not what the schema allows there", ""


_SENTENCES: dict[str | None, Callable[[Any], _Sentence]] = {
    "enum": _enum,
    "pattern": _pattern,
    "oneOf": _one_of,
    "required": _required,
    "not": _not,
    "const": _const,
    "uniqueItems": _unique,
    "dependencies": _together,
    **dict.fromkeys(_LIMITS, _limit),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), _length),
}

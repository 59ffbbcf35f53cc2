"""Judging values by the chart's own schema, before anything is created.

Belongs here: turning a schema violation into a sentence that names the file, the key and the nearest valid key.
Never here: rules of our own (the chart's values.schema.json has them), or merging (values.py does).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from dask_kubernetes_helm.errors import ChartError, ValuesSchemaError
from dask_kubernetes_helm.text import did_you_mean
from dask_kubernetes_helm.values import Layer, merge, read

_KINDS = {str: "text", bool: "a boolean", int: "an integer", float: "a number", list: "a list", dict: "a mapping"}


@dataclass(frozen=True)
class Violation:
    """A place in values that the schema refuses, and why, without the value."""

    path: tuple[str | int, ...]
    why: str


def check(layers: Iterable[Layer], chart: Path) -> dict[str, Any]:
    """Merge the layers and judge the result as Helm will.

    Parameters
    ----------
    layers : iterable of Layer
        In the order in which they apply.
    chart : path
        Folder of an unpacked chart.

    Returns
    -------
    dict
        What the caller's layers say, merged; the chart's defaults are left to the chart.

    Raises
    ------
    ValuesSchemaError
        Names the source, the key, what is wrong with it and the nearest valid key.
    ChartError
        The folder holds no chart.
    """
    layers = list(layers)
    if not (chart / "Chart.yaml").is_file():
        raise ChartError(
            f"There is no chart at {chart}: it holds no Chart.yaml",
            cure="Name the folder of an unpacked chart, a packed .tgz, 'oci://...', or leave `chart` out.",
        )
    merged = merge(*(layer.mapping for layer in layers))
    schema_path = chart / "values.schema.json"
    if not schema_path.is_file():
        return merged
    schema = json.loads(schema_path.read_text(encoding="utf-8"))
    effective = _coalesce(read(chart / "values.yaml").mapping, merged)
    validator = jsonschema.Draft7Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(effective))
    if error is not None:
        raise _explain(error, layers)
    return merged


def _coalesce(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults under values, as Helm has them before it validates: null deletes a default, and stays without one."""
    result = dict(defaults)
    for key, value in values.items():
        old = result.get(key)
        if value is None and key in result:
            del result[key]
        elif isinstance(value, Mapping):
            result[key] = _coalesce(old if isinstance(old, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _explain(error: jsonschema.ValidationError, layers: list[Layer]) -> ValuesSchemaError:
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        schema: Any = error.schema
        known = list(schema.get("properties", {}))
        unknown = next(str(key) for key in error.instance if key not in known)
        return ValuesSchemaError(
            f"{_source([*path, unknown], layers)}: there is no key {'.'.join([*path, unknown])!r}"
            f"{did_you_mean(unknown, known)}",
            cure=f"Keys of {'.'.join(path) or 'the chart'} are: {', '.join(sorted(known))}.",
        )
    key = ".".join(path) or "the values"
    return ValuesSchemaError(f"{_source(path, layers)}: {key} {_violation(error)}", cure=_described(error))


def _violation(error: jsonschema.ValidationError) -> str:
    """What is wrong with a value, without the value itself: it may be a secret."""
    kind = _KINDS.get(type(error.instance), type(error.instance).__name__)
    rule = error.validator
    wanted: Any = error.validator_value
    if rule == "type":
        names = [wanted] if isinstance(wanted, str) else wanted
        return f"is {kind}, not {' or '.join(names)}"
    if rule == "enum":
        return f"is none of {', '.join(repr(item) for item in wanted)}"
    if rule == "pattern":
        return f"does not have the form {wanted}"
    if rule in ("minimum", "maximum", "exclusiveMinimum"):
        return f"is {error.instance}, the {rule} is {wanted}"
    if rule == "required":
        return f"lacks one of the keys {', '.join(wanted)}"
    return f"({kind}) is not what the schema allows there"


def _described(error: jsonschema.ValidationError) -> str:
    schema: Any = error.schema
    return str(schema.get("description", "")) if isinstance(schema, Mapping) else ""


def _source(path: list[str], layers: list[Layer]) -> str:
    """The last layer that says something about the path."""
    for layer in reversed(layers):
        node: Any = layer.mapping
        for part in path:
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, Mapping) and part in node:
                node = node[part]
            else:
                break
        else:
            return layer.source
    return "The chart's own values"


def violations(values: Mapping[str, Any], defaults: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Violation]:
    """What the schema refuses in values, for who wants to go on without that.

    Parameters
    ----------
    values : mapping
        The caller's own.
    defaults, schema : mapping
        The chart's.
    """
    validator = jsonschema.Draft7Validator(dict(schema))
    found: dict[tuple[str | int, ...], Violation] = {}
    for error in validator.iter_errors(_coalesce(defaults, values)):
        worst = jsonschema.exceptions.best_match([error]) or error
        path = tuple(worst.absolute_path)
        if worst.validator == "additionalProperties" and isinstance(worst.instance, Mapping):
            known: Any = worst.schema
            for key in sorted(set(worst.instance) - set(known.get("properties", {}))):
                place = (*path, key)
                found[place] = Violation(place, "is no key of the chart")
        else:
            found[path] = Violation(path, _violation(worst))
    return list(found.values())

"""Judging values by the chart's own schema, before anything is created.

Belongs here: asking jsonschema, and telling which source says what is wrong, and where (violations.py has the words).
Never here: rules of our own (the chart's values.schema.json has them), or merging (values.py does).
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema

from dask_kubernetes_helm.chartvalues import violations
from dask_kubernetes_helm.chartvalues.values import Layer, merge, read
from dask_kubernetes_helm.chartvalues.violations import Violation
from dask_kubernetes_helm.chartvalues.yamltext import Path
from dask_kubernetes_helm.errors import ChartError, ValuesSchemaError

#: So many violations are told at once.
_MOST = 5


def check(layers: Iterable[Layer], chart: pathlib.Path) -> dict[str, Any]:
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
    found = list(jsonschema.Draft7Validator(schema).iter_errors(effective(merged, chart)))
    if found:
        raise _refusal(sorted(found, key=jsonschema.exceptions.relevance, reverse=True), schema, layers)
    return merged


def effective(values: Mapping[str, Any], chart: pathlib.Path) -> dict[str, Any]:
    """The values with the chart's defaults under them, as its templates see them."""
    defaults = chart / "values.yaml"
    return _coalesce(read(defaults).mapping if defaults.is_file() else {}, values)


def _coalesce(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults under values, as Helm does before it validates: null deletes a default, and else stays."""
    result = dict(defaults)
    for key, value in values.items():
        old = result.get(key)
        if value is None and key in result:
            del result[key]
        else:
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            result[key] = _coalesce(old, value) if both else value  # type: ignore[arg-type]
    return result


def _refusal(
    found: list[jsonschema.ValidationError], schema: Mapping[str, Any], layers: list[Layer]
) -> ValuesSchemaError:
    """All that is wrong, the plainest first."""
    told: dict[str, Violation] = {}
    for error in found:
        # An object that is of the wrong kind breaks several rules at once; one of them tells.
        one = violations.explain(error, schema, _written(tuple(error.absolute_path), layers))
        told.setdefault(violations.name(one.path), one)
    first, *others = (f"{_source(one.path, layers)}: {one.said}" for one in told.values())
    kept = [*others[: _MOST - 1], *([f"and {len(others) - _MOST + 1} more"] if len(others) >= _MOST else [])]
    cure = next(iter(told.values())).cure
    return ValuesSchemaError(first, cure=" ".join(part for part in (cure, _also(kept)) if part))


def _also(others: list[str]) -> str:
    return f"Also: {'; '.join(others)}." if others else ""


def _written(path: Path, layers: list[Layer]) -> str:
    """A value as its file has it."""
    for layer in reversed(layers):
        if path in layer.marks:
            return layer.marks[path].written
    return ""


def _source(path: Path, layers: list[Layer]) -> str:
    """The last layer that says something about the path, and where it does."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if _says(layer.mapping, path[:length]):
                mark = layer.marks.get(path[:length])
                return f"{layer.source}:{mark.line}:{mark.column}" if mark else layer.source
    return "The chart's own values"


def _says(node: Any, path: Path) -> bool:
    for part in path:
        there = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if not there and not (isinstance(node, Mapping) and part in node):
            return False
        node = node[part]
    return True


def refused(values: Mapping[str, Any], defaults: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Violation]:
    """What the schema refuses in values, for who wants to go on without that.

    Parameters
    ----------
    values : mapping
        The caller's own.
    defaults, schema : mapping
        The chart's.
    """
    found = jsonschema.Draft7Validator(dict(schema)).iter_errors(_coalesce(defaults, values))
    return [violations.explain(error, schema) for error in found]

"""Values: files, templates and mappings become one mapping, by Helm's rules.

Belongs here: finding, reading and merging values. Never here: defaults (those are the chart's), or judging keys
(schema.py does). YAML is read as Helm reads it (yamltext.py).

Source: https://helm.sh/docs/chart_template_guide/values_files/ (maps merge, lists replace, null deletes a default).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.chartvalues import yamltext
from dask_kubernetes_helm.chartvalues.yamltext import Mark
from dask_kubernetes_helm.errors import InvalidTypeError, UnknownEnvironmentError, ValuesFileError
from dask_kubernetes_helm.text import did_you_mean

#: What a caller may give as values: a path, a mapping, or a list of them.
ValuesLike = "str | os.PathLike[str] | Mapping[str, Any] | Iterable[str | os.PathLike[str] | Mapping[str, Any]]"
_SUFFIXES = (".yaml", ".yml", ".yaml.j2", ".yml.j2")


#: Deeper than this no values are: they hold themselves.
_DEEPEST = 60


@dataclass(frozen=True)
class Layer:
    """One source of values, what it says, and where; later layers win over earlier ones."""

    source: str
    mapping: dict[str, Any]
    marks: Mapping[yamltext.Path, Mark] = field(default_factory=dict, compare=False, repr=False)


def layers(values: Any = None, environment: str | None = None) -> list[Layer]:
    """Read an environment and the caller's values, in the order in which they apply.

    Parameters
    ----------
    values : path, mapping, or list of them, optional
        The caller's own, later ones win.
    environment : str, optional
        Name of a file of values/, or of the folder that the configuration names.

    Raises
    ------
    ValuesFileError, UnknownEnvironmentError, InvalidTypeError
    """
    if values is None:
        values = ()
    given = [values] if isinstance(values, str | os.PathLike | Mapping) else values
    if not isinstance(given, Iterable):
        raise InvalidTypeError(f"values is {type(given).__name__}", cure="Give a path, a mapping, or a list of them.")
    first = [_environment(environment)] if environment is not None else []
    return first + [_layer(item, position) for position, item in enumerate(given, start=1)]


def _environment(name: Any) -> Layer:
    if not isinstance(name, str):
        raise InvalidTypeError(
            f"environment is {type(name).__name__}", cure=f"Give a name: {', '.join(environments())}."
        )
    found = read(environment_path(name))
    return replace(found, source=f"environment {name!r}, {found.source}")


def _layer(item: Any, position: int) -> Layer:
    if isinstance(item, str) and ("\n" in item or ": " in item):
        raise ValuesFileError(
            f"Item {position} of values is text with line breaks or colons, not the path of a file",
            cure="Give a path or a mapping; yaml.safe_load makes a mapping of YAML.",
        )
    if isinstance(item, str | os.PathLike):
        return read(Path(item))
    if isinstance(item, Mapping):
        return Layer(f"values mapping {position}", plain(item))
    raise InvalidTypeError(f"Item {position} of values is {type(item).__name__}", cure="Give a path or a mapping.")


def read(path: Path) -> Layer:
    """Read a values file; one that ends with `.j2` is a Jinja2 template over the environment variables.

    Raises
    ------
    ValuesFileError
        When it is missing, is not YAML or not a mapping, or uses a variable that is not set.
    """
    path = path.expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValuesFileError(
            f"The values file {path} can't be read: {reason}",
            cure=f"Looked at {path.resolve()}; packaged environments are: {', '.join(environments())}.",
        ) from error
    if path.suffix == ".j2":
        text = _render(text, path)
    try:
        mapping, marks = yamltext.read(text)
    except yamltext.YamlError as error:
        at = f", line {error.mark.line}, column {error.mark.column}" if error.mark else ""
        of = " (counted in what the template renders to)" if path.suffix == ".j2" and error.mark else ""
        raise ValuesFileError(
            f"The values file {path}{at}{of} is not valid YAML: {error.message}", cure=error.cure
        ) from error
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, dict):
        raise ValuesFileError(
            f"The values file {path} holds a {type(mapping).__name__}, not a mapping",
            cure="Start it with keys such as 'worker:'.",
        )
    source = f"{path} as rendered" if path.suffix == ".j2" else str(path)
    return Layer(source, plain(mapping), marks)


def _render(text: str, path: Path) -> str:
    # Nothing to escape: what comes out is YAML.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    try:
        return environment.from_string(text).render(os.environ)
    except jinja2.UndefinedError as error:
        raise ValuesFileError(
            f"The values template {path} uses a variable that is not set: {error.message}",
            cure="Set that environment variable, or give it a default: {{ NAME | default('x') }}.",
        ) from error
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise ValuesFileError(
            f"The values template {path}{where} does not render: {error.message}", cure="Correct it."
        ) from error


def _environment_files() -> dict[str, Path]:
    own = config.get("environments")
    folders = [contract.data_path("values")] + ([Path(own).expanduser()] if own else [])
    found = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            for suffix in _SUFFIXES:
                if path.name.endswith(suffix):
                    found[path.name[: -len(suffix)]] = path
    return found


def environments() -> list[str]:
    """Names of the environments there are: the packaged ones and those of the user's own folder."""
    return sorted(_environment_files())


def environment_path(name: str) -> Path:
    """The values file of an environment.

    Raises
    ------
    UnknownEnvironmentError
        Lists the environments there are.
    """
    files = _environment_files()
    if name not in files:
        bare = Path(name).name.lower().partition(".")[0]
        raise UnknownEnvironmentError(
            f"There is no environment {name!r}{did_you_mean(bare, files)}",
            cure=f"Environments are: {', '.join(sorted(files))}.",
        )
    return files[name]


def merge(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Merge by Helm's rule: maps merge, lists and scalars replace, null stays (and deletes the chart's default).

    Examples
    --------
    >>> merge({"a": {"b": 1, "c": [1]}}, {"a": {"b": None, "c": [2]}})
    {'a': {'b': None, 'c': [2]}}
    """
    merged: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            old = merged.get(key)
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def plain(value: Any, path: str = "", depth: int = 0) -> Any:
    """The same value of JSON's types only: paths become strings, NumPy scalars numbers.

    Raises
    ------
    InvalidTypeError
        Names the key whose value has another type.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidTypeError(f"The value of {path or 'values'} is {value}", cure="Give a finite number, or text.")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if depth > _DEEPEST:
        raise InvalidTypeError(f"The values are nested more than {_DEEPEST} deep", cure="They may hold themselves.")
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{path}.{key}" if path else str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:
        return plain(value.item(), path, depth + 1)
    raise InvalidTypeError(
        f"The value of {path or 'values'} is of type {type(value).__name__}, which no values file can hold",
        cure="Use JSON's types: text, numbers, true or false, lists, maps.",
    )

"""Values: files, templates and mappings become one mapping, by Helm's rules.

Belongs here: finding, reading and merging values. Never here: defaults (those are the chart's), or judging keys
(schema.py does). YAML is read the way Helm reads it, which is not PyYAML's way: `0o17` and `1e3` are numbers,
`12:30` is text, a key given twice is an error.

Source: https://helm.sh/docs/chart_template_guide/values_files/ (maps merge, lists replace, null deletes a default).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.errors import InvalidTypeError, UnknownEnvironmentError, ValuesFileError
from dask_kubernetes_helm.text import did_you_mean

#: What a caller may give as values: a path, a mapping, or a list of them.
ValuesLike = "str | os.PathLike[str] | Mapping[str, Any] | Iterable[str | os.PathLike[str] | Mapping[str, Any]]"
_SUFFIXES = (".yaml", ".yml", ".yaml.j2", ".yml.j2")


@dataclass(frozen=True)
class Layer:
    """One source of values and what it says; later layers win over earlier ones."""

    source: str
    mapping: dict[str, Any]


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
    first = [read(environment_path(environment))] if environment is not None else []
    return first + [_layer(item, position) for position, item in enumerate(given, start=1)]


def _layer(item: Any, position: int) -> Layer:
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
        mapping = yaml.load(text, _HelmLoader)  # noqa: S506 - a SafeLoader with Helm's scalars
    except yaml.YAMLError as error:
        raise ValuesFileError(
            f"The values file {path} is not valid YAML: {error}", cure="Correct that line."
        ) from error
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, dict):
        raise ValuesFileError(
            f"The values file {path} holds a {type(mapping).__name__}, not a mapping",
            cure="Start it with keys such as 'worker:'.",
        )
    return Layer(str(path), plain(mapping))


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
        raise UnknownEnvironmentError(
            f"There is no environment {name!r}{did_you_mean(name, files)}",
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


def plain(value: Any, path: str = "") -> Any:
    """The same value of JSON's types only: paths become strings, NumPy scalars numbers.

    Raises
    ------
    InvalidTypeError
        Names the key whose value has another type.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:
        return plain(value.item(), path)
    raise InvalidTypeError(
        f"The value of {path or 'values'} is {type(value).__name__}",
        cure="Use JSON's types: text, numbers, lists, maps.",
    )


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
                raise yaml.constructor.ConstructorError(
                    f"the key {key!r} is given twice, first", seen[key], "and again", key_node.start_mark
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
    """What reads YAML the way Helm does, for who has to know the lines as well."""
    return _HelmLoader

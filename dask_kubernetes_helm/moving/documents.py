"""A file as documents that know their lines, and values as text: YAML as Helm and Kubernetes read it.

Belongs here: reading and writing YAML. Never here: what a key means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dask_kubernetes_helm.chartvalues import values, yamltext
from dask_kubernetes_helm.errors import InvalidTypeError, ValuesFileError
from dask_kubernetes_helm.moving.tracing import Path


@dataclass(frozen=True)
class Document:
    """One of a file's documents.

    Attributes
    ----------
    tree : dict
        Of JSON's types; keys are text.
    lines : dict
        The line of each path, from 1.
    """

    tree: dict[str, Any]
    lines: dict[Path, int]


def read(text: str, name: str) -> list[Document]:
    """The documents of a file, without those that are empty; the items of a List are documents of their own.

    Parameters
    ----------
    text : str
        YAML or JSON.
    name : str
        What the file is called in errors.

    Raises
    ------
    ValuesFileError
        It is no YAML, holds nothing, or something else than mappings.
    """
    found: list[Document] = []
    try:
        loader = yamltext.loader()(text)
        while loader.check_node():
            node = loader.get_node()
            tree = values.plain(loader.construct_document(node)) if node else None
            if node and tree is not None:
                found += _items(tree, dict(_lines(node, ())), name)
    except yaml.YAMLError as error:
        raise ValuesFileError(f"{name} is not valid YAML: {error}", cure="Correct that line.") from error
    except InvalidTypeError as error:
        raise ValuesFileError(f"{name}: {error.message}", cure=error.cure) from error
    except RecursionError:
        raise ValuesFileError(f"{name} is nested too deep to be read", cure="Make it flatter.") from None
    if not found:
        raise ValuesFileError(f"{name} holds nothing", cure="Name a file with values, a pod or a DaskCluster.")
    return found


def _items(tree: Any, lines: dict[Path, int], name: str) -> Iterator[Document]:
    if not isinstance(tree, dict):
        raise ValuesFileError(
            f"{name} holds a {type(tree).__name__}, not a mapping", cure="Start it with keys such as 'worker:'."
        )
    if tree.get("kind") != "List" or not isinstance(tree.get("items"), list):
        yield Document(tree, lines)
        return
    for index, item in enumerate(tree["items"]):
        start: Path = ("items", index)
        yield from _items(item, {path[2:]: line for path, line in lines.items() if path[:2] == start}, name)


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    """The lines of what is in a node, whose merge keys have been resolved."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from _lines(value, (*path, index))


class _Dumper(yaml.SafeDumper):
    """Block style, and quotes around text that Helm would take for something else (1e3, yes, 0o17)."""

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        return super().increase_indent(flow, indentless=False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    resolver: Any = yamltext.loader()("")
    plain = "\n" not in text and resolver.resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    style = None if plain else "|" if "\n" in text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write(mapping: Mapping[str, Any]) -> str:
    """Values as YAML.

    Examples
    --------
    >>> print(write({"image": {"tag": "1e3"}}).rstrip())
    image:
      tag: "1e3"
    """
    if not mapping:
        return "{}\n"
    return yaml.dump(dict(mapping), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)

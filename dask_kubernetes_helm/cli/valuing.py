"""`dask helm values`: what can be set, and what environments set.

Belongs here: printing the chart's files and the environments'. Never here: merging or judging values.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import click

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.cli import completing, frame
from dask_kubernetes_helm.errors import InvalidArgumentError
from dask_kubernetes_helm.text import did_you_mean


@click.group(cls=frame.Commands)
def values() -> None:
    """Show the chart's values: environments, defaults, schema.

    \b
    Example:
      dask helm values defaults worker.adaptive
    """  # noqa: D301 - click's own sign for "don't wrap"


@values.command(short_help="List the environments.")
@frame.formatted
def environments(output: str) -> None:
    """List the environments: packaged ones, and those of the folder kubernetes.environments.

    \b
    Example:
      dask helm values environments
    """  # noqa: D301 - click's own sign for "don't wrap"
    from dask_kubernetes_helm.chartvalues import values as reader  # noqa: PLC0415 - slow to import

    found = [(name, reader.environment_path(name)) for name in reader.environments()]
    if output == "json":
        frame.print_json([{"name": name, "path": str(path), "about": _about(path)} for name, path in found])
        return
    from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

    tables.table(("NAME", "ABOUT", "FILE"), [(name, _about(path), path) for name, path in found])


def _about(path: Path) -> str:
    """What a file says of itself in its first sentence, or the part before its colon."""
    lines = itertools.takewhile(lambda line: line.startswith("# "), path.read_text(encoding="utf-8").splitlines())
    return re.split(r"[.:] ", " ".join(line.removeprefix("# ") for line in lines))[0].rstrip(".")


@values.command(short_help="Print the values of an environment.")
@click.argument("name", shell_complete=completing.environments)
def show(name: str) -> None:
    """Print the values of the environment NAME, as the file has them; a template (.j2) as it renders.

    \b
    Example:
      dask helm values show production > mine.yaml
    """  # noqa: D301 - click's own sign for "don't wrap"
    from dask_kubernetes_helm.chartvalues import values as reader  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.moving import documents  # noqa: PLC0415

    path = reader.environment_path(name)
    if path.suffix == ".j2":
        click.echo(documents.write(reader.read(path).mapping), nl=False)
    else:
        click.echo(path.read_text(encoding="utf-8"), nl=False)


@values.command(short_help="Print the chart's defaults.")
@click.argument("key", required=False)
def defaults(key: str | None) -> None:
    """Print the chart's defaults as YAML, with what each is for; or those under KEY.

    \b
    Example:
      dask helm values defaults scheduler.service
    """  # noqa: D301 - click's own sign for "don't wrap"
    from dask_kubernetes_helm.chartvalues import values as reader  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.moving import documents  # noqa: PLC0415

    path = contract.chart_path() / "values.yaml"
    if key is None:
        click.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    node = reader.read(path).mapping
    for depth, part in enumerate(parts := key.split(".")):
        _there(part, node, parts[:depth])
        node = node[part]
    click.echo(documents.write({parts[-1]: node}), nl=False)


@values.command(short_help="Print the JSON schema of the values.")
@click.argument("key", required=False)
def schema(key: str | None) -> None:
    """Print the JSON schema that values are judged by; or what it says of KEY.

    \b
    Example:
      dask helm values schema worker.adaptive
    """  # noqa: D301 - click's own sign for "don't wrap"
    text = (contract.chart_path() / "values.schema.json").read_text(encoding="utf-8")
    if key is None:
        click.echo(text, nl=False)
        return
    whole = json.loads(text)
    node = whole
    for depth, part in enumerate(parts := key.split(".")):
        known = _properties(node, whole)
        _there(part, known, parts[:depth])
        node = known[part]
    frame.print_json(_resolved(node, whole))


def _properties(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """What may stand under a key."""
    return dict(_resolved(node, whole).get("properties", {}))


def _resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the schema stands for, beside what stands next to it."""
    while reference := node.get("$ref"):
        target: Any = whole
        for part in str(reference).removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _there(part: str, known: Any, above: list[str]) -> None:
    """Refuse a key that is not there."""
    if not isinstance(known, dict) or part not in known:
        under = f" under {'.'.join(above)}" if above else ""
        near = did_you_mean(part, known) if isinstance(known, dict) else ""
        keys = ", ".join(known) if isinstance(known, dict) and known else "none"
        raise InvalidArgumentError(f"There is no key {part!r}{under}{near}", cure=f"Keys there: {keys}.")

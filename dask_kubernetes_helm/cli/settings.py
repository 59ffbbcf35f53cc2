"""`--set KEY=VALUE` as a layer of values.

Belongs here: reading one. Never here: judging the key (the chart's schema does).

A value is YAML as a values file has it, so lists and mappings can be given whole, and text that looks like a number is
quoted. Helm's own `--set` has rules of its own for each of these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dask_kubernetes_helm.chartvalues.values import Layer

#: Dots part keys; one after a backslash belongs to the key, as with Helm.
_DOT = re.compile(r"(?<!\\)\.")


def layer(text: str) -> Layer:
    r"""What a setting says.

    Parameters
    ----------
    text : str
        ``key.of.a.value=YAML``.

    Raises
    ------
    click.BadParameter
        It is no setting.

    Examples
    --------
    >>> layer("worker.replicas=3").mapping, layer(r"scheduler.labels.a\.b/c=[x]").mapping
    ({'worker': {'replicas': 3}}, {'scheduler': {'labels': {'a.b/c': ['x']}}})
    """
    from dask_kubernetes_helm.chartvalues import yamltext  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.chartvalues.values import Layer, plain  # noqa: PLC0415

    key, equals, written = text.partition("=")
    parts = [part.replace("\\.", ".") for part in _DOT.split(key.strip())]
    if not equals or not all(parts):
        raise _wrong(f"{key!r} is no setting: give KEY=VALUE, such as worker.replicas=3.")
    if "[" in key:
        raise _wrong(f"{key!r}: a list is given whole, such as {key.partition('[')[0]}='[a, b]'.")
    try:
        value, marks = yamltext.read(written)
    except yamltext.YamlError as error:
        raise _wrong(f"The value of {key!r} is not YAML: {error.message}. Quote it.") from error
    mapping: Any = plain(value)
    for part in reversed(parts):
        mapping = {part: mapping}
    where = {(*parts, *path): mark for path, mark in marks.items()}
    return Layer(f"--set {key}", mapping, where)


def _wrong(text: str) -> click.BadParameter:
    return click.BadParameter(text, param_hint="'--set'")

"""Converting in tests: the chart of this checkout as target, and what became of a leaf."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dask_kubernetes_helm.cli import files
from dask_kubernetes_helm.moving import conversion
from dask_kubernetes_helm.moving.conversion import Converted
from dask_kubernetes_helm.moving.target import Target
from dask_kubernetes_helm.moving.tracing import Fate, leaves, written

PARTS = (("jupyter",), ("webUI", "ingress"), ("metrics",), ("scheduler", "service"))
FILES = Path(__file__).parent / "files"


@functools.cache
def target() -> Target:
    return files._target()


@functools.cache
def bare() -> Target:
    """The chart without the parts that dask/helm-chart has as well, by which tests know what is told without them."""
    schema, defaults = copy.deepcopy(dict(target().schema)), copy.deepcopy(dict(target().defaults))
    for *folder, key in PARTS:
        properties, values = schema["properties"], defaults
        for part in folder:
            properties, values = properties[part]["properties"], values[part]
        properties.pop(key, None)
        values.pop(key, None)
    return replace(target(), schema=schema, defaults=defaults)


def text(given: str, kind: str | None = None, chart: Target | None = None) -> Converted:
    return conversion.convert(given, "given.yaml", chart or bare(), kind)


def mapping(given: Mapping[str, Any], kind: str | None = None, chart: Target | None = None) -> Converted:
    return text(yaml.safe_dump(dict(given), sort_keys=False), kind, chart)


def file(name: str, kind: str | None = None) -> Converted:
    return text((FILES / name).read_text(encoding="utf-8"), kind)


def lost(converted: Converted) -> list[str]:
    """The places of what is not carried."""
    return [written(finding.path) for finding in converted.lost]


def notes(converted: Converted) -> list[str]:
    """The places of what is carried otherwise, but for what no file says."""
    told = [finding for finding in converted.findings if not finding.lost and finding.path not in conversion.DIFFERS]
    return [written(finding.path) for finding in told]


def why(converted: Converted, place: str) -> str:
    """What is said of a place."""
    return " ".join(f"{finding.why} {finding.cure}" for finding in converted.findings if written(finding.path) == place)


def assert_accounted(converted: Converted) -> None:
    """Each leaf has one fate, and each that is lost is told of in one finding."""
    for ledger in converted.ledgers:
        assert set(ledger.fates) == set(leaves(ledger.root.value))
        told = [key for finding in ledger.findings if finding.lost for key in finding.keys]
        gone = [written(path) for path, fate in ledger.fates.items() if fate is Fate.LOST]
        assert set(gone) <= set(told)
        assert len(told) == len(set(told))

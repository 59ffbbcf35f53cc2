"""What Artifact Hub reads of the chart: `python -m tests.publishing.annotations [--check]`.

Belongs here: the annotations at the end of chart/Chart.yaml, made of CHANGELOG.md and of what else says the same; and
the licence's text, which a packed chart carries as well. Never here: the rest of Chart.yaml, which is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from . import changelog

ROOT = Path(__file__).parents[2]
CHART = ROOT / "chart"
_MARK = "# Generated from CHANGELOG.md by `make generate`; read by Artifact Hub.\n"


def annotations(chart: dict[str, Any], values: dict[str, Any], newest: changelog.Section) -> dict[str, str]:
    """By name; lists are texts of YAML, as annotations can only be texts.

    Parameters
    ----------
    chart, values : dict
        Chart.yaml and the chart's defaults.
    newest : Section
        The version to be published.
    """
    home = chart["home"]
    image = f"{values['image']['repository']}:{values['image']['tag'] or chart['appVersion']}"
    links = {"Documentation": f"{home}/tree/main/docs", "Changelog": f"{home}/blob/main/CHANGELOG.md"}
    changes = [{"kind": kind, "description": _plain(text)} for kind, text in newest.changes]
    return {
        "artifacthub.io/category": "ai-machine-learning",
        "artifacthub.io/changes": _text(changes),
        "artifacthub.io/containsSecurityUpdates": str(any(kind == "security" for kind, _ in newest.changes)).lower(),
        "artifacthub.io/images": _text([{"name": "dask", "image": image}]),
        "artifacthub.io/license": "BSD-3-Clause",
        "artifacthub.io/links": _text([{"name": name, "url": url} for name, url in links.items()]),
        "artifacthub.io/prerelease": str(not re.fullmatch(r"\d+\.\d+\.\d+", newest.version)).lower(),
        "licenses": "BSD-3-Clause",
    }


def _plain(markdown: str) -> str:
    """Without links, which lead nowhere from Artifact Hub, and without marks of code."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).replace("`", "")


class _Literal(str):
    """A text that is written as it is, over several lines."""

    __slots__ = ()


yaml.SafeDumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def _text(items: list[dict[str, str]]) -> str:
    return _Literal(yaml.safe_dump(items, sort_keys=False, width=10_000, allow_unicode=True))


def generate() -> dict[Path, str]:
    """What each generated file must hold."""
    path = CHART / "Chart.yaml"
    written = path.read_text().partition(_MARK)[0]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    made = annotations(yaml.safe_load(written), values, changelog.newest())
    told = yaml.safe_dump({"annotations": made}, width=10_000, allow_unicode=True)
    return {path: f"{written}{_MARK}{told}", CHART / "LICENSE": (ROOT / "LICENSE").read_text()}


def main() -> int:
    """Write the files, or name those that are stale."""
    stale = {path: text for path, text in generate().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is stale: run `make generate`", file=sys.stderr)
        else:
            path.write_text(text)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())

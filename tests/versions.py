"""Fails where the versions that must agree do not: `python -m tests.versions`."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def versions() -> dict[str, str]:
    """The project's version, by where it is said."""
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return {
        "pyproject.toml": project[1] if project else "none",
        "chart/Chart.yaml": str(yaml.safe_load((ROOT / "chart/Chart.yaml").read_text())["version"]),
        "CHANGELOG.md": newest[1] if newest else "none",
        "installed package": version("dask-kubernetes-helm"),
    }


def main() -> int:
    """Compare them."""
    found = versions()
    if len(set(found.values())) > 1:
        print("versions differ: " + ", ".join(f"{where} {text}" for where, text in found.items()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

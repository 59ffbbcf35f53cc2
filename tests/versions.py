"""Fails where the versions that must agree do not: `python -m tests.versions [--tag v1.2.3]`.

With a tag it must be theirs, and the changelog must say when it is released.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

from tests.publishing import changelog

ROOT = Path(__file__).parents[1]


def versions() -> dict[str, str]:
    """The project's version, by where it is said."""
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return {
        "pyproject.toml": project[1] if project else "none",
        "chart/Chart.yaml": str(yaml.safe_load((ROOT / "chart/Chart.yaml").read_text())["version"]),
        "CHANGELOG.md": changelog.newest().version,
        "recipe/recipe.yaml": str(yaml.safe_load((ROOT / "recipe/recipe.yaml").read_text())["context"]["version"]),
        "installed package": version("dask-kubernetes-helm"),
    }


def wrong(found: dict[str, str], tag: str | None, date: str) -> str:
    """What is wrong, in one sentence; empty where nothing is.

    Parameters
    ----------
    found : dict
        Versions, by where they are said.
    tag : str, optional
        The tag of a release.
    date : str
        What the changelog says of the newest version's date.
    """
    if len(set(found.values())) > 1:
        return "versions differ: " + ", ".join(f"{where} {text}" for where, text in found.items())
    if tag and tag != f"v{next(iter(found.values()))}":
        return f"the tag is {tag}, but the version is {next(iter(found.values()))}: tag v{next(iter(found.values()))}"
    if tag and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        return f"CHANGELOG.md calls the version {date!r}: write the day of the release there, e.g. 2026-01-31"
    return ""


def main() -> int:
    """Compare them."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--tag", help="the tag of a release")
    found = wrong(versions(), parser.parse_args().tag, changelog.newest().date)
    if found:
        print(found, file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())

"""The changelog as data: `python -m tests.publishing.changelog` prints its newest section, as a release's notes.

Belongs here: reading CHANGELOG.md (pure, but for the file). Never here: what is made of it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
#: What keepachangelog.com knows.
KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")
UNRELEASED = "unreleased"


@dataclass(frozen=True)
class Section:
    """One version: its number, its date (or "unreleased"), its text, and its changes by kind."""

    version: str
    date: str
    text: str
    changes: tuple[tuple[str, str], ...]


def newest(text: str | None = None) -> Section:
    """The uppermost version.

    Raises
    ------
    ValueError
        What is wrong with the changelog, and where.
    """
    text = CHANGELOG.read_text() if text is None else text
    match = re.search(r"^## \[(\d[^\]]*)\] - (\S+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not match:
        raise ValueError(f"{CHANGELOG.name} has no heading like '## [1.2.3] - 2026-01-31'")
    version, date, body = match.groups()
    return Section(version, date, body.strip(), tuple(_changes(body, version)))


def _changes(body: str, version: str) -> list[tuple[str, str]]:
    found = []
    for title, entries in re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", body, re.MULTILINE | re.DOTALL):
        if title.lower() not in KINDS:
            raise ValueError(f"{CHANGELOG.name}: {version} has '### {title}'; known are {', '.join(KINDS)}")
        items = re.findall(r"^- (.*?)(?=^- |\Z)", entries, re.MULTILINE | re.DOTALL)
        found += [(title.lower(), " ".join(item.split())) for item in items]
    return found


if __name__ == "__main__":
    sys.stdout.write(newest().text + "\n")

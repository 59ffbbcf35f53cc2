"""Findings, and the reasons why some of them stay (pure).

Belongs here: what a finding is, and which reason is whose. Never here: running a tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

EXPLAINED = Path(__file__).parent / "explained.yaml"


@dataclass(frozen=True)
class Finding:
    """What one tool says of one object in one render."""

    judge: str
    rule: str
    render: str
    object: str
    said: str

    def __str__(self) -> str:
        return f"{self.render}: {self.object}: {self.judge} {self.rule}: {self.said}"


@dataclass(frozen=True)
class Reason:
    """Why a rule's finding stays; of which objects, as patterns of `Kind/name`, and in which renders."""

    judge: str
    rule: str
    objects: tuple[str, ...]
    why: str
    renders: tuple[str, ...] = ("*",)

    def covers(self, finding: Finding) -> bool:
        """Whether it is the reason of a finding."""
        return (
            (self.judge, self.rule) == (finding.judge, finding.rule)
            and any(fnmatchcase(finding.object, pattern) for pattern in self.objects)
            and any(fnmatchcase(finding.render, pattern) for pattern in self.renders)
        )


def reasons(path: Path = EXPLAINED) -> list[Reason]:
    """All that are written down."""
    return [
        Reason(
            judge,
            str(entry["rule"]),
            tuple(entry["objects"]),
            " ".join(entry["why"].split()),
            tuple(entry.get("renders", ["*"])),
        )
        for judge, entries in yaml.safe_load(path.read_text()).items()
        for entry in entries
    ]


def unexplained(findings: Iterable[Finding], known: Sequence[Reason]) -> list[Finding]:
    """Findings without a reason."""
    return [finding for finding in findings if not any(reason.covers(finding) for reason in known)]


def stale(findings: Sequence[Finding], known: Iterable[Reason]) -> list[Reason]:
    """Reasons without a finding, which are to be removed."""
    return [reason for reason in known if not any(reason.covers(finding) for finding in findings)]

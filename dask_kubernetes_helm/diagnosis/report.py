"""All that is wrong with a release at one moment: as text, in a terminal, in a notebook, and as plain data.

Belongs here: showing findings. Never here: making them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask.widgets

from dask_kubernetes_helm.diagnosis.finding import Finding, stopped

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Count:
    """How many pods a part of the release has.

    Attributes
    ----------
    part : str
        ``"scheduler"``, ``"workers"``, or ``"workers (gpu)"`` for a group that is not the default one.
    ready, wanted : int
        Pods that are Ready, and that are asked for.
    phases : str
        Where those are that are not Ready: ``"2 waiting for a node"``.
    """

    part: str
    ready: int
    wanted: int
    phases: str = ""

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.ready} of {self.wanted} ready{f'; {self.phases}' if self.phases else ''}"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a release.

    Attributes
    ----------
    release, namespace : str
        Which one.
    findings : tuple of Finding
        What is wrong, those first that waiting won't mend; pods that have the same are one.
    counts : tuple of Count
        How many pods there are.
    scheduler : dict
        What the scheduler says of itself, where it was asked: ``answers``, and ``workers``, ``versions`` and
        ``address`` where it does.
    unread : tuple of str
        What could not be looked at, and why.

    Examples
    --------
    >>> print(Diagnosis("demo", "lab", (), (Count("scheduler", 1, 1), Count("workers", 2, 2))))
    Release demo in namespace lab: nothing is wrong
      scheduler  1 of 1 ready
      workers    2 of 2 ready
    """

    release: str
    namespace: str
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...] = ()
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def title(self) -> str:
        """All of it in a line."""
        number = len(self.findings)
        wrong = "nothing is" if not number else "1 thing is" if number == 1 else f"{number} things are"
        return f"Release {self.release} in namespace {self.namespace}: {wrong} wrong"

    def rows(self) -> list[tuple[str, str]]:
        """What there is, in pairs of name and text."""
        rows = [(count.part, count.text) for count in self.counts]
        if self.scheduler.get("answers"):
            versions = ", ".join(f"{name} {version}" for name, version in self.scheduler.get("versions", {}).items())
            number = self.scheduler["workers"]
            rows.append(("in Dask", f"{number} worker{' is' if number == 1 else 's are'} registered"))
            rows += [("versions", versions)] if versions else []
        return rows

    def __str__(self) -> str:
        rows = self.rows()
        width = max((len(name) for name, _ in rows), default=0)
        lines = [self.title, *(f"  {name:<{width}}  {text}" for name, text in rows)]
        for number, finding in enumerate(self.findings, start=1):
            lines += ["", f"{number}. {finding.error.__name__}{_about(finding)}", f"   {stopped(finding.sentence)}"]
            lines += [f"   -> {finding.cure}"] if finding.cure else []
        if self.unread:
            lines += ["", *(f"Not looked at: {text}" for text in self.unread)]
        return "\n".join(lines)

    def __rich__(self) -> RenderableType:
        """As rich shows it."""
        from rich.console import Group  # noqa: PLC0415 - whoever asks for this has it already
        from rich.panel import Panel  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        counts = Table.grid(padding=(0, 2))
        for name, text in self.rows():
            counts.add_row(Text(name, style="dim"), Text(text))
        parts: list[RenderableType] = [counts]
        for finding in self.findings:
            colour = "red" if finding.terminal else "yellow"
            head = Text.assemble((finding.error.__name__, f"bold {colour}"), (_about(finding), "dim"))
            parts += [Text(), head, Text(stopped(finding.sentence))]
            parts += [Text.assemble(("→ ", colour), finding.cure)] if finding.cure else []
        parts += [Text(), *(Text(f"Not looked at: {text}", style="dim") for text in self.unread)] if self.unread else []
        mark = Text.assemble(("✓ ", "green") if self.ok else ("✗ ", "red"), (self.title, "bold"))
        return Panel(Group(*parts), title=mark, title_align="left", border_style="green" if self.ok else "red")

    def _repr_html_(self) -> str:
        """As notebooks show it."""
        return str(dask.widgets.get_template("diagnosis.html.j2").render(diagnosis=self, about=_about, stopped=stopped))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "release": self.release,
            "namespace": self.namespace,
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
            "pods": [{"part": item.part, "ready": item.ready, "wanted": item.wanted} for item in self.counts],
            "scheduler": dict(self.scheduler),
            "unread": list(self.unread),
        }


def _about(finding: Finding) -> str:
    others = f" and {finding.others} other{'s' * (finding.others != 1)}" if finding.others else ""
    return f", {finding.object}{others}" if finding.object else ""

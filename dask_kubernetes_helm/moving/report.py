"""What is told of a conversion: one line for each thing that is not carried as it stands.

Belongs here: wording. Never here: printing it.
"""

from __future__ import annotations

from collections.abc import Iterator

from dask_kubernetes_helm.moving import documents
from dask_kubernetes_helm.moving.conversion import KINDS, Converted
from dask_kubernetes_helm.moving.tracing import Fate, Finding, written


def lines(converted: Converted, name: str) -> Iterator[str]:
    """The report, with the file and line first, as editors and grep have it.

    Parameters
    ----------
    converted : Converted
        What was made.
    name : str
        What the file is called.
    """
    for finding in converted.findings:
        yield _line(finding, name)
    yield _summary(converted, name)


def text(converted: Converted, name: str, version: str) -> str:
    """The values as a file, which says where they came from."""
    lost = len(converted.lost)
    head = [
        f"# Values for the chart of dask-kubernetes-helm {version}, made by `dask helm convert`",
        f"# from {name}, {KINDS[converted.kind]}.",
    ]
    if lost:
        head.append(f"# Not carried: {', '.join(_where(finding) for finding in converted.lost)}.")
    return "\n".join(head) + "\n" + documents.write(converted.values)


def _where(finding: Finding) -> str:
    return written(finding.path) or f"the document at line {finding.line}"


def _line(finding: Finding, name: str) -> str:
    place = f"{name}:{finding.line}" if finding.line else name
    where = written(finding.path)
    below = [key.removeprefix(where).lstrip(".") for key in finding.keys if key != where]
    inside = f" ({', '.join(below)})" if below else ""
    sign = "not carried" if finding.lost else "note"
    said = " ".join(part for part in (finding.why, finding.cure) if part)
    return f"{place}: {sign}: {where}{inside}: {said}" if where else f"{place}: {sign}: {said}"


def _summary(converted: Converted, name: str) -> str:
    fates = [fate for ledger in converted.ledgers for fate in ledger.fates.values()]
    lost, notes = len(converted.lost), len(converted.findings) - len(converted.lost)
    counted = ", ".join(f"{fates.count(fate)} {word}" for fate, word in _WORDS.items())
    return f"{name}: {KINDS[converted.kind]}; of {len(fates)} leaves {counted}; {lost} not carried, {notes} notes above"


_WORDS = {Fate.CARRIED: "carried", Fate.SILENT: "say nothing of their own", Fate.LOST: "lost"}

"""From a file's text to values of the chart, and an account of what became of each key.

Belongs here: which kind of file it is, and that what comes out is what the chart takes. Never here: any key of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm.errors import PodTemplateError, ValuesFileError
from dask_kubernetes_helm.moving import classic, daskcluster, daskhub, documents, helmchart, helmchart_tables
from dask_kubernetes_helm.moving.documents import Document
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.target import Target
from dask_kubernetes_helm.moving.tracing import Finding, Ledger, Path, leaves

#: Kinds of files, and what they are called.
KINDS = {
    "helm-chart": "values of dask/helm-chart",
    "daskhub": "values of daskhub",
    "pod": "a pod template of classic dask-kubernetes",
    "daskcluster": "manifests of the Dask operator",
}


#: What this chart does by default and no other: keys that are true, why that matters to who moves, and the way around.
DIFFERS = {
    ("tls", "enabled"): (
        "Dask's comms are encrypted here, so clients need certificates, which HelmCluster.from_name(NAME) has.",
        "Set it to false to do without.",
    ),
    ("networkPolicy", "enabled"): (
        "Here only pods with the label dask.org/client, and port-forwards, reach the scheduler.",
        "Label the clients, or set it to false.",
    ),
}


@dataclass(frozen=True)
class Converted:
    """What a file is for the chart.

    Attributes
    ----------
    kind : str
        One of KINDS.
    values : dict
        The chart's, without its defaults.
    ledgers : list of Ledger
        The account of each document.
    """

    kind: str
    values: dict[str, Any]
    ledgers: list[Ledger]

    @property
    def findings(self) -> list[Finding]:
        """What is not carried as it stands, in the file's order, each once."""
        found = dict.fromkeys(finding for ledger in self.ledgers for finding in ledger.findings)
        return sorted(found, key=lambda finding: finding.line or 0)

    @property
    def lost(self) -> list[Finding]:
        """What is not in the values at all."""
        return [finding for finding in self.findings if finding.lost]


def convert(text: str, name: str, target: Target, kind: str | None = None) -> Converted:
    """A file as values.

    Parameters
    ----------
    text : str
        The file's.
    name : str
        What it is called in errors.
    target : Target
        The chart.
    kind : str, optional
        One of KINDS; guessed by default.

    Raises
    ------
    ValuesFileError
        It is no YAML, or of no kind that is known.
    PodTemplateError
        It has a pod that Kubernetes would refuse.
    """
    found = documents.read(text, name)
    kind = kind or _guess(found, name)
    ledgers = [Ledger(document.tree, document.lines) for document in found]
    sheet = Sheet(target)
    try:
        _convert(kind, ledgers, sheet, name)
    except PodTemplateError as error:
        raise PodTemplateError(f"{name}: {error.message}", cure=error.cure) from error
    for ledger in ledgers:
        ledger.close("It has no meaning that is known here.", "Leave it out.")
    for path, told in DIFFERS.items():
        if target.default(path) is True and sheet.get(*path) is None:
            ledgers[0].differs(path, *told)
    return Converted(kind, target.lean(_judged(sheet, ledgers)), ledgers)


def _convert(kind: str, ledgers: Sequence[Ledger], sheet: Sheet, name: str) -> None:
    if kind == "pod":
        sheet.values = classic.convert(ledgers, sheet)
    elif kind == "daskcluster":
        sheet.values = daskcluster.convert(ledgers, sheet)
    elif len(ledgers) > 1:
        raise ValuesFileError(f"{name} has {len(ledgers)} documents, and Helm reads the first", cure="Split it.")
    elif kind == "daskhub":
        daskhub.convert(ledgers[0], sheet)
    else:
        helmchart.convert(ledgers[0], sheet)


def _guess(found: Sequence[Document], name: str) -> str:
    trees = [document.tree for document in found]
    if any(str(tree.get("apiVersion", "")).startswith(daskcluster.API) for tree in trees):
        return "daskcluster"
    if any(tree.get("kind") == "Pod" or "containers" in _mapping(tree.get("spec")) for tree in trees):
        return "pod"
    if any(key in tree for tree in trees for key in daskhub.KEYS):
        return "daskhub"
    known = (*helmchart_tables.SECTIONS, "nameOverride", "fullnameOverride")
    if any(key in tree for tree in trees for key in known):
        return "helm-chart"
    raise ValuesFileError(
        f"{name} looks like nothing that is known: its keys are {', '.join(sorted(trees[0])) or 'none'}",
        cure=f"Say what it is by --kind: {', '.join(f'{key} ({word})' for key, word in KINDS.items())}.",
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _judged(sheet: Sheet, ledgers: Sequence[Ledger]) -> dict[str, Any]:
    """The values, without what the chart's schema refuses; that is told where it came from."""
    values = sheet.values
    while violations := sheet.target.violations(sheet.target.lean(values)):
        # One at a time, as leaving one out moves what comes after it in a list.
        violation = violations[0]
        path = _present(values, violation.path)
        if not path:
            raise ValuesFileError(
                f"The values that were made can't be: {violation.said}", cure="Convert a part of the file."
            )
        why = f"The chart refuses it: {violation.said}."
        _tell(sheet.origin(path), path, _words(values, path), why, ledgers)
        values = _without(values, path)
    return values


def _present(values: Any, path: Path) -> Path:
    """As much of a path as the values have."""
    kept: Path = ()
    for part in path:
        there = part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int)
        if not there:
            break
        values, kept = values[part], (*kept, part)
    return kept


def _words(values: Any, path: Path) -> frozenset[str]:
    """What is at a path, or its key: what to look for where it came from."""
    for part in path:
        values = values[part]
    found = {str(Ledger(values).root.get(*leaf).value) for leaf in leaves(values)}  # type: ignore[union-attr]
    return frozenset(found - {"None", "{}", "[]", ""} or {str(path[-1])})


def _tell(
    origin: tuple[Ledger, Path] | None, path: Path, words: frozenset[str], why: str, ledgers: Sequence[Ledger]
) -> None:
    cure = "Correct it, and set that key."
    if origin is None:
        ledgers[0].implied(path, why, cure)
        return
    ledger, exact = origin
    start = exact
    while start and ledger.root.get(*start) is None:
        start = start[:-1]
    ledger.revoke(start, why, cure, frozenset() if start == exact else words)


def _without(values: Any, path: Path) -> Any:
    """Values without what is at a path."""
    first, rest = path[0], path[1:]
    if isinstance(values, list):
        return [
            item if index != first else _without(item, rest)
            for index, item in enumerate(values)
            if rest or index != first
        ]
    if not rest:
        return {key: item for key, item in values.items() if key != first}
    return {**values, first: _without(values[first], rest)}

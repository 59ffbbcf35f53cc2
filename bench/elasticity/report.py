"""What was measured, as tables in the terminal and, filled into page.md, as docs/elasticity.md with its plot.

Belongs here: medians and ratios. Never here: measuring.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

from bench import common
from bench.elasticity import calls, environments

Found = Mapping[str, Sequence[Mapping[str, Any]]]
#: Columns: the title, and the name among a round's figures.
_SECONDS = {
    "first 2 workers": "first",
    "2 to 10 workers": "grow",
    "10 to 2 workers": "shrink",
    "8 pods on their way out": "shrink pods",
}
_LOSSES = {"results lost of 200": "lost", "computed again": "recomputed"}
_SPANS = {"calls growing": "grow", "calls shrinking": "shrink"}
_PAGE = environments.HERE / "page.md"


def show(found: Found) -> None:
    """Print the tables, peers by their modules' names."""
    names = {name: name for name in found}
    for title, (columns, rows) in {
        "Elasticity: seconds (times ours), and results": _seconds(names, found),
        "Elasticity: calls to the API, reads + writes": _calls(names, found),
    }.items():
        common.show(title, ["", *columns], [[cell.replace("*", "") for cell in row] for row in rows])


def write(titles: Mapping[str, str], found: Found) -> None:
    """Write the page and its plot."""
    helped = sum(figures["helped"] for figures in found.get("operator", ()))
    document = _PAGE.read_text().format(
        facts=_facts(),
        rounds=max(map(len, found.values())),
        seconds=_markdown(_seconds(titles, found)),
        calls=_markdown(_calls(titles, found)),
        helped=f"{helped} of {len(found.get('operator', ()))}",
    )
    (common.ROOT / "docs" / "elasticity.md").write_text(document)
    drawn = {**{f"{title}, s": _SECONDS[title] for title in list(_SECONDS)[:3]}, "results lost of 200": "lost"}
    panels = [
        {"title": title, "values": [_all(rounds, key) for rounds in found.values()]} for title, key in drawn.items()
    ]
    labels = {name: titles[name].split(",")[0].replace("`", "") for name in found}
    drawing = {"panels": panels, "labels": list(labels.values()), "ours": labels.get("ours")}
    plot = str(common.ROOT / "docs" / "elasticity.svg")
    python = str(environments.interpreter("plot.txt", like_image=()))
    common.run(python, "-I", str(environments.HERE / "plot.py"), plot, text=json.dumps(drawing))


def _all(rounds: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [{**figures, **figures["seconds"]}[key] for figures in rounds]


def _seconds(titles: Mapping[str, str], found: Found) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, rounds in found.items():
        texts = ["-"] * len(_SECONDS | _LOSSES)
        if rounds:
            texts = [_with_ratio(_all(rounds, key), _all(found.get("ours", ()), key)) for key in _SECONDS.values()]
            texts += [f"{median(_all(rounds, key)):.0f}" for key in _LOSSES.values()]
        rows.append([_title(titles, name, found), *texts])
    return [*_SECONDS, *_LOSSES], rows


def _with_ratio(seconds: Sequence[float], ours: Sequence[float]) -> str:
    return f"{median(seconds):.1f} s" + (f" ({median(seconds) / median(ours):.2f})" if ours else "")


def _calls(titles: Mapping[str, str], found: Found) -> tuple[list[str], list[list[str]]]:
    columns = [f"{title}{whose}" for title in _SPANS for whose in ("", ", Kubernetes' own")]
    rows = []
    for name, rounds in found.items():
        cells = []
        for span in _SPANS.values():
            agents = sorted({agent for figures in rounds for agent in figures["calls"][span]})
            own = [agent for agent in agents if agent != calls.KUBERNETES]
            cells += [", ".join(_reads_and_writes(rounds, span, agent) for agent in own) or "-"]
            cells += [_reads_and_writes(rounds, span, calls.KUBERNETES).split(" ", 1)[1] if rounds else "-"]
        rows.append([_title(titles, name, found), *cells])
    return columns, rows


def _reads_and_writes(rounds: Sequence[Mapping[str, Any]], span: str, agent: str) -> str:
    told = [figures["calls"][span].get(agent, {}) for figures in rounds]
    reads, writes = (median(calls.get(kind, 0) for calls in told) for kind in ("reads", "writes"))
    return f"{agent} {reads:.0f} + {writes:.0f}"


def _title(titles: Mapping[str, str], name: str, found: Found) -> str:
    done, wanted = len(found[name]), max(map(len, found.values()))
    title = f"**{titles[name]}**" if name == "ours" else titles[name]
    return title if done == wanted else f"{title} ({done} of {wanted} rounds)"


def _markdown(table: tuple[list[str], list[list[str]]]) -> str:
    columns, rows = table
    lines = [["", *columns], ["---", *["---:"] * len(columns)], *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def _facts() -> str:
    nodes = common.run(
        "kubectl", "get", "nodes", "--output=jsonpath={.items[*].status.nodeInfo.kubeletVersion}"
    ).split()
    helm = common.run("helm", "version", "--template={{.Version}}").strip()
    return (
        f"{os.cpu_count()} cores, {len(nodes)} nodes that hold the image, Kubernetes {nodes[0].lstrip('v')}, "
        f"Helm {helm.lstrip('v')}, Python {platform.python_version()}, Dask {version('distributed')}."
    )

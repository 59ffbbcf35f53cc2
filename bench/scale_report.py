"""The figures of bench/scale.py as tables, as docs/scale.md and as its plot.

Belongs here: telling them. Never here: measuring. What is written holds no name of a machine or a folder, and the same
figures give the same files.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import distributed
import matplotlib as mpl
from matplotlib.figure import Figure

from tests.rig import binaries, settings

if TYPE_CHECKING:
    from bench.many.experiment import Scaled
    from bench.scale import Figures

Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]

#: What our part may take for 1,000 pods made 500, and choosing among 10,000.
SECONDS, MEMORY, CHOOSING = 3.0, 200, 50
_MIB = 1 << 20
_TEXT = """\
# Scale

`make bench-scale` measures this on the [embedded cluster](embedded-cluster.md), with [KWOK](https://kwok.sigs.k8s.io):
its nodes bind and delete pods, but run nothing. `WRITE=1 make bench-scale` writes this page.
{machine}

What acts is this package as a user's Python has it, against a real API server and a real `distributed.Scheduler` with
the chart's preload; Dask's active memory manager moves the results, two on each worker, for real. Only the workers are
simulated: one for each pod, which answers the scheduler as a worker does. In the place of kubelets and readiness probes
a process tells Kubernetes, by one request for each pod, which workers are out of service.

![Seconds and calls against the number of pods](scale.svg)

## A group made smaller by half

{shrunk}

- **our part** is what this package and the scheduler's preload take: until the surplus is chosen and empty (Dask's own
  work for retiring it included), from the moment when Kubernetes knows it as not Ready until the number is patched, and
  the patch. At most {seconds:g} s for 1,000 pods. Emptying grows with the square of the number: for each result that
  has to move, Dask looks at all workers in service.
- **calls** are requests by this package's user agent in the API server's audit log: two lists of one Deployment, a
  watch, one write, whatever the number.
- **wrong** counts pods that Kubernetes deleted although they had not been emptied, **lost** results that had to be
  computed again or are nowhere any more. Both have to be 0.

{rest}

- **Python** is the most memory that the acting process needed, imports included (at most {memory} MiB), **scheduler**
  by how much the scheduler's process grew until the patch. Zero does not say that it needs nothing: what it needs in
  between it takes from memory that Python had before and has freed.
- **readiness** and **deletion** are others' time: so long it takes kubelets, here one process, to report the surplus,
  and Kubernetes' controllers, with their default of 20 requests a second, to count and to delete it.

## A group grown from half to full

{grown}

Growing is one write. **pods** is Kubernetes' time until all are there.

## Choosing who leaves

{choosing}

Half of a group whose results do not all fit into the other half; the pure function alone, processor time, median. At
most {choosing_bound} ms for 10,000 pods.
"""


def tables(figures: Figures) -> dict[str, Table]:
    """What is told, by its place on the page."""
    shrunk = figures.shrunk.values()
    return {
        "shrunk": ("A group made smaller by half", _SHRUNK, [_shrunk(item) for item in shrunk]),
        "rest": ("Beside it: memory, and the time of others", _REST, [_rest(item) for item in shrunk]),
        "grown": ("A group grown from half to full", _GROWN, [_grown(item) for item in figures.grown.values()]),
        "choosing": ("Choosing who leaves", ("pods", "ms", "us a pod"), _chosen(figures.choosing)),
    }


_SHRUNK = ("pods", "our part s", "emptying", "reacting", "patching", "calls", "wrong", "lost")
_REST = ("pods", "Python MiB", "scheduler MiB", "readiness s", "deletion s")
_GROWN = ("pods", "our part s", "calls", "Python MiB", "pods s")


def _shrunk(item: Scaled) -> list[object]:
    return [
        f"{item.pods} -> {item.target}",
        item.ours,
        item.emptying,
        item.reacting,
        item.patching,
        sum(item.calls.values()),
        item.wrong,
        item.lost,
    ]


def _rest(item: Scaled) -> list[object]:
    return [
        f"{item.pods} -> {item.target}",
        item.memory // _MIB,
        item.scheduler_memory // _MIB,
        round(item.readiness),
        round(item.following),
    ]


def _grown(item: Scaled) -> list[object]:
    calls = sum(item.calls.values())
    return [f"{item.pods} -> {item.target}", item.ours, calls, item.memory // _MIB, round(item.following)]


def _chosen(choosing: dict[int, float]) -> list[list[object]]:
    return [[size, taken, taken * 1000 / size] for size, taken in choosing.items()]


def write(figures: Figures, folder: Path) -> None:
    """Write the page and its plot."""
    text = _TEXT.format(
        **{place: _markdown(columns, rows) for place, (_, columns, rows) in tables(figures).items()},
        machine=_machine(),
        seconds=SECONDS,
        memory=MEMORY,
        choosing_bound=CHOOSING,
    )
    (folder / "scale.md").write_text(text)
    _plot(figures, folder / "scale.svg")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"The machine has {os.cpu_count()} cores, shared by all of this, and {memory:.0f} GiB; Python "
        f"{platform.python_version()}, Dask {distributed.__version__}, Kubernetes {settings.KUBERNETES_VERSION}, KWOK "
        f"{binaries.KWOK_VERSION}."
    )


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _plot(figures: Figures, path: Path) -> None:
    """Seconds and calls against the number of pods."""
    mpl.rcParams.update({"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(7.5, 3), layout="constrained")
    seconds, calls = figure.subplots(1, 2)
    for name, items in (("made smaller by half", figures.shrunk), ("grown from half", figures.grown)):
        seconds.plot(list(items), [item.ours for item in items.values()], marker="o", label=name)
        calls.plot(list(items), [sum(item.calls.values()) for item in items.values()], marker="o", label=name)
    for axes, title in ((seconds, "seconds of our part"), (calls, "calls of the Kubernetes API")):
        axes.set(title=title, xlabel="pods", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
    seconds.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})

"""What all measurements share: a namespace, kubectl, a clock and a table.

Belongs here: nothing that is measured.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
CONSOLE = Console(width=110, highlight=False)


def run(*command: str, text: str | None = None) -> str:
    """What a command prints; raises with what it said."""
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=600)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout


def image() -> str:
    """The Dask image that the nodes hold."""
    if "IMAGE" not in os.environ:
        sys.exit('IMAGE is not set: run `make bench`, or eval "$(make -s env)" first')
    return os.environ["IMAGE"]


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A fresh namespace, deleted with all that is in it."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    run("kubectl", "create", "namespace", name)
    try:
        yield name
    finally:
        run("kubectl", "delete", "namespace", name)


def in_turns(module: str, pythons: Mapping[str, str], tries: int, title: str) -> None:
    """Time kinds in turns, each try in a process of its own with its interpreter, and print seconds and ratios.

    A child is `python -m MODULE --child KIND --namespace NAMESPACE`, whose last word is its seconds. The first kind is
    what the others are compared with.
    """
    taken: dict[str, list[float]] = {kind: [] for kind in pythons}
    with namespace() as name:
        for number in range(tries):
            say(f"{module}: try {number + 1} of {tries}")
            for kind, python in pythons.items():
                child = [python, "-m", module, "--child", kind, "--namespace", name]
                printed = subprocess.run(child, stdout=subprocess.PIPE, check=True, cwd=ROOT, text=True).stdout
                taken[kind].append(float(printed.split()[-1]))
                run("kubectl", "--namespace", name, "wait", "pods", "--all", "--for=delete", "--timeout=60s")
    first = median(next(iter(taken.values())))
    rows = [(kind, median(times), min(times), max(times), median(times) / first) for kind, times in taken.items()]
    show(title, ["", "median s", "min", "max", "ratio"], rows)


def say(text: str) -> None:
    """Tell that a measurement goes on."""
    print(text, file=sys.stderr, flush=True)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", min_width=8)
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    CONSOLE.print(table)

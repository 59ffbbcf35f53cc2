"""A worker group grown from half to full and made smaller by half: what our part takes, and how it grows with size.

Needs `make kwok`. With `--write` the figures go to docs/scale.md and docs/scale.svg.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import common, scale_report
from bench.many.experiment import Scaled, experiment
from dask_kubernetes_helm import contract
from tests.rig import kwok
from tests.rig.settings import Settings

SIZES = (100, 500, 1000, 5000)
#: Results that each worker holds.
RESULTS = 2
POLICY_SIZES = (100, 1000, 10_000)
_TRIES = 7


@dataclass(frozen=True)
class Figures:
    """What was measured: changes of the number by the group's full size, and milliseconds for choosing by its size."""

    grown: dict[int, Scaled]
    shrunk: dict[int, Scaled]
    choosing: dict[int, float]


def measure(sizes: Iterable[int], logs: Path) -> Figures:
    """Scale groups of these sizes, one after the other."""
    grown, shrunk = {}, {}
    cluster = Settings.from_environment()
    with kwok.nodes(cluster, 4 + max(sizes) // (kwok.PODS // 2)):
        for size in sizes:
            common.say(f"scale: {size} pods (about {30 + size // 6} s)")
            with common.namespace() as namespace, experiment(cluster, namespace, logs) as group:
                group.begin(size // 2)
                grown[size] = group.scale(size)
                group.compute(size * RESULTS)
                shrunk[size] = group.scale(size // 2)
    return Figures(grown, shrunk, {size: choosing(size) for size in POLICY_SIZES})


def choosing(size: int) -> float:
    """Milliseconds for choosing half of a group whose results don't all fit into the other half."""
    sys.path.append(str(contract.chart_path() / "files"))
    from dask_kubernetes_helm_pod.policy import Pod, choose  # noqa: PLC0415 - it is on the path only now

    dice = random.Random(size)
    pods = [
        Pod(
            name=f"dask-worker-{dice.getrandbits(40):x}",
            workers=(f"tcp://10.0.{index >> 8}.{index & 255}:3000",),
            processing=dice.choice([0, 0, 1, 5]),
            nbytes=dice.randrange(1 << 27, 7 << 27),
            memory_limit=7 << 27,
        )
        for index in range(size)
    ]
    taken = []
    for _ in range(_TRIES):
        began = time.process_time()
        choose(pods, size // 2)
        taken.append(time.process_time() - began)
    return median(taken) * 1000


def main() -> None:
    """Measure, tell, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="default: %(default)s")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md and docs/scale.svg")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="bench-scale-") as logs:
        figures = measure(options.sizes, Path(logs))
    for title, columns, rows in scale_report.tables(figures).values():
        common.show(title, columns, rows)
    if options.write:
        scale_report.write(figures, common.ROOT / "docs")


if __name__ == "__main__":
    main()

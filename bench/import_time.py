"""What `import dask_kubernetes_helm` costs over `import distributed`, which every Dask user pays anyway."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from bench import common

BOUND = 0.2
TRIES = 11
_CHILD = """
import time
began = time.perf_counter()
import distributed
between = time.perf_counter()
import dask_kubernetes_helm
print(between - began, time.perf_counter() - between)
"""


def main() -> None:
    """Measure, each time in a new interpreter; the first, which may compile, is left out."""
    tries = [
        [float(text) for text in subprocess.check_output([sys.executable, "-c", _CHILD], text=True).split()]
        for _ in range(TRIES + 1)
    ][1:]
    base, ours = (median(column) for column in zip(*tries, strict=True))
    rows = [("distributed", base, ""), ("dask_kubernetes_helm over it", ours, ours / base)]
    common.show(f"Import (at most {BOUND} s over distributed)", ["", "median s", "ratio"], rows)


if __name__ == "__main__":
    main()

"""`python -m dask_kubernetes_helm`: the commands of `dask helm`, where Dask's own command is not at hand.

Belongs here: nothing but that. Never here: a command (cli.py has them).
"""

from __future__ import annotations

from dask_kubernetes_helm.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="python -m dask_kubernetes_helm")

"""Commands for a terminal: `dask helm ...`, and the same as `python -m dask_kubernetes_helm ...`.

Belongs here: which commands there are; a module per family has them. Never here: a command itself. In the package's
modules belongs what a terminal needs: options, printing, exit codes; never requests, or what answers mean.

`changing` has create and upgrade, `looking` list, status, logs and diagnose, `sizing` scale and adapt, `ports`
dashboard, `removing` delete and gc, `files` convert and rbac, `valuing` values. All stand on `frame`: places, errors,
exit codes. `tables` print; `changes` compares manifests (pure); `settings` reads `--set`; `completing` is for shells.

Every `dask` command imports this package, so what is slow is imported where it is needed.
"""

from __future__ import annotations

import click

from dask_kubernetes_helm.cli import changing, files, looking, ports, removing, sizing, valuing
from dask_kubernetes_helm.cli.frame import Commands

__all__ = ["main"]


@click.group(name="helm", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Dask on Kubernetes from one Helm chart: releases made, looked at, scaled and removed.

    \b
    Exit codes: 0 done; 1 failed; 2 wrong usage; 4 done, but what was looked at is not well (status, diagnose).
    `convert --strict` has 3 besides.

    \b
    Example:
      dask helm create dask --environment production --n-workers 4
    """  # noqa: D301 - click's own sign for "don't wrap"


for command in (
    changing.create,
    looking.releases,
    looking.status,
    sizing.scale,
    sizing.adapt,
    looking.logs,
    looking.diagnose,
    ports.dashboard,
    changing.upgrade,
    removing.delete,
    removing.gc,
    files.convert,
    files.rbac,
    valuing.values,
):
    main.add_command(command)

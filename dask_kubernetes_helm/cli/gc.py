"""`dask helm gc`: what is left of releases that nobody wants any more.

Belongs here: listing it, and having it removed. Never here: what counts as left (leftovers.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dask_kubernetes_helm import config
from dask_kubernetes_helm.cli import frame

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.leftovers import Leftover


@click.command(short_help="List, or remove, what is left of releases.")
@frame.placed
@click.option(
    "--unused",
    metavar="TIME",
    help='Also releases that had no client for so long: seconds, or text such as "7 days". By default none.',
)
@click.option("-y", "--yes", is_flag=True, help="Remove what is listed.")
@frame.formatted
def gc(*, place: Place, unused: str | None, yes: bool, output: str) -> None:
    """List what is left of releases that nobody wants any more; with --yes, remove it.

    That is: installs that failed, or have been pending for ten minutes; Helm's records of releases that are gone;
    owners of releases that were uninstalled. Only what this package has made is ever removed.

    \b
    Examples:
      dask helm gc -n team
      dask helm gc -n team --unused "7 days" --yes
    """  # noqa: D301 - click's own sign for "don't wrap"
    seconds = config.seconds(unused, "--unused") if unused is not None else None
    found = frame.run(_gc(place, seconds, yes=yes))
    if output == "json":
        frame.print_json([{**one.to_dict(), "removed": yes} for one in found])
        return
    if not found:
        click.echo("Nothing is left over.")
        return
    from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

    rows = [(one.release, one.namespace, tables.span(one.seconds), one.why) for one in found]
    tables.table(("RELEASE", "NAMESPACE", "FOR", "WHY"), rows)
    click.echo("Removed." if yes else "--yes removes them.")


async def _gc(place: Place, unused: float | None, *, yes: bool) -> list[Leftover]:
    from dask_kubernetes_helm import survey  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        found = await survey.left(kube, unused=unused)
        if yes:
            for leftover in found:
                await survey.remove(kube, leftover)
        return found

"""`dask helm delete` and `gc`: releases, and what is left of them, removed.

Belongs here: asking, and having it removed. Never here: what counts as left (leftovers.py).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from dask_kubernetes_helm import config
from dask_kubernetes_helm.cli import frame
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.kubeapi.kube import Kube
    from dask_kubernetes_helm.releases.leftovers import Leftover


@click.command(short_help="List, or remove, what is left of releases.")
@frame.placed
@click.option(
    "--unused",
    metavar="TIME",
    callback=frame.duration,
    help='Also releases that had no client for so long: seconds, or text such as "7 days". By default none.',
)
@click.option("-y", "--yes", is_flag=True, help="Remove what is listed.")
@frame.formatted
def gc(*, place: Place, unused: float | None, yes: bool, output: str) -> None:
    """List what is left of releases that nobody wants any more; with --yes, remove it.

    That is: installs that failed, or have been pending for ten minutes; Helm's records of releases that are gone;
    releases whose Deployments somebody deleted; owners of releases that were uninstalled. Only what this package has
    made is ever removed.

    \b
    Examples:
      dask helm gc -n team
      dask helm gc -n team --unused "7 days" --yes
    """  # noqa: D301 - click's own sign for "don't wrap"
    found = frame.run(_gc(place, unused, yes=yes))
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
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        found = await survey.left(kube, unused=unused)
        if yes:
            for leftover in found:
                await survey.remove(kube, leftover)
        return found


@click.command(short_help="Remove a release.")
@frame.named
@frame.placed
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@frame.formatted
def delete(*, name: str, place: Place, yes: bool, output: str) -> None:
    """Remove the release NAME, with all that its workers hold, and wait until its pods are gone.

    Of a release without Deployments, all that is left goes, however young it is. Takes no helm. A release that belongs
    to nobody, as after `helm install`, is left to `helm uninstall`.

    \b
    Example:
      dask helm delete dask -n team --yes
    """  # noqa: D301 - click's own sign for "don't wrap"
    frame.run(_delete(name, place, output, yes=yes))


async def _remove_leftovers(kube: Kube, name: str) -> None:
    """Remove what else is left of a release that was removed; who may not look for it has none."""
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    with contextlib.suppress(ForbiddenError):
        for leftover in await survey.left(kube):
            if leftover.release == name:
                await survey.remove(kube, leftover)


def _nobodys(name: str, namespace: str) -> HelmClusterError:
    return HelmClusterError(
        "The release belongs to nobody, as helm install leaves it, so it is left in place",
        cure=f"helm uninstall {name} --namespace {namespace}",
    ).concerning(name, namespace)


async def _remove(kube: Kube, name: str) -> None:
    """Remove a release that has Deployments, with whatever else has its name and nobody wants."""
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease  # noqa: PLC0415 - slow to import

    release = ManagedRelease(name, kube)
    await release.find()
    if release.owner is None:
        raise _nobodys(name, kube.namespace)
    await release.remove(frame.no_farewell)
    await _remove_leftovers(kube, name)


async def _delete(name: str, place: Place, output: str, *, yes: bool) -> None:
    from dask_kubernetes_helm.releases import overview, survey  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.waiting.progress import Progress  # noqa: PLC0415

    async with place.kube() as kube:
        found = await survey.release(kube, name)
        if not found.owned:
            raise _nobodys(name, kube.namespace)
        only_recorded = found.status in (overview.INSTALLING, overview.FAILED)
        what = f"release {name} in namespace {kube.namespace}, "
        what += (
            f"which Helm calls {found.helm}" if only_recorded else f"with {found.desired} workers and what they hold"
        )
        if not yes:
            click.confirm(f"Remove {what}?", abort=True, err=True)
        with Progress(f"Dask release {name}", quiet=config.get("quiet")) as progress:
            progress.show("release", "removing")
            await (survey.remove_named(kube, name) if only_recorded else _remove(kube, name))
        if output == "json":
            frame.print_json({"name": name, "namespace": kube.namespace, "removed": True})
        else:
            click.echo(f"Release {name} is removed from namespace {kube.namespace}.")

"""`dask helm create` and `upgrade`: releases made and changed.

Belongs here: what these are told, and what they print. Never here: how a release is installed
(lifecycle.py).
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import click

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.cli import completing, frame, settings, sizing
from dask_kubernetes_helm.errors import StartError
from dask_kubernetes_helm.fronts import arguments

if TYPE_CHECKING:
    from dask_kubernetes_helm.chartvalues.values import Layer
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease, Plan

_FILES = click.option(
    "-f",
    "--values",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="A values file, `-` for standard input; several times, later ones win.",
)
_SET = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="One value, as YAML; wins over files. Several times."
)
_CHART = click.option("--chart", metavar="CHART", help="A folder, a .tgz, repo/chart or oci://...; by default our own.")
_DRY = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
_TIMEOUT = click.option(
    "--timeout", metavar="TIME", callback=frame.duration, help='Seconds, or text such as "5 minutes", to wait for pods.'
)


def _image(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The name of an image, if it can be one."""
    if value is not None:
        with frame.wrong_usage():
            arguments.image_values(value)
    return value


def _name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A new release's name or its template, if Kubernetes would take it; the configuration's is none of usage."""
    if value is not None:
        with frame.wrong_usage():
            arguments.release_name(value, attach=False)
    return value


_IMAGE = click.option(
    "--image", metavar="IMAGE", callback=_image, help="repository[:tag][@digest] of scheduler and workers."
)


@click.command(short_help="Install a release that stays.")
@click.argument("name", required=False, callback=_name)
@frame.placed
@click.option(
    "-e", "--environment", shell_complete=completing.environments, help="Name of a values file, see `values`."
)
@_FILES
@_SET
@_IMAGE
@click.option("-w", "--n-workers", type=frame.Count(), help="Worker pods to begin with.")
@_CHART
@click.option("--wait/--no-wait", default=True, show_default=True, help="Until all pods are Ready.")
@_TIMEOUT
@_DRY
@frame.formatted
def create(
    *,
    name: str | None,
    place: Place,
    environment: str | None,
    files: tuple[str, ...],
    sets: tuple[str, ...],
    image: str | None,
    n_workers: int | None,
    chart: str | None,
    wait: bool,
    timeout: float | None,
    dry_run: bool,
    output: str,
) -> None:
    """Install a release, called NAME, that stays until it is deleted.

    Without a name it gets one by the configuration's template (kubernetes.name).

    \b
    Example:
      dask helm create dask -n team -e production --n-workers 4 --set worker.resources.limits.memory=8Gi
    """  # noqa: D301 - click's own sign for "don't wrap"
    told = arguments.Arguments(
        namespace=config.get("namespace", place.namespace),
        environment=config.get("environment", environment),
        values=_paths(files),
        n_workers=n_workers,
        image=image,
        chart=chart or config.get("chart"),
        auth=place.auth(),
        timeout=config.seconds(config.get("timeout", timeout), "kubernetes.timeout"),
        shutdown_on_close=False,
    )
    plan = told.checked().plan(arguments.release_name(name, attach=False))
    plan = dataclasses.replace(plan, layers=[*plan.layers, *map(settings.layer, sets)])
    if dry_run:
        frame.run(_preview_create(place, plan, output))
    else:
        frame.run(_create(place, plan, output, wait=wait))


def _paths(files: tuple[str, ...]) -> list[str]:
    return ["/dev/stdin" if file == "-" else file for file in files]


async def _preview_create(place: Place, plan: Plan, output: str) -> None:
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        after = await ManagedRelease(plan.name, kube).preview_install(plan)
    _show("", after, output)


def _show(before: str, after: str, output: str) -> None:
    """Print what would change."""
    from dask_kubernetes_helm.cli import changes, tables  # noqa: PLC0415 - slow to import

    found = changes.compare(before, after)
    if output == "json":
        frame.print_json([change.to_dict() for change in found])
        return
    tables.diff(changes.text(found))
    frame.note(f"Would be: {changes.summary(found)}. Nothing was changed.")


async def _create(place: Place, plan: Plan, output: str, *, wait: bool) -> None:
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.waiting.progress import Progress  # noqa: PLC0415

    async with place.kube() as kube:
        release = ManagedRelease(plan.name, kube)
        with Progress(f"Dask release {plan.name}", quiet=config.get("quiet")) as progress:
            try:
                await release.install(plan, progress)
            except BaseException:
                await release.remove(frame.no_farewell)  # half of a release is of no use
                raise
        if wait:
            await _come_up(release, plan.timeout)
        await _report(release, output, f"Release {plan.name} is {'ready' if wait else 'installed'} in namespace")


async def _come_up(release: ManagedRelease, timeout: float) -> None:
    """Wait for all pods; the release stays, whatever comes of it."""
    from dask_kubernetes_helm.waiting.progress import Progress  # noqa: PLC0415 - slow to import

    stays = f"The release stays: `dask helm status {release.name}` looks again, `dask helm delete {release.name}` "
    stays += "removes it."
    try:
        with Progress(f"Dask release {release.name}", quiet=config.get("quiet")) as progress:
            await release.rolled_out(timeout, progress, "All of its pods")
    except StartError as error:
        error.cure = f"{error.cure} {stays}".strip()
        raise
    except asyncio.CancelledError:
        frame.note(stays)
        raise


async def _report(release: ManagedRelease, output: str, headline: str) -> None:
    """Say how a release stands now."""
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    if output == "json":
        frame.print_json((await survey.release(release.kube, release.name)).to_dict())
        return
    name, namespace = release.name, release.namespace
    click.echo(f"{headline} {namespace}.")
    click.echo(f'  From Python:  HelmCluster.from_name("{name}", namespace="{namespace}")')
    click.echo(f"  Its pods:     dask helm status {name} -n {namespace}")
    click.echo(f"  Dashboard:    dask helm dashboard {name} -n {namespace}")


# Changing --------------------------------------------------------------------------------------------------


@click.command(short_help="Upgrade a release.")
@frame.named
@frame.placed
@_FILES
@_SET
@_IMAGE
@_CHART
@_TIMEOUT
@_DRY
@frame.formatted
def upgrade(
    *,
    name: str,
    place: Place,
    files: tuple[str, ...],
    sets: tuple[str, ...],
    image: str | None,
    chart: str | None,
    timeout: float | None,
    dry_run: bool,
    output: str,
) -> None:
    """Upgrade the release NAME: its own values, and these on top of them.

    A number of workers that was set by scaling stays, unless worker.replicas is among the values. Workers are emptied
    before they are replaced.

    \b
    Examples:
      dask helm upgrade dask --set worker.resources.limits.memory=8Gi --dry-run
      dask helm upgrade dask -f values.yaml
    """  # noqa: D301 - click's own sign for "don't wrap"
    layers = arguments.layers(_paths(files))
    if image is not None:
        layers += arguments.layers({"image": arguments.image_values(image)})
    layers += [settings.layer(text) for text in sets]
    seconds = config.seconds(config.get("timeout", timeout), "kubernetes.timeout")
    chart = chart or config.get("chart")
    frame.run(_upgrade(name, place, layers, chart, timeout=seconds, output=output, dry_run=dry_run))


async def _upgrade(
    name: str,
    place: Place,
    layers: list[Layer],
    chart: str | None,
    *,
    timeout: float,
    output: str,
    dry_run: bool,
) -> None:
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.waiting.progress import Progress  # noqa: PLC0415

    async with place.kube() as kube:
        release = ManagedRelease(name, kube)
        await release.find()
        if dry_run:
            _show(*await release.preview_upgrade(layers, chart), output)
            return
        with Progress(f"Dask release {name}", quiet=config.get("quiet")) as progress:
            progress.show("release", "upgrading")
            await release.upgrade(layers, chart, timeout, progress=progress)
        replicas = arguments.wanted_replicas(layers)
        if replicas is not None and replicas != release.replicas[contract.DEFAULT_GROUP]:
            await _scale(name, place, replicas, timeout)
            await release.rolled_out(timeout)
        await _report(release, output, f"Release {name} is upgraded in namespace")


async def _scale(name: str, place: Place, replicas: int, timeout: float) -> None:
    """Have as many workers as the values say, where somebody else has set another number."""
    async with sizing.attached(name, place) as cluster:
        await cluster.scale(replicas, timeout=timeout)

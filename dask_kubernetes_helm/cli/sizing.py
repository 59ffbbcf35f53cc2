"""`dask helm scale` and `adapt`: how many workers there are.

Belongs here: what these are told, and what they print. Never here: how a number is changed (scaling.py, through
HelmCluster, as it is the scheduler that empties workers).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.cli import frame
from dask_kubernetes_helm.errors import SchedulerUnreachableError

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.cluster import HelmCluster


@contextlib.asynccontextmanager
async def attached(name: str, place: Place, timeout: str | None = None) -> AsyncIterator[HelmCluster]:
    """A release as a cluster, left in place.

    Raises
    ------
    SchedulerUnreachableError
        The connection breaks.
    """
    from dask_kubernetes_helm.cluster import HelmCluster  # noqa: PLC0415 - slow to import

    cluster = HelmCluster.from_name(name, place.namespace, auth=place.auth(), timeout=timeout, asynchronous=True)
    try:
        async with cluster:
            yield cluster
    except BrokenPipeError:  # of standard output: whoever reads it has left
        raise
    except OSError as error:
        raise SchedulerUnreachableError(
            f"The connection to the scheduler broke: {error}", cure=f"dask helm status {name} tells how it stands."
        ).concerning(name, place.namespace) from error


async def _looked_up(name: str, group: str | None, place: Place) -> tuple[str, str, int]:
    """A worker group's name, its namespace, and how many pods it has; refuses names that there are not."""
    from dask_kubernetes_helm.releases.release import Release  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        release.deployment(group)
        settled = group or contract.DEFAULT_GROUP
        return settled, release.namespace, release.replicas[settled]


@click.command(short_help="Set the number of workers, without loss.")
@frame.named
@click.argument("n", type=frame.Count())
@frame.placed
@frame.grouped
@click.option("--force", is_flag=True, help="Also where results are lost by it.")
@click.option(
    "--timeout",
    metavar="TIME",
    callback=frame.duration,
    help='Seconds, or text such as "5 minutes", that running tasks have to end.',
)
@frame.formatted
def scale(
    *,
    name: str,
    n: int,
    place: Place,
    worker_group: str | None,
    force: bool,
    timeout: float | None,
    output: str,
) -> None:
    """Give the release NAME N workers; no result is lost by it.

    To shrink, the scheduler first empties the workers that hold least. Ends adaptive scaling of the group.

    \b
    Examples:
      dask helm scale dask 10
      dask helm scale dask 0 --worker-group gpu
    """  # noqa: D301 - click's own sign for "don't wrap"
    frame.run(_scale(name, n, place, worker_group, force=force, timeout=timeout, output=output))


async def _scale(
    name: str, n: int, place: Place, worker_group: str | None, *, force: bool, timeout: float | None, output: str
) -> None:
    group, namespace, before = await _looked_up(name, worker_group, place)
    async with attached(name, place) as cluster:
        await cluster.scale(n, group, force=force, timeout=timeout)
    _, _, after = await _looked_up(name, group, place)
    told = {"name": name, "namespace": namespace, "group": group, "before": before, "after": after}
    _tell(told, f"Worker group {group} of release {name}: {before} -> {after} workers.", output)


def _tell(told: dict[str, Any], sentence: str, output: str) -> None:
    if output == "json":
        frame.print_json(told)
    else:
        click.echo(sentence)


@click.command(short_help="Have the number of workers follow the work.")
@frame.named
@frame.placed
@frame.grouped
@click.option("--minimum", type=frame.Count(), help="Fewest workers; by default Dask's configuration's.")
@click.option("--maximum", type=frame.Count(), help="Most workers; by default Dask's configuration's.")
@click.option("--off", is_flag=True, help="Leave the number as it is from now on.")
@frame.formatted
def adapt(
    *,
    name: str,
    place: Place,
    worker_group: str | None,
    minimum: int | None,
    maximum: int | None,
    off: bool,
    output: str,
) -> None:
    """Have the number of workers of the release NAME follow the work.

    The release's agent does it, so it goes on when this command has ended; `scale` and `--off` end it.

    \b
    Examples:
      dask helm adapt dask --minimum 1 --maximum 100
      dask helm adapt dask --off
    """  # noqa: D301 - click's own sign for "don't wrap"
    if off and (minimum is not None or maximum is not None):
        raise click.UsageError("--off goes without --minimum and --maximum.")
    if not off and minimum is None and maximum is None:
        raise click.UsageError("Give --minimum, --maximum or both; or --off.")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise click.UsageError(f"--minimum is {minimum}, which is above --maximum, {maximum}.")
    frame.run(_adapt(name, place, worker_group, minimum, maximum, off=off, output=output))


async def _adapt(
    name: str,
    place: Place,
    worker_group: str | None,
    minimum: int | None,
    maximum: int | None,
    *,
    off: bool,
    output: str,
) -> None:
    group, namespace, before = await _looked_up(name, worker_group, place)
    told: dict[str, Any] = {"name": name, "namespace": namespace, "group": group, "adaptive": not off}
    async with attached(name, place) as cluster:
        if off:
            await cluster.rest(group)
            _tell(told, f"Worker group {group} of release {name} stays at {before} workers.", output)
            return
        adaptive = await cluster.adapt(minimum, maximum, worker_group=group)
        least, most = adaptive.minimum, adaptive.maximum
    bound = None if most == float("inf") else int(most)
    told |= {"minimum": int(least), "maximum": bound}
    upper = f"to {bound}" if bound is not None else "on"
    _tell(told, f"Worker group {group} of release {name} follows the work, from {least:g} workers {upper}.", output)

"""`dask helm list`, `status`, `logs` and `diagnose`: how releases stand. None of these needs a scheduler that answers.

Belongs here: what these are told, and what they print. Never here: what a state means (overview.py, diagnosis).
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.cli import frame
from dask_kubernetes_helm.errors import WorkloadNotFoundError
from dask_kubernetes_helm.text import did_you_mean

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.diagnosis import Diagnosis
    from dask_kubernetes_helm.releases.overview import Overview, Pod


@click.command(name="list")
@frame.placed
@click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces, where that is allowed.")
@frame.formatted
def releases(*, place: Place, all_namespaces: bool, output: str) -> None:
    """List the releases of a namespace, or of all.

    \b
    STATUS     what it means
    ready      all that it should have is Ready
    starting   it is on its way there
    failing    something is wrong that no waiting mends: `dask helm diagnose NAME` tells
    stopping   it is being removed
    installing, failed   there is nothing of it but Helm's record; `dask helm gc` tidies up

    \b
    Example:
      dask helm list -n team -o json
    """  # noqa: D301 - click's own sign for "don't wrap"
    if all_namespaces and place.namespace is not None:
        raise click.UsageError("--all-namespaces goes without --namespace.")
    namespace, found = frame.run(_releases(place, everywhere=all_namespaces))
    if output == "json":
        frame.print_json([one.to_dict() for one in found])
        return
    if not found:
        where = "in any namespace" if all_namespaces else f"in namespace {namespace}"
        frame.note(f"There is no release {where}. `dask helm create NAME` makes one.")
        return
    from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

    columns = ("NAME", "NAMESPACE", "STATUS", "SCHEDULER", "WORKERS", "CHART", "AGE")
    tables.table(columns, map(_row, found))


async def _releases(place: Place, *, everywhere: bool) -> tuple[str, list[Overview]]:
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        return kube.namespace, await survey.releases(kube, everywhere=everywhere)


def _row(one: Overview) -> tuple[str, ...]:
    from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

    workers = f"{one.ready}/{one.desired}" if one.groups else ""
    return (one.name, one.namespace, one.status, one.scheduler, workers, one.chart, tables.age(one.created))


@click.command(short_help="Tell how a release stands, and each of its pods.")
@frame.named
@frame.placed
@frame.formatted
def status(*, name: str, place: Place, output: str) -> None:
    """Tell how the release NAME stands, and each of its pods.

    \b
    Exit codes: 0 it is ready; 4 it is not; 1 it could not be looked at.

    \b
    Example:
      dask helm status dask -n team
    """  # noqa: D301 - click's own sign for "don't wrap"
    from dask_kubernetes_helm.releases import overview  # noqa: PLC0415 - slow to import

    found = frame.run(_status(name, place))
    if output == "json":
        frame.print_json(found.to_dict())
    else:
        _print_status(found)
    if found.status != overview.READY:
        sys.exit(frame.NOT_WELL)


async def _status(name: str, place: Place) -> Overview:
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        return await survey.release(kube, name)


def _print_status(found: Overview) -> None:
    from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

    many = len(found.groups) > 1
    groups = [f"{group.name} {group.ready}/{group.desired}" for group in found.groups]
    tables.facts(
        (
            ("Release", f"{found.name} in namespace {found.namespace}"),
            ("Status", found.status),
            ("Scheduler", found.scheduler),
            ("Workers", f"{found.ready}/{found.desired} ready" + (f" ({', '.join(groups)})" if many else "")),
            ("Chart", found.chart),
            ("Helm", found.helm),
            ("Age", tables.age(found.created)),
        )
    )
    if found.pods:
        click.echo()
        columns = ("POD", "ROLE", "STATUS", "RESTARTS", "NODE", "AGE")
        rows = [
            (pod.name, _role(pod, many=many), pod.phase, pod.restarts, pod.node, tables.age(pod.created))
            for pod in found.pods
        ]
        tables.table(columns, rows)
    if found.troubles:
        click.echo()
        tables.troubles(found.troubles)


def _role(pod: Pod, *, many: bool) -> str:
    """What a pod is; a worker's group, where there are several."""
    return pod.group if many and pod.component == contract.WORKER else pod.component


# Logs ------------------------------------------------------------------------------------------------------


@click.command(short_help="Print the logs of scheduler and workers.")
@frame.named
@frame.placed
@click.option("--scheduler", is_flag=True, help="The scheduler's.")
@click.option("--workers", is_flag=True, help="The workers'; by default scheduler and workers.")
@click.option("-p", "--pod", "pods", multiple=True, metavar="POD", help="Of this pod only; several times.")
@click.option("--previous", is_flag=True, help="Of the containers' lives before their last restart.")
@click.option(
    "--since", metavar="TIME", callback=frame.duration, help='Of the last seconds, or of text such as "5 minutes".'
)
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="The last N lines of each.")
@click.option("-f", "--follow", is_flag=True, help="Print lines as they come, until Ctrl-C or the release's end.")
@frame.formatted
def logs(
    *,
    name: str,
    place: Place,
    scheduler: bool,
    workers: bool,
    pods: tuple[str, ...],
    previous: bool,
    since: float | None,
    tail: int | None,
    follow: bool,
    output: str,
) -> None:
    """Print the logs of the release NAME, each line with its pod where there are several or it goes on.

    \b
    Examples:
      dask helm logs dask --workers --since "10 minutes" --tail 100
      dask helm logs dask -f
    """  # noqa: D301 - click's own sign for "don't wrap"
    both = scheduler == workers
    components = [contract.SCHEDULER] * (scheduler or both) + [contract.WORKER] * (workers or both)
    if follow:
        if previous or output == "json":
            raise click.UsageError("--follow goes without --previous and --output json.")
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            frame.run(_follow(name, place, components, workers=list(pods) or True, since=since, tail=tail))
        return
    found = frame.run(_logs(name, place, components, previous=previous, since=since, tail=tail))
    if unknown := [pod for pod in pods if pod not in found]:
        raise WorkloadNotFoundError(
            f"There is no pod {unknown[0]!r}{did_you_mean(unknown[0], found, 0.7)}",
            cure=f"Pods are: {', '.join(found) or 'none'}.",
        ).concerning(name, place.namespace)
    found = {pod: text for pod, text in found.items() if not pods or pod in pods}
    if output == "json":
        frame.print_json(found)
    else:
        _print_logs(found)


def _print_logs(found: dict[str, str]) -> None:
    for pod, text in found.items():
        prefix = f"{pod} | " if len(found) > 1 else ""
        for line in text.splitlines():
            click.echo(prefix + line)


async def _logs(name: str, place: Place, components: list[str], **which: Any) -> dict[str, str]:
    from dask_kubernetes_helm.releases.release import Release  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        found: dict[str, str] = {}
        for component in components:
            found |= await release.logs(component, **which)
        return found


async def _follow(name: str, place: Place, components: list[str], **which: Any) -> None:
    from dask_kubernetes_helm.releases.release import Release  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        async with release.follow(components, **which) as lines:
            while (line := await lines.next()) is not None:
                click.echo(line)


# What is wrong ---------------------------------------------------------------------------------------------


@click.command(short_help="Tell what is wrong with a release, and what to do.")
@frame.named
@frame.placed
@frame.formatted
def diagnose(*, name: str, place: Place, output: str) -> None:
    """Look at everything of the release NAME once, and tell what is wrong and what to do.

    \b
    Exit codes: 0 nothing is wrong; 4 something is; 1 it could not be looked at.

    \b
    Example:
      dask helm diagnose dask -n team
    """  # noqa: D301 - click's own sign for "don't wrap"
    found = frame.run(_diagnose(name, place))
    if output == "json":
        frame.print_json(found.to_dict())
    else:
        from dask_kubernetes_helm.cli import tables  # noqa: PLC0415 - slow to import

        tables.report(found)
    if not found.ok:
        sys.exit(frame.NOT_WELL)


async def _diagnose(name: str, place: Place) -> Diagnosis:
    from dask_kubernetes_helm.releases.release import Release  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        return await release.diagnose()

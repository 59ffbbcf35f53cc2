"""`dask helm dashboard`: a local port that leads to a release's dashboard.

Belongs here: opening it, and staying. Never here: how a port is forwarded (tunnel.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.cli import frame
from dask_kubernetes_helm.errors import SchedulerUnreachableError

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.connections.schedulerpod import SchedulerPod


@click.command(short_help="Open a local port to the dashboard.")
@frame.named
@frame.placed
@click.option("--port", type=click.IntRange(0, 65535), help="The local port; by default any that is free.")
@click.option("--open", "browse", is_flag=True, help="Open it in a browser.")
@frame.formatted
def dashboard(*, name: str, place: Place, port: int | None, browse: bool, output: str) -> None:
    """Open a local port to the dashboard of the release NAME, print its link, and stay until Ctrl-C.

    The port goes on when the scheduler restarts. A release that has an Ingress or HTTPRoute is linked there as well.

    \b
    Example:
      dask helm dashboard dask -n team --open
    """  # noqa: D301 - click's own sign for "don't wrap"
    settled = config.get("dashboard-forward-port", port)
    with contextlib.suppress(KeyboardInterrupt):
        frame.run(_dashboard(name, place, settled, output, browse=browse))
    frame.note("The port is closed.")


async def _dashboard(name: str, place: Place, port: int, output: str, *, browse: bool) -> None:
    from dask_kubernetes_helm.connections.schedulerpod import SchedulerPod  # noqa: PLC0415
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.releases.release import Release  # noqa: PLC0415 - slow to import

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        pod = SchedulerPod(kube, name)
        await _check(pod, name)
        tunnel = await pod.tunnel(contract.DASHBOARD_PORT, port)
        try:
            schedulers = await kube.find("deployments", contract.selector(name, contract.SCHEDULER))
            annotation = release.service["metadata"].get("annotations", {}).get(contract.LINK_ANNOTATION, "")
            link, elsewhere = _links(annotation, survey.prefix(schedulers[0]), f"{tunnel.host}:{tunnel.port}")
            if output == "json":
                frame.print_json({"name": name, "link": link, "ingress": elsewhere or None})
            else:
                click.echo(f"Dashboard of release {name}: {link}")
                if elsewhere:
                    click.echo(f"It is at {elsewhere} as well.")
                frame.note("Ctrl-C closes the port.")
            if browse:
                click.launch(link)
            await asyncio.Event().wait()
        finally:
            await tunnel.close()


async def _check(pod: SchedulerPod, name: str) -> None:
    """Refuse where there is no scheduler: a browser would only tell that nothing came."""
    try:
        (await pod.dial(contract.DASHBOARD_PORT)).abort()
    except SchedulerUnreachableError as error:
        error.cure = error.cure or f"`dask helm status {name}` tells why."
        raise


def _links(annotation: str, prefix: str, address: str) -> tuple[str, str]:
    """The link by a local port, and the one that leads there from outside; empty where there is none.

    Parameters
    ----------
    annotation : str
        The release's template of links; empty where it has none.
    prefix : str
        The path that its pages are under.
    address : str
        Host and port of here.

    Examples
    --------
    >>> _links("https://dask.example.com/team/status", "/team", "127.0.0.1:9")
    ('http://127.0.0.1:9/team/status', 'https://dask.example.com/team/status')
    """
    template = "{scheme}://{host}:{port}"
    if annotation.startswith(template):
        return f"http://{address}{annotation.removeprefix(template)}", ""
    return f"http://{address}{prefix}/status", annotation

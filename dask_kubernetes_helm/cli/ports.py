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

if TYPE_CHECKING:
    from dask_kubernetes_helm.cli.frame import Place
    from dask_kubernetes_helm.release import Release


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
    from dask_kubernetes_helm.release import Release  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.schedulerpod import SchedulerPod  # noqa: PLC0415

    async with place.kube() as kube:
        release = Release(name, kube)
        await release.find()
        pod = SchedulerPod(kube, name)
        (await pod.dial(contract.DASHBOARD_PORT)).abort()  # a browser would only tell that nothing came
        tunnel = await pod.tunnel(contract.DASHBOARD_PORT, port)
        try:
            link, elsewhere = _links(release, tunnel.host, tunnel.port)
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


def _links(release: Release, host: str, port: int) -> tuple[str, str]:
    """The link by a local port, and the one that leads there from outside; empty where there is none."""
    annotation = str(release.service.get("metadata", {}).get("annotations", {}).get(contract.LINK_ANNOTATION, ""))
    if annotation and "{host}" not in annotation:
        return f"http://{host}:{port}/status", annotation
    template = annotation or "{scheme}://{host}:{port}/status"
    return template.format(scheme="http", host=host, port=port), ""

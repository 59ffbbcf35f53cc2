"""What a shell offers at the press of a key: releases, worker groups, environments.

Belongs here: finding words. Never here: an error, or waiting long, whatever happens: the user is in the middle of a
line.

Source: https://click.palletsprojects.com/en/stable/shell-completion/.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from dask_kubernetes_helm import config, contract

if TYPE_CHECKING:
    from dask_kubernetes_helm.releases.overview import Overview

#: Seconds that looking for words may take.
_PATIENCE = 3.0


def releases(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of the releases in the namespace that the line names."""
    return [one.name for one in _found(ctx) if one.name.startswith(incomplete)]


def groups(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Worker groups of the release that the line names; of all in the namespace where it names none."""
    name = ctx.params.get("name")
    found = [group.name for one in _found(ctx) if name in (None, one.name) for group in one.groups]
    return sorted({group for group in found or [contract.DEFAULT_GROUP] if group.startswith(incomplete)})


def environments(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names of environments."""
    from dask_kubernetes_helm.chartvalues import values  # noqa: PLC0415 - slow to import

    return [name for name in values.environments() if name.startswith(incomplete)]


def _found(ctx: click.Context) -> list[Overview]:
    with contextlib.suppress(Exception):
        return asyncio.run(asyncio.wait_for(_releases(ctx.params), _PATIENCE))
    return []


async def _releases(told: dict[str, Any]) -> list[Overview]:
    from dask_kubernetes_helm.auth import KubeConfig  # noqa: PLC0415
    from dask_kubernetes_helm.kubeapi.kube import Kube  # noqa: PLC0415
    from dask_kubernetes_helm.releases import survey  # noqa: PLC0415 - slow to import

    auth = KubeConfig(context=told["context"]) if told.get("context") else None
    kube = await Kube.connect(auth, config.get("namespace", told.get("namespace")))
    try:
        return await survey.releases(kube)
    finally:
        await kube.close()

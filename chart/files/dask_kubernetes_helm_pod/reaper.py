"""The reaper: removes a release whose scheduler, which is not in it, has gone for good.

A Python process that has the scheduler in itself may be killed at any moment, and nothing of the release would notice:
its workers would be restarted for ever. Belongs here: holding a connection to that scheduler, and what follows from its
loss. Never here: anything that a scheduler in the release has the agent for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from time import monotonic
from typing import Any

from distributed.comm import connect
from distributed.security import Security

from dask_kubernetes_helm_pod.api import Api, ApiError
from dask_kubernetes_helm_pod.reaching import takes_connections
from dask_kubernetes_helm_pod.settings import FOLDER, Settings

logger = logging.getLogger("distributed.scheduler.scaling")

#: The request by which the scheduler learns that pods can reach it, and tells whether it is the release's own.
HELLO = "scaling_reaper"
#: Seconds that an attempt to connect may take, and between attempts.
_CONNECT, _PAUSE = 5.0, 1.0
#: Seconds of absence at least: a busy process may miss a single attempt.
_LEAST = 30.0
#: Seconds for which a machine that takes connections counts as there although nobody speaks: its process may be busy.
_BUSY = 600.0


async def watch(address: str, owner: str) -> None:
    """Hold a connection to the scheduler, and come back once it is lost.

    The kernel of the machine that the scheduler runs on answers for it: one that is busy, or holds the GIL, is there.

    Raises
    ------
    OSError
        There was no connection, or not to the release's own scheduler.
    """
    comm = await connect(address, timeout=_CONNECT, **Security().get_connection_args("client"))
    try:
        if await _answer(comm, owner) != "OK":
            raise StrangerError(f"Another scheduler is at {address}")
        with contextlib.suppress(OSError):
            while True:
                await comm.read()
    finally:
        comm.abort()


async def _answer(comm: Any, owner: str) -> Any:
    with contextlib.suppress(OSError):  # it knows no such request
        await comm.write({"op": HELLO, "owner": owner, "reply": True})
        return await comm.read()
    return None


class StrangerError(OSError):
    """Somebody else listens at the scheduler's address."""


async def absence(address: str, owner: str, limit: float, seen: float | None = None) -> None:
    """Come back once the scheduler was away for `limit` seconds, or since it was seen last."""
    seen = spoken = monotonic() if seen is None else seen
    while True:
        try:
            await watch(address, owner)
        except OSError as error:
            stranger = isinstance(error, StrangerError)
            if not stranger and monotonic() - spoken < _BUSY and await takes_connections(address, _CONNECT):
                seen = monotonic()
            elif monotonic() - seen >= limit:
                return
        else:
            seen = spoken = monotonic()
            logger.warning("reaper: lost the scheduler at %s", address)
        await asyncio.sleep(_PAUSE)


async def remove(settings: Settings, api: Api) -> None:
    """Delete the release's owner, and with it all that it owns, this pod included."""
    while True:
        try:
            await api.delete(settings.lifecycle.owner, settings.lifecycle.owner_uid)
        except ApiError as error:
            logger.warning("reaper: %s; again in %.0f s", error.strerror, _PAUSE)
        await asyncio.sleep(_PAUSE)


async def main(address: str, began: float | None = None, folder: Path = FOLDER) -> None:
    """Wait until the scheduler has gone for good, then remove the release."""
    settings = Settings.read((folder / "settings.json").read_text())
    limit = settings.lifecycle.no_client_timeout
    if limit is None or not settings.lifecycle.owner:
        raise SystemExit("reaper: the release has no owner, or no time after which it is to be removed")
    logger.info("reaper: watching the scheduler at %s", address)
    await absence(address, settings.lifecycle.owner_uid, max(limit, _LEAST), began)
    logger.warning("reaper: removing release %s: no scheduler for %g s", settings.release, limit)
    await remove(settings, Api(folder))

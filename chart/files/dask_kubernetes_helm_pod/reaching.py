"""Whether a process is there that says nothing.

The kernel of the machine that a process runs on takes connections for it: one that is busy, or holds the GIL, is there.
Belongs here: asking that. Never here: what follows from it.
"""

from __future__ import annotations

import asyncio
import contextlib

from distributed.comm.addressing import parse_host_port


async def takes_connections(address: str, timeout: float) -> bool:
    """Whether anything takes connections at a comm's address within so many seconds."""
    host, port = parse_host_port(address.partition("://")[2])
    return await accepts(host.strip("[]"), port, timeout)


async def accepts(host: str, port: int, timeout: float) -> bool:
    """Whether a connection can be made within so many seconds. Python asks this of a route to the scheduler as well."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except (OSError, asyncio.TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True

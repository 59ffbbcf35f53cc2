"""Whether a process is there that says nothing.

The kernel of the machine that a process runs on takes connections for it: one that is busy, or holds the GIL, is there.
Belongs here: asking that. Never here: what follows from it.
"""

from __future__ import annotations

import asyncio

from distributed.comm.addressing import parse_host_port


async def takes_connections(address: str, timeout: float) -> bool:
    """Whether anything takes connections at a comm's address within so many seconds."""
    host, port = parse_host_port(address.partition("://")[2])
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), port), timeout)
    except (OSError, asyncio.TimeoutError):
        return False
    writer.close()
    return True

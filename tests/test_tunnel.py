"""The local port: carries bytes, reconnects, and leaves nothing when it is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest

from dask_kubernetes_helm.connections.tunnel import Tunnel
from dask_kubernetes_helm.errors import KubernetesError, PortInUseError

from .fakes import Echo


async def test_bytes_come_and_go() -> None:
    """What is sent arrives, in order and whole, also when it is much."""
    tunnel = await Tunnel(_echo).start()
    reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
    data = bytes(range(256)) * 8192
    writer.write(data)
    assert data == await asyncio.wait_for(reader.readexactly(len(data)), 20)
    writer.close()
    await writer.wait_closed()
    await tunnel.close()


async def _echo() -> Echo:
    return Echo()


async def test_a_failed_stream_closes_only_its_connection() -> None:
    """When the pod is not there the connection ends, and the next one is tried anew on the same port."""
    streams: list[Echo | KubernetesError] = [KubernetesError("no pod"), Echo()]

    async def dial() -> Echo:
        stream = streams.pop(0)
        if isinstance(stream, KubernetesError):
            raise stream
        return stream

    tunnel = await Tunnel(dial).start()
    reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
    writer.write(b"again")
    assert await asyncio.wait_for(reader.readexactly(5), 10) == b"again"
    writer.close()
    await tunnel.close()


async def test_closing_ends_connections_and_streams() -> None:
    """After close nothing listens and every stream is closed."""
    stream = Echo()

    async def dial() -> Echo:
        return stream

    tunnel = await Tunnel(dial).start()
    reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
    writer.write(b"x")
    await asyncio.wait_for(reader.readexactly(1), 10)
    await tunnel.close()
    assert stream.closed
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(tunnel.host, tunnel.port)


async def test_a_taken_port_is_named() -> None:
    """A port that somebody else has is an error that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            await Tunnel(_echo, port).start()

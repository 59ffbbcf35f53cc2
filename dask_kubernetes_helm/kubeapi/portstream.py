"""A stream to a port of a pod; the framing half of the door to the Kubernetes API.

Belongs here: the websocket protocol of `portforward`. Never here: who listens locally (tunnel.py), or which pod.

Each message begins with a channel byte: 0 carries data, 1 errors of the kubelet. The first message on each channel
is the port's number. The protocol can't close one direction alone, so the end of either side ends the stream.

Source: https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp

from dask_kubernetes_helm.errors import KubernetesError

_DATA, _ERROR = 0, 1
#: Bytes that may wait to be sent; with less than a few messages the way out runs dry in between.
_BUFFER = 1 << 20
#: Seconds that the other side has to answer a closing.
_CLOSE_TIMEOUT = 2.0


class PortStream:
    """Bytes to and from one port of a pod.

    Parameters
    ----------
    websocket : aiohttp.ClientWebSocketResponse
        An open connection of the `portforward` subresource for one port.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self._websocket = websocket
        connection = websocket._response.connection  # noqa: SLF001 - the only way to its transport
        self._transport = connection.transport if connection else None
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=_BUFFER)
        self._greeted: set[int] = set()

    async def read(self) -> bytes:
        """The next bytes; empty at the end.

        Raises
        ------
        KubernetesError
            The kubelet could not reach the port.
        """
        async for message in self._websocket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            channel, payload = message.data[0], message.data[1:]
            if channel not in self._greeted:  # the port's number
                self._greeted.add(channel)
                continue
            if channel == _ERROR and payload:
                raise KubernetesError(f"The port of the pod does not answer: {payload.decode(errors='replace')}")
            if payload:
                return bytes(payload)
        return b""

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while the connection is congested."""
        await self._websocket.send_bytes(b"".join((b"\0", *parts)))

    async def close(self) -> None:
        """Close the stream once what was written is sent; harmless when it is closed already."""
        with contextlib.suppress(asyncio.TimeoutError, aiohttp.ClientError, OSError):
            await asyncio.wait_for(self._websocket.close(), _CLOSE_TIMEOUT)

    def abort(self) -> None:
        """End the stream at once, whatever is still on its way.

        One that was closed is no connection's any more, but its TLS may still wait for the server's answer.
        """
        if self._transport is not None:
            self._transport.abort()
        self._websocket._response.close()  # noqa: SLF001 - as above


def abort(response: aiohttp.ClientResponse) -> None:
    """End a response's connection at once.

    Closing it politely needs an answer of the server's TLS, which may come after the event loop has ended.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()

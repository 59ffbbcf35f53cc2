"""A stream to a port of a pod; the framing half of the door to the Kubernetes API.

Belongs here: the two protocols of `portforward` over a websocket. Never here: who listens locally (tunnel.py), or which
pod. Both are offered; the server takes the first that it knows.

Sources: https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
and https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import aiohttp

from dask_kubernetes_helm.errors import KubernetesError
from dask_kubernetes_helm.kubeapi import spdy

#: SPDY in a websocket, as kubectl does it (Kubernetes 1.30 and later); and channels in messages. With the second the
#: node takes what comes from here apart byte by byte, which takes most of the time of an upload.
TUNNEL, CHANNELS = "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"
_DATA_CHANNEL, _ERROR_CHANNEL = 0, 1
_ERROR_STREAM, _DATA_STREAM = 1, 3
#: Bytes that may wait to be sent; with less than a few messages the way out runs dry in between.
_BUFFER = 1 << 20
#: Seconds that the other side has to open a stream, and to answer a closing.
_OPEN_TIMEOUT, _CLOSE_TIMEOUT = 10.0, 2.0


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

    async def open(self, port: int) -> None:
        """Have the port reached; before anything else.

        Raises
        ------
        OSError, asyncio.TimeoutError
        """

    async def read(self) -> bytes:
        """The next bytes; empty at the end.

        Raises
        ------
        KubernetesError
            The kubelet could not reach the port.
        """
        raise NotImplementedError

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while the connection is congested."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the stream once what was written is sent; harmless when it is closed already."""
        with contextlib.suppress(asyncio.TimeoutError, aiohttp.ClientError, OSError, KubernetesError):
            await asyncio.wait_for(self._take_leave(), _CLOSE_TIMEOUT)

    def abort(self) -> None:
        """End the stream at once, whatever is still on its way.

        One that was closed is no connection's any more, but its TLS may still wait for the server's answer.
        """
        if self._transport is not None:
            self._transport.abort()
        self._websocket._response.close()  # noqa: SLF001 - as above

    async def _take_leave(self) -> None:
        await self._websocket.close()

    async def _message(self) -> bytes:
        """What the server sends next; empty at the end."""
        message = await self._websocket.receive()
        return bytes(message.data) if message.type is aiohttp.WSMsgType.BINARY else b""


class ChannelStream(PortStream):
    """A stream in messages that begin with a channel: 0 carries data, 1 errors of the kubelet.

    The first message on each channel is the port's number. It can't be closed in one direction alone, so the end of
    either side ends it.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        super().__init__(websocket)
        self._greeted: set[int] = set()

    async def read(self) -> bytes:
        """The next bytes; empty at the end; KubernetesError where the kubelet could not reach the port."""
        while message := await self._message():
            channel, payload = message[0], message[1:]
            if channel not in self._greeted:  # the port's number
                self._greeted.add(channel)
                continue
            if channel == _ERROR_CHANNEL and payload:
                raise _unanswered(payload)
            if payload:
                return payload
        return b""

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while the connection is congested."""
        await self._websocket.send_bytes(b"".join((b"\0", *parts)))


class TunnelStream(PortStream):
    """A stream of a SPDY connection that has no other, beside the one on which the kubelet tells errors.

    One connection could carry many streams, but as Kubernetes has SPDY, one that nobody reads holds all others up.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        super().__init__(websocket)
        self._frames = spdy.frames()
        self._arrived: list[bytes] = []
        self._replied, self._error = False, b""
        #: The streams that the server has not ended. It may end the data before it tells why.
        self._open = {_ERROR_STREAM, _DATA_STREAM}

    async def open(self, port: int) -> None:
        """Open the stream, and wait for that: what comes before the answer is lost."""
        opening, headers = spdy.Opening(), {"port": str(port), "requestid": "0"}
        await self._websocket.send_bytes(
            opening(_ERROR_STREAM, {**headers, "streamtype": "error"}, fin=True)
            + opening(_DATA_STREAM, {**headers, "streamtype": "data"})
        )
        await asyncio.wait_for(self._until_replied(), _OPEN_TIMEOUT)

    async def read(self) -> bytes:
        """The next bytes; empty at the end; KubernetesError where the kubelet could not reach the port."""
        while not self._arrived and _DATA_STREAM in self._open:
            await self._receive()
        if not self._arrived:
            await self._hear_why()
            return b""
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        return data

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while the connection is congested."""
        length = sum(len(part) for part in parts)
        if length > spdy.LONGEST:
            whole = b"".join(parts)
            for begin in range(0, length, spdy.LONGEST):
                await self.write(whole[begin : begin + spdy.LONGEST])
            return
        await self._websocket.send_bytes(b"".join((spdy.data_head(_DATA_STREAM, length), *parts)))

    async def _hear_why(self) -> None:
        """Raise what the kubelet has to say of the end, which may come after it."""
        with contextlib.suppress(asyncio.TimeoutError):
            while self._open and not self._error:
                await asyncio.wait_for(self._receive(), _CLOSE_TIMEOUT)
        self._open.clear()
        if self._error:
            raise _unanswered(self._error)

    async def _take_leave(self) -> None:
        if _DATA_STREAM in self._open:
            await self._websocket.send_bytes(spdy.data_head(_DATA_STREAM, 0, fin=True))
        while self._open:  # closed earlier, what is on its way would not arrive
            self._arrived.clear()
            await self._receive()
        await self._websocket.close()

    async def _until_replied(self) -> None:
        while not self._replied and not self._error:  # which the first read tells
            if _DATA_STREAM not in self._open:
                raise ConnectionResetError("the port-forward was refused")
            await self._receive()

    async def _receive(self) -> None:
        message = await self._message()
        if not message:
            self._open.clear()
        for kind, content, is_whole in self._frames.feed(message):
            for answer in self._understand(kind, content):
                await self._websocket.send_bytes(answer)
            if kind.fin and is_whole:
                self._open.discard(kind.word)

    def _understand(self, kind: spdy.Kind, content: bytes) -> Iterator[bytes]:
        """Take a frame in, and give what is to be answered."""
        if kind.word == _DATA_STREAM and content:
            self._arrived.append(content)
        elif kind.word == _ERROR_STREAM:
            self._error += content
        elif kind.word == spdy.SYN_REPLY:
            self._replied = self._replied or spdy.number(content) == _DATA_STREAM
        elif kind.word == spdy.PING:
            yield spdy.pong(content)
        elif kind.word == spdy.RST_STREAM:
            self._open.discard(spdy.number(content))
        elif kind.word == spdy.GOAWAY:
            self._open.clear()


def of(websocket: aiohttp.ClientWebSocketResponse[Any]) -> PortStream:
    """The stream in the protocol that the server has taken."""
    return TunnelStream(websocket) if websocket.protocol == TUNNEL else ChannelStream(websocket)


def _unanswered(said: bytes) -> KubernetesError:
    return KubernetesError(f"The port of the pod does not answer: {said.decode(errors='replace')}")


def abort(response: aiohttp.ClientResponse) -> None:
    """End a response's connection at once.

    Closing it politely needs an answer of the server's TLS, which may come after the event loop has ended.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()

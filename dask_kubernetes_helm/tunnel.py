"""A local port that leads to a port of a pod, whichever pod that is at the time.

Belongs here: listening and copying bytes. Never here: Kubernetes' framing (portstream.py), choosing the pod, or trying
again. It reconnects by design: the local port stays, and each new connection is led to the pod that is there then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from dask_kubernetes_helm.errors import HelmClusterError, PortInUseError

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_READ_SIZE = 1 << 18


class Stream(Protocol):
    """What a tunnel leads to."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send bytes."""

    async def close(self) -> None:
        """Close the stream once what was written is sent."""

    def abort(self) -> None:
        """End the stream at once."""


class Tunnel:
    """A listening local port.

    Parameters
    ----------
    dial : coroutine function
        Opens a stream to where the port leads.
    port : int
        The local port; 0 for any free one.
    """

    def __init__(self, dial: Callable[[], Awaitable[Stream]], port: int = 0) -> None:
        self._dial, self.host, self.port = dial, _HOST, port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> Tunnel:
        """Begin to listen.

        Raises
        ------
        PortInUseError
            When the local port is taken.
        """
        try:
            self._server = await asyncio.get_running_loop().create_server(self._local, _HOST, self.port)
        except OSError as error:
            raise PortInUseError(
                f"The local port {self.port} can't be used for the port-forward: {error.strerror}",
                cure="Choose another, or 0 for any free one "
                "(kubernetes.scheduler-forward-port, kubernetes.dashboard-forward-port).",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _local(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_Reader(), self._accept)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._carry(reader, writer)
        except (HelmClusterError, OSError, asyncio.TimeoutError) as error:
            logger.debug("port-forward connection ended: %s", error)
        except asyncio.CancelledError:
            pass  # close() is ending us; the stream server would log it as an error
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        stream = await _unless(reader.left, self._dial())
        if stream is None:
            return
        try:
            await _until_one_ends(_out(reader, stream), _in(stream, writer))
            await stream.close()
        finally:
            stream.abort()  # at close() the pod may be gone, and would never answer a polite closing


class _Reader(asyncio.StreamReader):
    """A reader that tells when the other side has left, though what it said was not read yet."""

    def __init__(self) -> None:
        super().__init__(limit=_READ_SIZE)
        self.left = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.left.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.left.set()


async def _unless(left: asyncio.Event, dialling: Awaitable[Stream]) -> Stream | None:
    """What is dialled; None where whoever it is for has left meanwhile."""
    dialled, gone = asyncio.ensure_future(dialling), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait((dialled, gone), return_when=asyncio.FIRST_COMPLETED)
        if dialled.done():
            return dialled.result()
    finally:
        for task in (dialled, gone):
            task.cancel()
        late, _ = await asyncio.gather(dialled, gone, return_exceptions=True)
    if not isinstance(late, BaseException):  # it came in the very moment
        late.abort()
    return None


async def _until_one_ends(*directions: Coroutine[Any, Any, None]) -> None:
    """Run all until one has ended, and end the others."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _out(reader: asyncio.StreamReader, stream: Stream) -> None:
    while data := await reader.read(_READ_SIZE):
        await stream.write(data)


async def _in(stream: Stream, writer: asyncio.StreamWriter) -> None:
    while data := await stream.read():
        writer.write(data)
        await writer.drain()

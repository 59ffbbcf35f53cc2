"""A local port that leads to a port of a pod, whichever pod that is at the time.

Belongs here: listening and copying bytes. Never here: Kubernetes' framing (portstream.py), choosing the pod, or trying
again. It reconnects by design: the local port stays, and each new connection is led to the pod that is there then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import HelmClusterError, PortInUseError

if TYPE_CHECKING:
    from dask_kubernetes_helm_pod.pipes import Pipe

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"


class Stream(Protocol):
    """What a tunnel leads to."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, *parts: bytes) -> None:
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
        pipe = contract.pod_module("pipes").Pipe
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: pipe(self._accept), _HOST, self.port)
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

    def _accept(self, local: Pipe) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(local))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, local: Pipe) -> None:
        try:
            await self._carry(local)
            local.close()
            await local.closed.wait()
        except (HelmClusterError, OSError, asyncio.TimeoutError) as error:
            logger.debug("port-forward connection ended: %s", error)
        finally:
            local.abort()

    async def _carry(self, local: Pipe) -> None:
        stream = await _unless(local.left, self._dial())
        if stream is None:
            return
        try:
            await contract.pod_module("pipes").until_one_ends(_lead(local, stream), _lead(stream, local))
            await stream.close()
        finally:
            stream.abort()  # at close() the pod may be gone, and would never answer a polite closing


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


async def _lead(source: Pipe | Stream, target: Pipe | Stream) -> None:
    while data := await source.read():
        await target.write(data)

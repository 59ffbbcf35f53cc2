"""A TCP connection read and written by coroutines, which hands on what arrives as it came.

asyncio's own streams make room for 256 KiB whenever something arrives, and copy each byte thrice. Belongs here: one
connection, and its two directions run together. Never here: where bytes go. Python's end of a port-forward uses it as
well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

#: Bytes that may wait to be read before the other side is slowed down.
_MOST = 1 << 19
#: Bytes that are taken at once: few enough for a processor's cache, and with the head of a lasting stream's frame twice
#: what a node takes at once, so that no message is left for the last few bytes.
_READ = (1 << 16) - 5


class Pipe(asyncio.BufferedProtocol):
    """A connection as something to read from and to write to.

    Parameters
    ----------
    made : callable
        Called with it once it is there.
    """

    def __init__(self, made: Callable[[Pipe], None] = lambda _: None) -> None:
        self._made = made
        #: Set once the other side writes no more, whatever is still to be read; and once the connection is over.
        self.left, self.closed = asyncio.Event(), asyncio.Event()
        self._buffer = memoryview(bytearray(_READ))
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = self._paused = False
        self._some, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._transport: Any = None

    @property
    def port(self) -> int:
        """Its own port."""
        return int(self._transport.get_extra_info("sockname")[1])

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self._waiting:
            if self._ended:
                return b""
            self._some.clear()
            await self._some.wait()
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def read_exactly(self, number: int) -> bytes:
        """So many bytes; a ConnectionError where there are no more."""
        came = b""
        while len(came) < number:
            if not (data := await self.read()):
                raise ConnectionError("the connection has ended")
            came += data
        if rest := came[number:]:
            self._waiting.appendleft(rest)
            self._size += len(rest)
        return came[:number]

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while it is congested."""
        if self._ended:
            raise ConnectionResetError("the connection has ended")
        self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
        await self._writable.wait()

    def close(self) -> None:
        """End it once what was written is sent."""
        self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    # What asyncio tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """It is there."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_MOST)
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Something has arrived."""
        self._waiting.append(bytes(self._buffer[:nbytes]))
        self._size += nbytes
        self._some.set()
        if self._size > _MOST and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The other side writes no more; what was written to it may still be on its way."""
        self._end()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        self._end()
        self._writable.set()
        self.closed.set()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """No more."""
        self._writable.set()

    def _end(self) -> None:
        self._ended = True
        self.left.set()
        self._some.set()


async def until_one_ends(*directions: Coroutine[Any, Any, None]) -> None:
    """Run all until one has ended, and end the others; raises what that one did."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

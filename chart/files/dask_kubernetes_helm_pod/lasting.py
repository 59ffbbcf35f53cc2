"""One end of a stream of bytes that outlives what carries it.

Each end keeps what the other has not acknowledged, and sends it again over the next carrier. Belongs here: an end,
which is the same on both sides. Never here: making carriers, or where the bytes go (relay.py, and Python's lasting.py).

A carrier begins with a greeting from each end: which stream it is, and how many bytes have arrived there so far. Frames
follow: a byte for the kind, four for the length, and so many bytes.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from time import monotonic
from typing import Protocol

from dask_kubernetes_helm_pod.framing import Frames, Head
from dask_kubernetes_helm_pod.pipes import until_one_ends

#: What a greeting says of the stream: it may be new; it must be known; it is not known (any more).
NEW, KNOWN, GONE = 0, 1, 2
_GREETING, _HEAD, _NUMBER = struct.Struct("!4sB16sQ"), struct.Struct("!BI"), struct.Struct("!Q")
_MAGIC = b"dkh1"
#: Bytes of a greeting.
GREETING = _GREETING.size
#: Kinds of frames: bytes; how many have arrived; a question for that; the end of this direction.
_DATA, _ACK, _PING, _END = range(4)
#: Bytes that may be on their way without being acknowledged, and after how many they are.
_WINDOW, _ACK_EVERY = 8 << 20, 1 << 21
#: Bytes that may wait to be read here.
_WAITING = 1 << 20


class Carrier(Protocol):
    """What carries a stream for a while."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while it is congested."""


def greeting(said: int, name: bytes, received: int) -> bytes:
    """What a carrier begins with.

    Examples
    --------
    >>> read_greeting(greeting(NEW, b"0123456789abcdef", 7))
    (0, b'0123456789abcdef', 7)
    """
    return _GREETING.pack(_MAGIC, said, name, received)


def read_greeting(data: bytes) -> tuple[int, bytes, int]:
    """What the other end says; a ConnectionError where that is no greeting."""
    magic, said, name, received = _GREETING.unpack(data)
    if magic != _MAGIC:
        raise ConnectionError("what answers there does not know lasting streams")
    return said, name, received


def _understand(head: bytes) -> Head[int]:
    kind, length = _HEAD.unpack(head)
    return Head(kind, length, streams=kind == _DATA)


class End:
    """One end of a stream.

    Attributes
    ----------
    received : int
        Bytes that have arrived here so far.
    heard : float
        When the other end was last heard of, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.received, self.heard = 0, monotonic()
        #: What was not acknowledged yet, from which byte on, and how many bytes that is.
        self._kept: deque[bytes] = deque()
        self._base = self._size = 0
        #: Which piece of these goes next over the present carrier.
        self._next = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_size = self._acknowledged = 0
        self._ended = self._other_ended = self._closed = self._asked = self._asking = False
        self._wake, self._room, self._filled, self._taken, self._sent = (asyncio.Event() for _ in range(5))

    # For whom the stream is -----------------------------------------------------------------------------

    async def read(self) -> bytes:
        """The next bytes; empty once the other end has ended, or this one was closed."""
        while not self._waiting:
            if self._other_ended or self._closed:
                return b""
            self._filled.clear()
            await self._filled.wait()
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_size = 0
        self._taken.set()
        return data

    async def write(self, data: bytes) -> None:
        """Have bytes sent, over this carrier or a later one; waits while too many are on their way."""
        while self._size >= _WINDOW and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise ConnectionResetError("the stream is closed")
        self._kept.append(data)
        self._size += len(data)
        self._wake.set()

    async def end(self, timeout: float) -> None:
        """Write no more; waits until all was sent, for so many seconds at most."""
        self._ended = True
        self._wake.set()
        try:
            await asyncio.wait_for(self._sent.wait(), timeout)
        except asyncio.TimeoutError:
            return

    def close(self) -> None:
        """Give the stream up."""
        self._closed = True
        for event in (self._room, self._filled, self._taken):
            event.set()

    @property
    def is_over(self) -> bool:
        """Whether no carrier is needed any more."""
        return self._closed or self._other_ended or self._sent.is_set()

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be read that no more is taken from the carrier, signs of life included."""
        return self._waiting_size > _WAITING

    # For whoever brings carriers ------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask the other end for a sign of life."""
        self._asking = True
        self._wake.set()

    async def carry(self, carrier: Carrier, arrived: int) -> None:
        """Go on over a carrier until that breaks, or the stream is over.

        Parameters
        ----------
        carrier : Carrier
            Both greetings have passed on it.
        arrived : int
            Bytes that have arrived at the other end so far.
        """
        if not self._base <= arrived <= self._base + self._size:
            raise ConnectionError("the two ends do not agree on what has arrived")
        self._acknowledge(arrived)
        if arrived > self._base:  # a part of what was sent at once
            self._kept[0] = self._kept[0][arrived - self._base :]
            self._size, self._base = self._size - (arrived - self._base), arrived
        self._next, self._acknowledged, self.heard = 0, self.received, monotonic()
        await until_one_ends(self._receive(carrier), self._send(carrier))

    def _acknowledge(self, arrived: int) -> None:
        """Forget what has arrived; what has in part is kept whole."""
        while self._kept and self._base + len(self._kept[0]) <= arrived:
            piece = self._kept.popleft()
            self._base, self._size, self._next = self._base + len(piece), self._size - len(piece), self._next - 1
        self._room.set()

    async def _send(self, carrier: Carrier) -> None:
        while True:
            if self._asked or self.received - self._acknowledged >= _ACK_EVERY:
                self._asked, self._acknowledged = False, self.received
                await carrier.write(_HEAD.pack(_ACK, _NUMBER.size) + _NUMBER.pack(self.received))
            elif self._asking:
                self._asking = False
                await carrier.write(_HEAD.pack(_PING, 0))
            elif self._next < len(self._kept):
                piece = self._kept[self._next]
                self._next += 1
                await carrier.write(_HEAD.pack(_DATA, len(piece)), piece)
            elif self._ended:
                await carrier.write(_HEAD.pack(_END, 0))
                self._sent.set()
                await asyncio.Event().wait()  # until the other end lets go of the carrier
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _receive(self, carrier: Carrier) -> None:
        frames = Frames(_HEAD.size, _understand)
        while data := await carrier.read():
            self.heard = monotonic()
            for kind, content, _ in frames.feed(data):
                if kind == _DATA:
                    self._take(content)
                elif kind == _ACK:
                    self._acknowledge(*_NUMBER.unpack(content))
                elif kind == _PING:
                    self._asked = True
                    self._wake.set()
                elif kind == _END:
                    self._other_ended = True
                    self._filled.set()
                    return
            if self.received - self._acknowledged >= _ACK_EVERY:
                self._wake.set()
            while self._waiting_size > _WAITING and not self._closed:
                self._taken.clear()
                await self._taken.wait()

    def _take(self, content: bytes) -> None:
        self._waiting.append(content)
        self._waiting_size += len(content)
        self.received += len(content)
        self._filled.set()

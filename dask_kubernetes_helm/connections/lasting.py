"""Streams to the scheduler that go on when their port-forward is cut; the client's end.

Belongs here: bringing one carrier after the other. Never here: how a stream outlives them, which both ends share (see
lasting.py in chart/files), or how a carrier is made (schedulerpod.py).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.tunnel import Stream
from dask_kubernetes_helm.errors import HelmClusterError, KubernetesError

if TYPE_CHECKING:
    from dask_kubernetes_helm_pod.lasting import End

#: Seconds without a word after which the other end is asked for a sign of life, and without one the carrier is dead.
_QUIET = 5.0
#: How many times it is asked: a loop that was held up may find the answer to the first one unread.
_QUESTIONS = 2
#: Seconds that a greeting may take, and the last words.
_GREETING, _CLOSING = 10.0, 2.0


Dial = Callable[[], Awaitable[Stream]]


class NoRelayError(Exception):
    """Nobody in the pod takes lasting streams."""


class LastingStream:
    """A stream to the scheduler over port-forwards, one after the other.

    Parameters
    ----------
    dial : coroutine function
        Opens a stream to the relay in the scheduler's pod, however long that takes; raises `NoRelayError` where the pod
        has none.
    again : coroutine function
        As `dial`, but gives up where the scheduler is gone, and what was under way with it.
    health : Health
        Is told of cuts.
    """

    def __init__(self, dial: Dial, again: Dial, health: Health) -> None:
        self._dial, self._again_by, self._health = dial, again, health
        self._wire: Any = contract.pod_module("lasting")
        self._end: End = self._wire.End()
        self._name = uuid.uuid4().bytes
        self._carrier: Stream | None = None
        self._carrying = False
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> LastingStream:
        """Make the first carrier, and keep one there from now on.

        Raises
        ------
        NoRelayError, HelmClusterError, OSError
        """
        try:
            carrier, arrived = await self._carried(self._dial, self._wire.NEW)
        except ConnectionRefusedError as error:
            raise NoRelayError from error
        self._tasks = [asyncio.create_task(self._live(carrier, arrived)), asyncio.create_task(self._watch())]
        return self

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        return await self._end.read()

    async def write(self, *parts: bytes) -> None:
        """Send bytes; waits while too many are on their way."""
        for part in parts:
            await self._end.write(part)

    async def close(self) -> None:
        """Close the stream once what was written is sent."""
        await self._end.end(_CLOSING)

    def abort(self) -> None:
        """End the stream at once."""
        self._end.close()
        for task in self._tasks:
            task.cancel()
        if self._carrier:
            self._carrier.abort()

    async def _carried(self, dial: Dial, said: int) -> tuple[_Rest, int]:
        """A carrier on which both greetings have passed, and how much has arrived at the other end."""
        stream = self._carrier = await dial()
        try:
            greeted = await asyncio.wait_for(self._greet(stream, said), _GREETING)
        except KubernetesError as error:  # the kubelet says that nobody listens
            stream.abort()
            raise ConnectionRefusedError(error.message) from error
        except BaseException:
            stream.abort()
            raise
        self._health.found()
        return greeted

    async def _greet(self, stream: Stream, said: int) -> tuple[_Rest, int]:
        await stream.write(self._wire.greeting(said, self._name, self._end.received))
        came = b""
        while len(came) < self._wire.GREETING:
            if not (data := await stream.read()):
                raise ConnectionError("the scheduler does not answer")
            came += data
        answer, _, arrived = self._wire.read_greeting(came[: self._wire.GREETING])
        if answer == self._wire.GONE:
            raise _GoneError
        return _Rest(stream, came[self._wire.GREETING :]), arrived

    async def _live(self, carrier: _Rest, arrived: int) -> None:
        """Go on over one carrier after the other, until the stream is over or the scheduler is another one."""
        try:
            while True:
                error: BaseException = ConnectionError("the port-forward was cut")
                try:
                    self._carrying = True
                    await self._end.carry(carrier, arrived)
                except (HelmClusterError, OSError) as reason:
                    error = reason
                finally:
                    self._carrying = False
                    carrier.abort()
                if self._end.is_over:
                    return
                self._health.lost(error)
                carrier, arrived = await self._again()
        except (_GoneError, NoRelayError, HelmClusterError):  # what was under way is lost with the old scheduler
            return
        finally:
            self._end.close()

    async def _again(self) -> tuple[_Rest, int]:
        """The next carrier, however long it takes."""
        while True:
            try:
                return await self._carried(self._again_by, self._wire.KNOWN)
            except ConnectionRefusedError as error:
                if "refused" in str(error):  # the relay ends only with its scheduler
                    raise _GoneError from error
                self._health.lost(error)
                await asyncio.sleep(_QUIET / 10)
            except (OSError, asyncio.TimeoutError) as error:
                self._health.lost(error)
                await asyncio.sleep(_QUIET / 10)

    async def _watch(self) -> None:
        """Notice a carrier that is dead without a word: one that was asked twice, in a loop that was not held up."""
        asked = 0
        while True:
            await asyncio.sleep(_QUIET)
            quiet = time.monotonic() - self._end.heard > _QUIET
            if not self._carrying or not quiet or self._end.is_full:
                asked = 0
            elif asked < _QUESTIONS:
                asked += 1
                self._end.ask()
            elif self._carrier:
                asked = 0
                self._carrier.abort()


class _GoneError(Exception):
    """The relay does not know the stream (any more)."""


class _Rest:
    """A stream of which some bytes were read already."""

    def __init__(self, stream: Stream, rest: bytes) -> None:
        self._stream, self._rest = stream, rest
        self.write, self.abort = stream.write, stream.abort

    async def read(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest or await self._stream.read()

"""The scheduler's end of clients' lasting streams: a connection to the scheduler stays while its port-forward is cut.

Dask's scheduler forgets what a client wants in the moment that the client's connection ends, and the client gives up
its futures, so a cut of a second would end a computation of hours. Belongs here: listening, and which stream a carrier
belongs to. Never here: how a stream outlives its carriers (lasting.py), or Dask: bytes pass as they are, encrypted.

It listens on the pod's loopback, where a port-forward comes out, in a thread of its own, as the scheduler may be busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from dask_kubernetes_helm_pod import lasting
from dask_kubernetes_helm_pod.pipes import Pipe

logger = logging.getLogger("distributed.scheduler.relay")

#: Seconds for which a stream waits for its next carrier; clients whose streams wait count as away meanwhile.
HOLD = 120.0
#: Seconds that a greeting may take, and the last words.
_PATIENCE, _LAST = 10.0, 1.0
_HOST = "127.0.0.1"


class _Stream:
    """One client's stream: a connection to the scheduler, and the carrier of the time."""

    def __init__(self, scheduler: Pipe, hold: float) -> None:
        self.end, self.port = lasting.End(), scheduler.port
        self.left: float | None = None
        self.carrier: Pipe | None = None
        #: Who has the carrier of the time; the next one takes its place.
        self.holder: asyncio.Task[None] | None = None
        self.one = asyncio.Lock()
        self._scheduler, self._hold = scheduler, hold

    async def live(self) -> None:
        """Lead bytes through until either side has ended."""
        ways = [asyncio.ensure_future(way) for way in (self._up(), self._down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not self.end.is_over:
                await self.end.end(self._hold)
            for connection in filter(None, (self._scheduler, self.carrier)):
                connection.close()
        except asyncio.CancelledError:
            self.close()
        finally:
            self.end.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def close(self) -> None:
        """End it on both sides, at once."""
        self.end.close()
        self._scheduler.abort()
        if self.carrier:
            self.carrier.abort()

    async def _up(self) -> None:
        while data := await self.end.read():
            await self._scheduler.write(data)

    async def _down(self) -> None:
        while data := await self._scheduler.read():
            await self.end.write(data)


class Relay:
    """Listens for carriers.

    Parameters
    ----------
    port : int
        Where; 0 for any free port.
    target : int
        The scheduler's own port.
    hold : float
        Seconds for which a stream waits for its next carrier.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, port: int, target: int, hold: float = HOLD) -> None:
        self._target, self._hold = target, hold
        self._streams: dict[bytes, _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server((_HOST, port))
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """End all streams, and listen no more."""
        assert self._ended
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_PATIENCE)

    def is_away(self, port: int) -> bool:
        """Whether a connection to the scheduler, from this port, is that of a client who is cut off just now."""
        return any(stream.port == port and stream.carrier is None for stream in list(self._streams.values()))

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await self._loop.create_server(lambda: Pipe(self._accept), sock=self._listener)
        self._ready.set()
        while not self._ended.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), min(self._hold, _PATIENCE) / 2)
            for stream in list(self._streams.values()):
                if stream.left and monotonic() - stream.left > self._hold:
                    stream.close()
        server.close()
        carried = [stream.end.end(_LAST) for stream in self._streams.values() if stream.carrier]
        await asyncio.gather(*carried)  # clients are told, rather than left to look for the next scheduler here
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # sockets close in the loop's next rounds

    def _keep(self, life: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _accept(self, carrier: Pipe) -> None:
        self._keep(self._welcome(carrier))

    async def _welcome(self, carrier: Pipe) -> None:
        try:
            greeting = await asyncio.wait_for(carrier.read_exactly(lasting.GREETING), _PATIENCE)
            said, name, arrived = lasting.read_greeting(greeting)
            stream = self._streams.get(name) or (await self._open(name) if said == lasting.NEW else None)
            if stream is None:
                await carrier.write(lasting.greeting(lasting.GONE, name, 0))
                carrier.close()
                await carrier.closed.wait()
            else:
                await self._carry(stream, name, carrier, arrived)
        except (OSError, asyncio.TimeoutError) as error:
            logger.debug("a carrier ended: %s", error)
        except asyncio.CancelledError:
            pass  # the next carrier is there, or the scheduler ends
        finally:
            carrier.abort()

    async def _open(self, name: bytes) -> _Stream:
        _, scheduler = await self._loop.create_connection(Pipe, _HOST, self._target)
        stream = self._streams[name] = _Stream(scheduler, self._hold)
        self._keep(stream.live()).add_done_callback(lambda _: self._streams.pop(name, None))
        return stream

    async def _carry(self, stream: _Stream, name: bytes, carrier: Pipe, arrived: int) -> None:
        if stream.holder:  # it is cut, though that may not have shown here
            stream.holder.cancel()
        async with stream.one:
            stream.holder, stream.carrier, stream.left = asyncio.current_task(), carrier, None
            try:
                await carrier.write(lasting.greeting(lasting.KNOWN, name, stream.end.received))
                await stream.end.carry(carrier, arrived)
            finally:
                stream.holder, stream.carrier, stream.left = None, None, monotonic()


def start(scheduler: Any) -> Relay | None:
    """Begin with a scheduler, where the chart says so; without a relay a stream ends with what carries it."""
    port = os.environ.get("DASKHELM_RELAY_PORT")
    if not port:
        return None
    try:
        relay = Relay(int(port), scheduler.port)
    except OSError as error:
        logger.warning("Clients' connections won't outlive cuts: nothing can listen on port %s: %s", port, error)
        return None
    relay.start()
    return relay

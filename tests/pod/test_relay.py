"""Lasting streams: what goes through them arrives once and in order, however often what carries them is cut."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from distributed import Scheduler

from dask_kubernetes_helm_pod import lasting, relay
from dask_kubernetes_helm_pod.pipes import Pipe

from .conftest import free_port, mounted, until

MEGABYTES = 32


class Far:
    """A server that stands for the scheduler: echoes, and notes who is there."""

    def __init__(self) -> None:
        self.peers = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers += 1
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        self.peers -= 1
        writer.close()
        await writer.wait_closed()


class Near:
    """A client's end, with a new carrier whenever the last one is cut."""

    def __init__(self, port: int) -> None:
        self.end, self.name, self._port = lasting.End(), uuid.uuid4().bytes, port
        self.carrier: Pipe | None = None
        self.carriers, self.said = 0, lasting.NEW

    async def greet(self, said: int = lasting.NEW) -> tuple[Pipe, int, int]:
        _, carrier = await asyncio.get_running_loop().create_connection(Pipe, "127.0.0.1", self._port)
        await carrier.write(lasting.greeting(said, self.name, self.end.received))
        answer, _, arrived = lasting.read_greeting(await carrier.read_exactly(lasting.GREETING))
        return carrier, answer, arrived

    async def live(self) -> None:
        while not self.end.is_over:
            self.carrier, self.said, arrived = await self.greet(lasting.KNOWN if self.carriers else lasting.NEW)
            if self.said == lasting.GONE:
                self.carrier.abort()
                return
            self.carriers += 1
            try:
                await self.end.carry(self.carrier, arrived)
            except OSError:
                pass
            finally:
                self.carrier.abort()


@pytest.fixture
async def far() -> AsyncIterator[tuple[Far, int]]:
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    yield far, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
def start(far: tuple[Far, int]) -> Iterator[Callable[..., relay.Relay]]:
    made: list[relay.Relay] = []

    def start(**options: Any) -> relay.Relay:
        made.append(relay.Relay(0, far[1], **options))
        made[-1].start()
        return made[-1]

    yield start
    for item in made:
        item.stop()


@asynccontextmanager
async def near(port: int) -> AsyncIterator[Near]:
    made = Near(port)
    life = asyncio.ensure_future(made.live())
    yield made
    made.end.close()
    if made.carrier:
        made.carrier.abort()
    await asyncio.wait_for(life, 10)


async def test_cuts_lose_nothing(far: tuple[Far, int], start: Callable[..., relay.Relay]) -> None:
    """Megabytes go there and back over a carrier that is cut again and again, in any direction and at any byte."""
    chance = random.Random(7)
    data = chance.randbytes(MEGABYTES << 20)
    async with near(start().port) as stream:

        async def cut() -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.005, 0.02))
                if stream.carrier:
                    stream.carrier.abort()

        async def write() -> None:
            for position in range(0, len(data), 100_000):
                await stream.end.write(data[position : position + 100_000])

        cutting, writing = asyncio.ensure_future(cut()), asyncio.ensure_future(write())
        came = bytearray()
        while len(came) < len(data):
            came += await asyncio.wait_for(stream.end.read(), 30)
        cutting.cancel()
        await writing
        assert came == data
        assert stream.carriers > 4
        assert far[0].peers == 1


async def test_the_end_reaches_the_scheduler(far: tuple[Far, int], start: Callable[..., relay.Relay]) -> None:
    """What a client has written before it ends arrives, and then the scheduler's connection ends."""
    async with near(start().port) as stream:
        await stream.end.write(b"x" * 100)
        assert await asyncio.wait_for(stream.end.read(), 10)
        await stream.end.end(10)
        await until(lambda: far[0].peers == 0)


async def test_a_client_that_does_not_come_back(far: tuple[Far, int], start: Callable[..., relay.Relay]) -> None:
    """A stream without a carrier is held for a while and then ended; who comes later is told that it is gone."""
    held = start(hold=0.5)
    lost = Near(held.port)
    carrier, said, _ = await lost.greet()
    assert said == lasting.KNOWN
    await until(lambda: far[0].peers == 1)
    carrier.abort()
    await until(lambda: far[0].peers == 0)
    carrier, said, _ = await lost.greet(lasting.KNOWN)
    assert said == lasting.GONE
    carrier.abort()


async def test_a_new_carrier_before_the_old_one_is_known_to_be_cut(start: Callable[..., relay.Relay]) -> None:
    """A connection may be dead without a word: the next carrier takes its place at once, and nothing comes twice."""
    stream = Near(start().port)
    dead, _, arrived = await stream.greet()
    await stream.end.write(b"1234567890")
    carrying = asyncio.ensure_future(stream.end.carry(dead, arrived))
    assert await asyncio.wait_for(stream.end.read(), 10) == b"1234567890"
    carrying.cancel()
    await asyncio.wait([carrying])
    life = asyncio.ensure_future(stream.live())
    await stream.end.write(b"more")
    assert await asyncio.wait_for(stream.end.read(), 10) == b"more"
    dead.abort()
    stream.end.close()
    assert stream.carrier
    stream.carrier.abort()
    await asyncio.wait_for(life, 10)


async def test_signs_of_life(start: Callable[..., relay.Relay]) -> None:
    """Who is asked for a sign of life gives one, also where nothing else is said."""
    async with near(start().port) as stream:
        await until(lambda: stream.carriers == 1)
        before = stream.end.heard
        stream.end.ask()
        await until(lambda: stream.end.heard > before)


async def test_a_stranger_is_let_go(far: tuple[Far, int], start: Callable[..., relay.Relay]) -> None:
    """Something else than a greeting ends its connection, and nothing else."""
    reader, writer = await asyncio.open_connection("127.0.0.1", start().port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert far[0].peers == 0


@pytest.fixture
async def relayed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scheduler]:
    """A scheduler as the chart starts one, with its relay."""
    monkeypatch.setenv("DASKHELM_RELAY_PORT", str(free_port()))
    options = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(preload=[mounted("scheduler", tmp_path)], **options) as running:
        yield running


async def test_a_client_that_is_cut_off_counts_as_away(relayed: Scheduler) -> None:
    """A stream that waits for its next carrier is known by the port that the scheduler sees, while it waits."""
    stream = Near(relayed.relay.port)
    life = asyncio.ensure_future(stream.live())
    await until(lambda: stream.carriers == 1)
    port = next(iter(relayed.relay._streams.values())).port
    assert not relayed.relay.is_away(port)
    life.cancel()
    await asyncio.wait([life])
    await until(lambda: bool(relayed.relay.is_away(port)))

"""A client's computation goes on while its port-forward is cut; a scheduler that restarts is another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from distributed import Client, Scheduler, Worker

from dask_kubernetes_helm.connections import lasting, redialing
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.lasting import LastingStream, NoRelayError
from dask_kubernetes_helm.connections.redialing import Redialer
from dask_kubernetes_helm.connections.tunnel import Stream, Tunnel
from dask_kubernetes_helm.errors import (
    ApiUnreachableError,
    ForbiddenError,
    KubernetesError,
    SchedulerUnreachableError,
)
from dask_kubernetes_helm_pod import agent, relay
from dask_kubernetes_helm_pod.pipes import Pipe
from tests.pod.conftest import LOCAL, until

from .fakes import Echo

CUTS, TASKS = 10, 400


class Wires:
    """Port-forwards that are plain connections, which can be cut, refused, or fall silent."""

    def __init__(self, port: int) -> None:
        self.port, self.open, self.made = port, [], 0
        self.error: Exception | None = None
        #: What the kubelet says on the next wires.
        self.refusal: Exception | None = None

    async def dial(self) -> Stream:
        if self.error:
            raise self.error
        _, wire = await asyncio.get_running_loop().create_connection(_Wire, "127.0.0.1", self.port)
        self.made += 1
        wire.refusal = self.refusal
        self.open.append(wire)
        return wire

    def cut(self) -> None:
        for wire in self.open:
            wire.abort()
        self.open.clear()


class _Wire(Pipe):
    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self.refusal: Exception | None = None

    async def read(self) -> bytes:
        if self.refusal:
            raise self.refusal
        data = await super().read()
        return await asyncio.Event().wait() if self.silent else data  # type: ignore[return-value]

    async def close(self) -> None:  # type: ignore[override]
        self.abort()


@asynccontextmanager
async def relayed(scheduler: Scheduler) -> AsyncIterator[relay.Relay]:
    made = relay.Relay(0, scheduler.port)
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def tunnelled(dial: Callable[[], Awaitable[Stream]], health: Health) -> AsyncIterator[str]:
    first, again = Redialer(dial, health), Redialer(dial, health, (SchedulerUnreachableError,))
    tunnel = await Tunnel(lambda: LastingStream(first, again, health).open()).start()
    yield f"tcp://{tunnel.host}:{tunnel.port}"
    await tunnel.close()


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as made:
        yield made


def slowly(number: int) -> int:
    import time

    time.sleep(0.005)
    return number * number


async def test_a_computation_outlives_cuts(scheduler: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    """Ten cuts in the middle of a computation: each task runs once, the result is right, the client never knew."""
    caplog.set_level(logging.WARNING)
    async with Worker(scheduler.address, nthreads=2, **LOCAL), relayed(scheduler) as far:
        wires, health = Wires(far.port), Health()
        async with (
            tunnelled(wires.dial, health) as address,
            Client(address, asynchronous=True) as client,
        ):
            futures = client.map(slowly, range(TASKS), pure=False)
            total = client.submit(sum, futures)
            for number in range(CUTS):
                await asyncio.sleep(0.05)
                wires.cut()
                await until(lambda: bool(wires.open) and health.state == "open")
                assert health.reconnections >= number
            assert await asyncio.wait_for(total.result(), 30) == sum(number * number for number in range(TASKS))
            assert scheduler._client_connections_added_total == 1
            assert health.reconnections >= CUTS
            assert health.error
    said = [record.message for record in caplog.records if record.name.startswith("dask_kubernetes_helm")]
    assert sum("is cut" in line for line in said) == sum("there again" in line for line in said)


async def test_an_api_that_is_away_is_awaited(scheduler: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    """While nothing can be dialled the state tells it, the log does so once, and it heals within seconds."""
    caplog.set_level(logging.WARNING)
    async with Worker(scheduler.address, nthreads=1, **LOCAL), relayed(scheduler) as far:
        wires, health = Wires(far.port), Health()
        async with (
            tunnelled(wires.dial, health) as address,
            Client(address, asynchronous=True) as client,
        ):
            wires.error = ApiUnreachableError("No Kubernetes API answers at https://192.0.2.1")
            wires.cut()
            future = client.submit(slowly, 3)
            await until(lambda: health.error.startswith("No Kubernetes API"))
            assert health.state == "reconnecting"
            assert "Kubernetes API unreachable since" in str(health)
            await asyncio.sleep(0.5)
            wires.error = None
            assert await asyncio.wait_for(future.result(), 20) == 9
            assert health.state == "open"
    assert [record.message for record in caplog.records if "is cut" in record.message].__len__() == 1


async def test_a_client_that_is_cut_off_counts_as_away(scheduler: Scheduler) -> None:
    """The agent takes a client for gone while its connection is only kept for it, and for there once it is back."""
    async with relayed(scheduler) as far:
        scheduler.relay = far
        asked = SimpleNamespace(_scheduler=scheduler)
        wires, health = Wires(far.port), Health()
        async with (
            tunnelled(wires.dial, health) as address,
            Client(address, asynchronous=True) as client,
        ):
            assert not agent.Agent._is_away(asked, client.id)  # type: ignore[arg-type]
            wires.error = ApiUnreachableError("away")
            wires.cut()
            await until(lambda: agent.Agent._is_away(asked, client.id))  # type: ignore[arg-type]
            wires.error = None
            await until(lambda: not agent.Agent._is_away(asked, client.id))  # type: ignore[arg-type]


async def test_a_wire_that_dies_without_a_word(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port-forward on which nothing comes any more, though it is open, is given up for a new one."""
    monkeypatch.setattr(lasting, "_QUIET", 0.1)
    async with Worker(scheduler.address, nthreads=1, **LOCAL), relayed(scheduler) as far:
        wires, health = Wires(far.port), Health()
        async with (
            tunnelled(wires.dial, health) as address,
            Client(address, asynchronous=True) as client,
        ):
            for wire in wires.open:
                wire.silent = True
            assert await asyncio.wait_for(client.submit(slowly, 3).result(), 20) == 9
            assert health.reconnections


async def test_who_does_not_read_is_not_cut_off(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where so much waits to be read that no sign of life can come through, the carrier is not taken for dead."""
    monkeypatch.setattr(lasting, "_QUIET", 0.05)
    aborted: list[str] = []
    stream = LastingStream(None, None, Health())  # type: ignore[arg-type]
    stream._carrying, stream._carrier = True, SimpleNamespace(abort=lambda: aborted.append("it"))  # type: ignore[assignment]
    stream._end._waiting_size = 1 << 30
    watching = asyncio.ensure_future(stream._watch())
    await asyncio.sleep(0.5)
    assert aborted == []
    stream._end._waiting_size = 0
    await until(lambda: bool(aborted))
    watching.cancel()


async def test_another_scheduler(scheduler: Scheduler) -> None:
    """A relay that does not know the stream means a new scheduler: the local connection ends, for Dask to notice."""
    wires, health = Wires(0), Health()
    async with tunnelled(wires.dial, health) as address:
        async with relayed(scheduler) as far:
            wires.port = far.port
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            assert await asyncio.wait_for(reader.read(1), 10)
        async with relayed(scheduler) as far:
            wires.port = far.port
            while await asyncio.wait_for(reader.read(1 << 16), 10):
                pass
            writer.close()
            await writer.wait_closed()


async def test_a_scheduler_that_is_gone(scheduler: Scheduler) -> None:
    """Where there is no scheduler any more the local connection ends, rather than wait for what can't come back."""
    wires, health = Wires(0), Health()
    async with tunnelled(wires.dial, health) as address, relayed(scheduler) as far:
        wires.port = far.port
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        assert await asyncio.wait_for(reader.read(1), 10)
        wires.error = SchedulerUnreachableError("The scheduler has no running pod")
        wires.cut()
        while await asyncio.wait_for(reader.read(1 << 16), 10):
            pass
        assert health.error == "The scheduler has no running pod"
        writer.close()
        await writer.wait_closed()


async def test_a_scheduler_that_has_ended_in_its_pod(scheduler: Scheduler) -> None:
    """Where the pod is there but its relay is not, the scheduler's process has ended: Dask is told at once."""
    refused = KubernetesError("failed to connect to localhost:8783: dial tcp4: connect: connection refused")
    wires, health = Wires(0), Health()
    async with tunnelled(wires.dial, health) as address, relayed(scheduler) as far:
        wires.port = far.port
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        assert await asyncio.wait_for(reader.read(1), 10)
        wires.refusal = refused
        wires.cut()
        while await asyncio.wait_for(reader.read(1 << 16), 10):
            pass
        writer.close()
        await writer.wait_closed()


async def test_a_pod_without_a_relay() -> None:
    """Where nobody listens for lasting streams that is told at once, so that a plain one can be opened."""

    class Refused:
        async def read(self) -> bytes:
            raise KubernetesError("connection refused")

        async def write(self, data: bytes) -> None:
            pass

        def abort(self) -> None:
            pass

    async def dial() -> Refused:
        return Refused()

    with pytest.raises(NoRelayError):
        await LastingStream(dial, dial, Health()).open()  # type: ignore[arg-type]


async def test_what_waiting_would_not_change() -> None:
    """A right that is missing is told at once rather than asked for again and again."""
    asked = 0

    async def dial() -> Stream:
        nonlocal asked
        asked += 1
        raise ForbiddenError("These credentials may not get pods/portforward")

    with pytest.raises(ForbiddenError):
        await Redialer(dial, Health())()
    assert asked == 1


async def test_a_refusal_of_what_was_allowed_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that has just begun refuses for a moment what it has allowed before; one that goes on is told."""
    refusals = 0

    async def dial() -> Echo:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise ForbiddenError("These credentials may not get pods/portforward")
        return Echo()

    redialer = Redialer(dial, Health())
    await redialer()
    refusals = 2
    assert await asyncio.wait_for(redialer(), 20)
    assert refusals == 0
    refusals = 2
    assert await asyncio.wait_for(Redialer(dial, Health(), allowed=True)(), 20)
    monkeypatch.setattr(redialing, "_REFUSAL", 0.0)
    refusals = 2
    with pytest.raises(ForbiddenError):
        await redialer()


async def test_attempts_are_shared() -> None:
    """Twenty who wait for a server that is away make no more attempts than one does."""
    asked, there, stream = 0, False, Echo()

    async def dial() -> Echo:
        nonlocal asked
        asked += 1
        if not there:
            raise ApiUnreachableError("away")
        return stream

    redialer = Redialer(dial, Health())
    waiting = [asyncio.ensure_future(redialer()) for _ in range(20)]
    await until(lambda: asked > 21)
    await asyncio.sleep(0.5)
    assert asked < 20 + 10
    there = True
    assert await asyncio.wait_for(asyncio.gather(*waiting), 60) == [stream] * 20

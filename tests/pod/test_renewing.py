"""Certificates that are renewed while processes run: connections stay, and whoever is out of date gets none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Nanny, Scheduler, Worker
from distributed.security import Security

from dask_kubernetes_helm_pod import renewing
from tests.authorities import Authority, held, security, write

from .conftest import LOCAL, until

#: In a moment's time, for certificates of another authority.
SPREAD = 100.0


class Running:
    """A scheduler and a worker over TLS, by the same mounted files."""

    def __init__(self, folder: Path, scheduler: Scheduler, worker: Worker) -> None:
        self.folder, self.scheduler, self.worker = folder, scheduler, worker
        servers = ((scheduler, "scheduler"), (worker, "worker"))
        self.renewals = [renewing.Renewal(server, role) for server, role in servers]

    def look(self, now: float) -> list[bool]:
        return [renewal.look(now) for renewal in self.renewals]

    async def computes(self, security: Security) -> None:
        """A client of its own gets a connection, and a result from the worker."""
        async with Client(self.scheduler.address, security=security, asynchronous=True) as client:
            assert await client.submit(lambda: 3, pure=False) == 3

    async def refuses(self, security: Security) -> None:
        with pytest.raises(OSError):
            await Client(self.scheduler.address, security=security, asynchronous=True, timeout=1)


@pytest.fixture
def first() -> Authority:
    """The authority to begin with."""
    return Authority("first")


@pytest.fixture
async def running(tmp_path: Path, first: Authority, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """What runs when certificates are renewed."""
    monkeypatch.setattr(renewing, "_SPREAD", SPREAD)
    write(tmp_path, first.text, first.certificate())
    async with AsyncExitStack() as stack:
        told: dict[str, Any] = {"protocol": "tls://", "security": security(tmp_path)}
        scheduler = await stack.enter_async_context(Scheduler(port=0, **told, **LOCAL))
        worker = await stack.enter_async_context(Worker(scheduler.address, nthreads=1, **told, **LOCAL))
        yield Running(tmp_path, scheduler, worker)


async def _shown(address: str) -> bytes:
    """The certificate that a listener shows to whoever knocks."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = address.removeprefix("tls://").rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(shown)


async def test_nothing_new(running: Running) -> None:
    """As long as the files are what they were, nothing is touched."""
    before = running.scheduler.connection_args["ssl_context"]
    assert running.look(0) == running.look(1e6) == [False, False]
    assert running.scheduler.connection_args["ssl_context"] is before


async def test_another_certificate(running: Running, first: Authority) -> None:
    """By the same authority it is shown at once, by all listeners; connections that are there stay, and their tasks."""
    mine = held(first.text, first.certificate())
    servers = (running.scheduler, running.worker)
    async with Client(running.scheduler.address, security=mine, asynchronous=True) as client:
        gate = asyncio.Event()
        before = [await _shown(server.address) for server in servers]
        running.worker.gate = gate

        async def task(dask_worker: Worker) -> int:
            await dask_worker.gate.wait()
            return 7

        waiting = asyncio.ensure_future(client.run(task))
        comms = set(running.scheduler._comms)
        write(running.folder, first.text, first.certificate())
        assert running.look(0) == [True, True]
        after = [await _shown(server.address) for server in servers]
        assert not set(before) & set(after)
        gate.set()
        assert list((await waiting).values()) == [7]
        assert comms <= set(running.scheduler._comms)
        await running.computes(mine)


async def test_another_authority(running: Running, first: Authority) -> None:
    """It is trusted at once and shown once all pods trust it; the one before is trusted as long as the file has it."""
    second = Authority("second")
    old, new = held(first.text, first.certificate()), held(second.text + first.text, second.certificate())
    write(running.folder, second.text + first.text, second.certificate())
    before = await _shown(running.scheduler.address)
    await running.refuses(new)
    assert running.look(0) == running.look(SPREAD - 1) == [False, False]
    assert await _shown(running.scheduler.address) == before
    await running.computes(old)
    await running.computes(new)
    assert running.look(SPREAD) == [True, True]
    assert await _shown(running.scheduler.address) != before
    await running.computes(new)
    await running.computes(held(second.text, first.certificate()))
    write(running.folder, second.text, second.certificate())
    assert running.look(SPREAD + 1) == [False, False]
    assert running.look(3 * SPREAD) == [True, True]
    await running.refuses(held(second.text, first.certificate()))
    await running.computes(new)


async def test_half_of_the_files(running: Running, first: Authority) -> None:
    """A key that does not go with the certificate is not used; both are once they are there."""
    certificate, key = first.certificate()
    before = await _shown(running.scheduler.address)
    (running.folder / "tls.crt").write_text(certificate)
    assert running.look(0) == [False, False]
    (running.folder / "ca.crt").rename(running.folder / "gone")
    assert running.look(0) == [False, False]
    assert await _shown(running.scheduler.address) == before
    (running.folder / "gone").rename(running.folder / "ca.crt")
    (running.folder / "tls.key").write_text(key)
    assert running.look(0) == [True, True]


async def test_clients_of_tasks(running: Running, first: Authority) -> None:
    """A client that a task has made in the worker's process is renewed with it, anybody else's is not."""
    theirs = held(first.text, first.certificate())
    address = running.scheduler.address
    async with (
        Client(address, security=security(running.folder), asynchronous=True) as of_task,
        Client(address, security=theirs, asynchronous=True) as other,
    ):
        contexts = [client.connection_args["ssl_context"] for client in (of_task, other)]
        write(running.folder, first.text, first.certificate())
        running.look(0)
        assert of_task.connection_args["ssl_context"] is running.renewals[1]._server.connection_args["ssl_context"]
        assert other.connection_args["ssl_context"] is contexts[1]
        assert of_task.connection_args["ssl_context"] is not contexts[0]


async def test_the_nanny_too(tmp_path: Path, first: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nanny listens and connects by itself; it looks without being asked."""
    monkeypatch.setattr(renewing, "_LOOK", 0.01)
    write(tmp_path, first.text, first.certificate())
    told: dict[str, Any] = {"protocol": "tls://", "security": security(tmp_path)}
    async with (
        Scheduler(port=0, **told, **LOCAL) as scheduler,
        Nanny(scheduler.address, nthreads=1, host="127.0.0.1", dashboard_address=None, **told) as nanny,
    ):
        renewing.start(nanny, "worker")
        before = nanny.connection_args["ssl_context"]
        write(tmp_path, first.text, first.certificate())
        await until(lambda: nanny.connection_args["ssl_context"] is not before)
        nanny.renewing.cancel()
        await nanny.kill(timeout=5, reason="test")


async def test_without_files() -> None:
    """Where comms are not encrypted, or by texts, there is nothing to renew."""
    async with Scheduler(port=0, protocol="tcp://", **LOCAL) as scheduler:
        assert not renewing.Renewal(scheduler, "scheduler").is_possible
    async with Scheduler(port=0, protocol="tls://", security=Security.temporary(), **LOCAL) as scheduler:
        renewing.start(scheduler, "scheduler")
        assert not hasattr(scheduler, "renewing")

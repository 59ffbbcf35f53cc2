"""The reaper, on a scheduler of this process that comes and goes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import dask.config
import pytest
from distributed import Scheduler
from distributed.security import Security

from dask_kubernetes_helm_pod import reaper
from dask_kubernetes_helm_pod.api import ApiError
from dask_kubernetes_helm_pod.settings import Settings

from .conftest import LOCAL, free_port, until

LIMIT = 0.6
#: More than any of this takes on a busy machine.
LONG = 20
UID = "11111111-2222-3333-4444-555555555555"
OWNER = {"name": "mine", "uid": UID}


class FakeApi:
    """An owner that may be deleted, though not at once."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.asked: list[tuple[str, str]] = []

    async def delete(self, owner: str, uid: str) -> None:
        self.asked.append((owner, uid))
        if len(self.asked) <= self.failing:
            raise ApiError(503, "the server is in trouble")


class Host:
    """A port at which a scheduler may be."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack, self.port, self.greeted = stack, free_port(), 0
        self.scheduler: Scheduler | None = None

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def greet(self, owner: str) -> str:
        self.greeted += 1
        return "OK" if owner == UID else "not yours"

    async def start(self, *, polite: bool = True) -> Scheduler:
        self.scheduler = await self._stack.enter_async_context(Scheduler(port=self.port, **LOCAL))
        if polite:
            self.scheduler.handlers[reaper.HELLO] = self.greet
        return self.scheduler

    async def end(self) -> None:
        assert self.scheduler is not None
        await self.scheduler.close()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "_PAUSE", 0.05)
    monkeypatch.setattr(reaper, "_CONNECT", 1.0)
    monkeypatch.setattr(reaper, "_LEAST", 0.0)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with AsyncExitStack() as stack:
        yield Host(stack)


@pytest.fixture
async def begin() -> AsyncIterator[Callable[..., asyncio.Task[Any]]]:
    """Runs coroutines beside the test, and ends them with it."""
    tasks: list[asyncio.Task[Any]] = []

    def run(coroutine: Any) -> asyncio.Task[Any]:
        tasks.append(asyncio.create_task(coroutine))
        return tasks[-1]

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def lasts(task: asyncio.Task[Any], seconds: float) -> bool:
    """Whether a task is still at it after so many seconds."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return not done


async def test_a_scheduler_that_is_there(host: Host, begin: Any) -> None:
    """As long as the scheduler is there nothing follows, however long that is; it hears of the reaper once."""
    await host.start()
    task = begin(reaper.absence(host.address, UID, LIMIT))
    assert await lasts(task, LIMIT * 2)
    assert host.greeted == 1


async def test_a_scheduler_that_has_gone(host: Host, begin: Any) -> None:
    """Once the scheduler is lost the whole time has to pass, and then it comes back."""
    await host.start()
    task = begin(reaper.absence(host.address, UID, LIMIT))
    await until(lambda: host.greeted == 1)
    await host.end()
    lost = monotonic()
    await asyncio.wait_for(task, LONG)
    # The connection may be lost while the scheduler is still ending.
    assert monotonic() - lost > LIMIT / 2


async def test_a_scheduler_that_comes_back(host: Host, begin: Any) -> None:
    """One that is there again in time is greeted again, and the time begins anew with its next loss."""
    await host.start()
    task = begin(reaper.absence(host.address, UID, 3))
    await until(lambda: host.greeted == 1)
    for times in (2, 3):
        await host.end()
        await host.start()
        await until(lambda times=times: host.greeted == times)  # type: ignore[misc]
        assert not task.done()
    assert await lasts(task, 3.5)
    await host.end()
    await asyncio.wait_for(task, LONG)


async def test_a_scheduler_that_never_was() -> None:
    """Without any scheduler from the start the time counts from the start."""
    started = monotonic()
    await asyncio.wait_for(reaper.absence(f"tcp://127.0.0.1:{free_port()}", UID, LIMIT), LONG)
    assert monotonic() - started >= LIMIT


async def test_a_time_that_began_before() -> None:
    """What had passed before it could look counts, so that a start that takes long delays nothing."""
    started = monotonic()
    absence = reaper.absence(f"tcp://127.0.0.1:{free_port()}", UID, LONG * 2, started - LONG * 2 + LIMIT)
    await asyncio.wait_for(absence, LONG)
    assert monotonic() - started >= LIMIT


async def test_nobody_is_absent_before_a_look(host: Host, begin: Any) -> None:
    """A time that is over before the first look, as Dask's import takes longer, ends no scheduler that is there."""
    await host.start()
    task = begin(reaper.absence(host.address, UID, LIMIT, monotonic() - LIMIT * 2))
    assert await lasts(task, LIMIT * 2)
    assert host.greeted == 1


async def test_a_scheduler_that_starts_late(host: Host, begin: Any) -> None:
    """The reaper may be there before the scheduler listens."""
    task = begin(reaper.absence(host.address, UID, LONG))
    assert await lasts(task, 0.2)
    await host.start()
    await until(lambda: host.greeted == 1)
    assert not task.done()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_process_that_is_busy(host: Host, begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes connections counts as there for a while, though no scheduler speaks; not for ever."""
    monkeypatch.setattr(reaper, "_BUSY", 2.0)
    server = await asyncio.start_server(_hang_up, "127.0.0.1", host.port)
    try:
        task = begin(reaper.absence(host.address, UID, 0.3))
        assert await lasts(task, 1.5)
        await asyncio.wait_for(task, LONG)
    finally:
        server.close()


@pytest.mark.parametrize("polite", [True, False])
async def test_another_scheduler_at_the_address(host: Host, polite: bool) -> None:
    """A scheduler of somebody else, such as the same notebook's next, counts as nobody."""
    await host.start(polite=polite)
    await asyncio.wait_for(reaper.absence(host.address, "another", LIMIT), LONG)
    assert host.greeted > 0 or not polite


async def test_watching_tells_of_a_loss(host: Host, begin: Any) -> None:
    """watch() comes back when the connection is lost, and says where there was none at all."""
    await host.start()
    task = begin(reaper.watch(host.address, UID))
    await until(lambda: host.greeted == 1)
    await host.end()
    assert await asyncio.wait_for(task, LONG) is None
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await asyncio.wait_for(reaper.watch(host.address, UID), LONG)


async def test_watching_leaves_no_connection(host: Host, begin: Any) -> None:
    """A watch that is given up closes its connection."""
    scheduler = await host.start()
    task = begin(reaper.watch(host.address, UID))
    await until(lambda: host.greeted == 1)
    assert len(scheduler._comms) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: not scheduler._comms)


async def test_certificates(host: Host, tmp_path: Path, begin: Any) -> None:
    """With certificates in Dask's configuration, where the chart has them, it reaches an encrypted scheduler."""
    pytest.importorskip("cryptography")
    security = Security.temporary()
    texts = {
        "ca-file": security.tls_ca_file,
        "client.cert": security.tls_client_cert,
        "client.key": security.tls_client_key,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    told = {"require-encryption": True, **{f"tls.{name}": str(tmp_path / name) for name in texts}}
    async with Scheduler(protocol="tls://", security=security, port=0, **LOCAL) as scheduler:
        scheduler.handlers[reaper.HELLO] = host.greet
        with dask.config.set({f"distributed.comm.{key}": value for key, value in told.items()}):
            begin(reaper.absence(scheduler.address, UID, LONG))
            await until(lambda: host.greeted == 1)


# Removing -----------------------------------------------------------------------------------------------


def _settings(**lifecycle: Any) -> str:
    return json.dumps({"release": "demo", "groups": {}, "lifecycle": lifecycle})


async def test_removing_repeats(begin: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The owner is deleted by name and uid, again and again until this pod goes with it; a refusal is told."""
    api = FakeApi(failing=2)
    settings = Settings.read(_settings(owner=OWNER))
    with caplog.at_level(logging.WARNING, "distributed"):
        task = begin(reaper.remove(settings, api))
        await until(lambda: len(api.asked) >= 4)
    assert not task.done()
    assert set(api.asked) == {(OWNER["name"], OWNER["uid"])}
    assert caplog.text.count("the server is in trouble") == 2


async def test_main(host: Host, tmp_path: Path, begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed while the scheduler is there; once it has gone for the settings' time the owner is."""
    api, folders = FakeApi(), []
    monkeypatch.setattr(reaper, "Api", lambda folder: folders.append(folder) or api)
    (tmp_path / "settings.json").write_text(_settings(owner=OWNER, noClientTimeout="600 ms"))
    await host.start()
    task = begin(reaper.main(host.address, folder=tmp_path))
    assert await lasts(task, 1.2)
    assert api.asked == []
    await host.end()
    await until(lambda: bool(api.asked), LONG)
    assert api.asked[0] == (OWNER["name"], OWNER["uid"])
    assert folders == [tmp_path]


@pytest.mark.parametrize(
    "lifecycle",
    [
        {},
        {"owner": OWNER},
        {"noClientTimeout": 60},
        {"owner": OWNER, "noClientTimeout": None},
        {"owner": {"name": "", "uid": ""}, "noClientTimeout": 60},
    ],
)
async def test_settings_that_can_not_be_meant(
    lifecycle: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an owner or a time there is nothing to do, and it ends with the reason rather than deletes anything."""
    monkeypatch.setattr(reaper, "Api", lambda _: pytest.fail("the API was asked"))
    (tmp_path / "settings.json").write_text(_settings(**lifecycle))
    with pytest.raises(SystemExit, match="no owner, or no time"):
        await reaper.main("tcp://127.0.0.1:1", folder=tmp_path)

"""Requests to an API server in trouble: repeated as long as that helps, and then an error that says what failed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import ApiUnreachableError, KubernetesError
from dask_kubernetes_helm.kubeapi import retrying
from dask_kubernetes_helm.kubeapi.kube import Kube
from tests.authorities import Authority, write

Serve = Callable[..., Awaitable[Kube]]


@pytest.fixture
async def serve() -> AsyncGenerator[Serve, None]:
    """Makes the door to a server that answers by the given handlers, in turn; the last one stays."""
    opened: list[Any] = []

    async def start(*answers: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Kube:
        left = list(answers)

        async def answer(request: web.Request) -> web.StreamResponse:
            return await (left.pop(0) if len(left) > 1 else left[0])(request)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        await (server := TestServer(application)).start_server()
        kube = Kube(Credentials("a test", Configuration(host=str(server.make_url("")).rstrip("/"))), "lab")
        opened.extend((kube, server))
        return kube

    yield start
    for it in opened:
        await it.close()


def refusing(status: int, **headers: str) -> Any:
    async def refuse(_: web.Request) -> web.StreamResponse:
        headers_ = {key.replace("_", "-"): value for key, value in headers.items()}
        return web.json_response({"message": "no"}, status=status, headers=headers_)

    return refuse


async def listing(_: web.Request) -> web.StreamResponse:
    return web.json_response({"items": [{"kind": "it"}], "metadata": {"resourceVersion": "7"}})


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport
    request.transport.abort()
    return response


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
async def test_what_passes_is_repeated(serve: Serve, status: int) -> None:
    """Three refusals that pass are no failure of a request that may be repeated."""
    kube = await serve(*[refusing(status)] * 3, listing)
    assert await kube.snapshot("pods") == ([{"kind": "it"}], "7")
    assert kube.calls == 4


async def test_what_exists_already_is_told_at_once(serve: Serve) -> None:
    """A conflict of something that is to be created does not pass."""
    kube = await serve(refusing(409))
    with pytest.raises(KubernetesError):
        await kube._transport.json("POST", "/api/v1/namespaces/lab/pods", body={})
    assert kube.calls == 1


async def test_a_pause_that_is_asked_for_is_kept(serve: Serve) -> None:
    """Retry-After is honoured; one beyond all patience ends it at once."""
    kube = await serve(refusing(429, Retry_After="1"), listing)
    began = time.monotonic()
    await kube.find("pods")
    assert time.monotonic() - began >= 1
    kube = await serve(refusing(503, Retry_After="600"))
    with pytest.raises(KubernetesError, match="503"):
        await kube.find("pods")
    assert kube.calls == 1


async def test_refusals_end_before_patience(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on refusing is taken at its word, however long one that is away would be waited for."""
    monkeypatch.setattr(retrying, "BUDGET", 0.5)
    kube = await serve(refusing(500))
    with pytest.raises(KubernetesError, match="GET /api/v1/namespaces/lab/pods failed with 500: no"):
        await kube.snapshot("pods", patience=40)
    assert kube.calls > 2


async def test_an_answer_that_breaks_off(serve: Serve) -> None:
    """A connection that ends in the middle of an answer is one that can't be reached."""
    kube = await serve(half, half, listing)
    with pytest.raises(ApiUnreachableError):
        await kube.snapshot("pods")
    assert (await kube.snapshot("pods", patience=5))[1] == "7"


async def test_lines_of_a_watch(serve: Serve) -> None:
    """A watch gives whole lines, however long, and ends quietly where the last one is torn."""
    long = json.dumps({"type": "ADDED", "object": {"text": "x" * 5_000_000}}).encode() + b"\n"

    async def torn(request: web.Request) -> web.StreamResponse:
        await (response := web.StreamResponse()).prepare(request)
        await response.write(long + long[:100])
        return response

    kube = await serve(torn)
    assert [len(item["text"]) async for _, item in kube.watch("pods", "", "1")] == [5_000_000]


def test_a_server_that_comes_back_refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals count from the first one after silence, and all together not beyond the patience."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limits = retrying.Limits(40)
    now += 30
    assert limits.allow_silence()
    assert limits.allow_refusal(9)
    assert not limits.allow_refusal(11)
    now += 11
    assert not limits.allow_silence()


async def test_a_dial_that_is_given_up_in_its_handshake(tmp_path: Path) -> None:
    """A port-forward that nobody waits for any more is received and dropped; the server sees it end."""
    held, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    authority = Authority("a")
    write(tmp_path, authority.text, authority.certificate())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")

    async def upgrade(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        try:
            await socket.receive()
        finally:
            ended.set()
        return socket

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await go.wait()
        behind = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(_pass(reader, behind[1]), _pass(behind[0], writer))

    application = web.Application()
    application.router.add_get("/{path:.*}", upgrade)
    await (server := TestServer(application)).start_server(ssl=context)
    front = await asyncio.start_server(hold, "127.0.0.1", 0)
    configuration = Configuration(host=f"https://127.0.0.1:{front.sockets[0].getsockname()[1]}")
    configuration.verify_ssl = False
    kube = Kube(Credentials("a test", configuration), "lab")
    dialing = asyncio.ensure_future(kube.dial("pod", 8786))
    await held.wait()
    dialing.cancel()
    go.set()
    await asyncio.wait_for(ended.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await dialing
    front.close()
    await kube.close()
    await server.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()

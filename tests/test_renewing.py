"""Credentials that end while a cluster lives: fetched anew, for any kind of request."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dask_kubernetes_helm.auth import KubeAuth, KubeConfig
from dask_kubernetes_helm.errors import ApiUnreachableError, KubeConfigError, UnauthorizedError
from dask_kubernetes_helm.kubeapi.kube import Kube


class Guard:
    """A server that accepts one token at a time, and a plugin that gives the token of a file."""

    def __init__(self, folder: Path) -> None:
        self.valid, self._folder, self.tokens = "first", folder, list[str]()
        self.plugin("first")
        path = folder / "plugin"
        path.write_text(f"#!/bin/sh\necho >> {folder}/asked\ncat {folder}/credential\n")
        path.chmod(0o755)

    def plugin(self, token: str, **status: Any) -> None:
        """What the plugin gives from now on."""
        version = "client.authentication.k8s.io/v1"
        text = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token, **status}})
        (self._folder / "credential").write_text(text)

    @property
    def asked(self) -> int:
        """How often the plugin was."""
        return len((self._folder / "asked").read_text().splitlines())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.append(token)
        if token != self.valid:
            return web.json_response({"message": "Unauthorized"}, status=401)
        if request.path.endswith("/portforward"):
            await (socket := web.WebSocketResponse(protocols=("v4.channel.k8s.io",))).prepare(request)
            async for _ in socket:
                pass
            return socket
        if "watch" not in request.query:
            return web.json_response({"items": [{"kind": "it"}], "metadata": {"resourceVersion": "7"}})
        await (response := web.StreamResponse()).prepare(request)
        while True:
            await response.write(b'{"type": "ADDED", "object": {}}\n')
            await asyncio.sleep(0.05)

    def kubeconfig(self, server: TestServer, user: dict[str, Any]) -> Path:
        content = {
            "clusters": [{"name": "it", "cluster": {"server": str(server.make_url("")).rstrip("/")}}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        (self._folder / "config").write_text(json.dumps(content))
        return self._folder / "config"


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


@pytest.fixture
async def server(guard: Guard) -> AsyncGenerator[TestServer, None]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", guard.answer)
    async with TestServer(application) as running:
        yield running


@pytest.fixture
async def kube(guard: Guard, server: TestServer) -> AsyncGenerator[Kube, None]:
    """The door to that server, with the plugin's token."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}
    made = await Kube.connect(KubeConfig(guard.kubeconfig(server, user)))
    yield made
    await made.close()


async def request(kube: Kube) -> None:
    assert await kube.find("pods") == [{"kind": "it"}]


async def dial(kube: Kube) -> None:
    (await kube.dial("p", 1)).abort()


async def watch(kube: Kube) -> None:
    changes = kube.watch("pods", "", "1")
    assert await anext(changes) == ("ADDED", {})
    await changes.aclose()


EACH = pytest.mark.parametrize("use", [request, dial, watch])


@EACH
async def test_a_refused_token_is_fetched_anew(guard: Guard, kube: Kube, use: Callable[[Kube], Any]) -> None:
    """What a plugin gave and the server no longer accepts is fetched anew once, for any kind of request."""
    await use(kube)
    guard.valid = "second"
    guard.plugin("second")
    await use(kube)
    await use(kube)
    assert guard.tokens == ["first", "first", "second", "second"]
    assert guard.asked == 2


@EACH
async def test_a_token_that_stays_refused(guard: Guard, kube: Kube, use: Callable[[Kube], Any]) -> None:
    """Where what is fetched anew is refused as well, that is told, and nothing asks for ever."""
    guard.valid = "second"
    with pytest.raises(UnauthorizedError, match="does not accept the credentials of context 'it'"):
        await use(kube)
    assert guard.tokens == ["first", "first"]


@EACH
async def test_a_token_that_ends_is_not_shown_to_the_server(
    guard: Guard, kube: Kube, use: Callable[[Kube], Any]
) -> None:
    """Once the time that the plugin said is over, it is asked before the server is."""
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1)
    guard.valid = "second"
    guard.plugin("second", expirationTimestamp=soon.isoformat())
    await request(kube)
    guard.valid = "third"
    guard.plugin("third")
    while dt.datetime.now(dt.timezone.utc) <= soon:
        await asyncio.sleep(0.05)
    await use(kube)
    assert guard.tokens == ["first", "second", "third"]


async def test_many_requests_renew_once(guard: Guard, kube: Kube) -> None:
    """Requests that are refused at the same time ask the plugin together."""
    guard.valid = "second"
    guard.plugin("second")
    await asyncio.gather(*[request(kube) for _ in range(10)])
    assert guard.asked == 2


async def test_what_is_open_outlives_its_token(guard: Guard, kube: Kube) -> None:
    """A renewal ends no port-forward and no watch."""
    stream, changes = await kube.dial("p", 1), kube.watch("pods", "", "1")
    await anext(changes)
    guard.valid = "second"
    guard.plugin("second")
    await request(kube)
    for _ in range(5):
        await asyncio.wait_for(anext(changes), 5)
    await changes.aclose()
    await stream.write(b"still there")
    stream.abort()


async def test_a_plugin_that_fails_later(guard: Guard, kube: Kube, tmp_path: Path) -> None:
    """A plugin that fails when it is asked again is told; when it works again, all does."""
    guard.valid = "second"
    (tmp_path / "credential").unlink()
    with pytest.raises(KubeConfigError, match=r"its plugin \./plugin failed"):
        await request(kube)
    guard.plugin("second")
    await request(kube)


@pytest.mark.parametrize("rewritten", ["config", "token"])
async def test_a_token_that_is_rewritten(guard: Guard, server: TestServer, tmp_path: Path, rewritten: str) -> None:
    """A new token in the kubeconfig, or in the file that it names, is taken up when the old one is refused."""

    def write(token: str) -> Path:
        (tmp_path / "token").write_text(f"{token}\n")
        return guard.kubeconfig(server, {"token": token} if rewritten == "config" else {"tokenFile": "token"})

    kube = await Kube.connect([KubeConfig(tmp_path / "missing"), KubeConfig(write("first"))])
    try:
        await request(kube)
        guard.valid = "second"
        write("second")
        await request(kube)
        await dial(kube)
    finally:
        await kube.close()
    assert guard.tokens == ["first", "first", "second", "second"]


async def test_explicit_credentials(guard: Guard, server: TestServer) -> None:
    """A user's name and password are sent as HTTP has it."""
    guard.valid = "Basic YWRhOnNlY3JldA=="
    kube = await Kube.connect(KubeAuth(str(server.make_url("")), username="ada", password="secret"))
    await request(kube)
    await kube.close()


@EACH
async def test_a_kubeconfig_that_was_replaced(guard: Guard, use: Callable[[Kube], Any]) -> None:
    """Where the server can't be reached any more and the kubeconfig's same context names another one, that is used."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", guard.answer)
    async with TestServer(application) as other:
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}
        gone = await Kube.connect(KubeConfig(guard.kubeconfig(_nowhere(), user)))
        guard.kubeconfig(other, user)
        await use(gone)
        await use(gone)
        assert gone.credentials.server == str(other.make_url("")).rstrip("/")
        await gone.close()


@EACH
async def test_a_server_that_is_away(guard: Guard, use: Callable[[Kube], Any]) -> None:
    """Where it can't be reached and the kubeconfig is the same, that is told, and no plugin is asked each time."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}
    gone = await Kube.connect(KubeConfig(guard.kubeconfig(_nowhere(), user)))
    asked = guard.asked  # once, to connect
    for _ in range(3):
        with pytest.raises(ApiUnreachableError):
            await use(gone)
    assert guard.asked == asked + 1
    await gone.close()


def _nowhere() -> Any:
    """A server that has gone."""
    return SimpleNamespace(make_url=lambda _: "http://127.0.0.1:9")

"""An API server in trouble: a proxy in front of the real one that breaks what it is told to.

Belongs here: faults of HTTP and of connections. Never here: what should come of them (test_faults.py has that).
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiohttp import ClientResponse, ClientTimeout, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from yarl import URL

from dask_kubernetes_helm.auth import KubeAuth, KubeConfig
from dask_kubernetes_helm.kubeapi.transport import _session

if TYPE_CHECKING:
    from typing_extensions import Self

#: Headers that concern one connection, or a body's form on it.
_OF_A_HOP = {"connection", "content-encoding", "content-length", "host", "transfer-encoding", "upgrade"}
#: Seconds after which a watch on which nothing happens is cut.
_QUIET = 0.3


@dataclass(frozen=True)
class Site:
    """One kind of request: its method, its path as a regular expression, and whether it is a watch."""

    method: str
    path: str
    watch: bool = False


_DEPLOYMENTS = r"/apis/apps/v1/namespaces/[^/]+/deployments"
LIST, WATCH, PATCH = (
    Site("GET", _DEPLOYMENTS),
    Site("GET", _DEPLOYMENTS, watch=True),
    Site("PATCH", _DEPLOYMENTS + r"/[^/]+/scale"),
)
FORWARD = Site("GET", r"/api/v1/namespaces/[^/]+/pods/[^/]+/portforward")

#: What can happen to a request besides a status. CUT: a watch ends in the middle of a line. GONE: it begins with the
#: error that its version is too old. HALF: the connection breaks in the middle of the answer. LOST: the request is
#: carried out, and the connection breaks before the answer.
CUT, GONE, HALF, LOST = "cut", "gone", "half", "lost"


@dataclass
class Rule:
    """What happens to the next requests at a site, and to how many it has happened."""

    site: Site
    fault: int | str
    times: float
    hits: int = 0

    def holds(self, request: web.BaseRequest) -> bool:
        """Whether it is for this request."""
        return (
            self.hits < self.times
            and request.method == self.site.method
            and re.fullmatch(self.site.path, request.path) is not None
            and ("watch" in request.query) == self.site.watch
        )


class Proxy:
    """Listens on loopback and forwards to the kubeconfig's API server, with its credentials."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._port = 0
        self._flowing = asyncio.Event()
        self._flowing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def auth(self) -> KubeAuth:
        """How to authenticate with it."""
        return KubeAuth(f"http://127.0.0.1:{self._port}")

    def breaks(self, site: Site, fault: int | str, times: float = math.inf) -> Rule:
        """Have something happen to the next requests at a site, after what was told before."""
        self.rules.append(rule := Rule(site, fault, times))
        return rule

    def heal(self) -> None:
        """From now on nothing happens to requests."""
        self.rules.clear()

    def go_away(self, seconds: float) -> None:
        """End all connections and refuse new ones for some seconds; comes back at once."""
        self._run(self._vanish(seconds))

    def pause(self, seconds: float) -> None:
        """Accept connections, but say nothing on any for some seconds, as a server that is stopped."""
        self._run(self._hold(seconds))

    # In the proxy's own loop ------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        self._credentials = await KubeConfig().load()
        self._session = _session(self._credentials)
        self._server = web.Server(self._handle, handler_cancellation=True)
        await self._listen()

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(self._server, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._listener.close()
        await self._server.shutdown(1)
        await self._session.close()
        await self._listener.wait_closed()

    async def _vanish(self, seconds: float) -> None:
        # asyncio would leave a connection that it has just accepted without an end if its server were closed first.
        for listening in self._listener.sockets:
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)
        self._listener.close()
        for connection in self._server.connections:
            if connection.transport:
                connection.transport.abort()
        self._loop.call_later(seconds, lambda: self._loop.create_task(self._listen()))

    async def _hold(self, seconds: float) -> None:
        self._flowing.clear()
        self._loop.call_later(seconds, self._flowing.set)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._flowing.wait()
        rule = next((rule for rule in self.rules if rule.holds(request)), None)
        if rule is None:
            websocket = request.headers.get("Upgrade", "").lower() == "websocket"
            return await (self._carry(request) if websocket else self._forward(request))
        rule.hits += 1
        if isinstance(rule.fault, int):
            return _refusal(rule.fault)
        if rule.fault == GONE:
            event = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
            return web.Response(body=json.dumps(event).encode() + b"\n")
        return await self._forward(request, rule.fault)

    async def _forward(self, request: web.BaseRequest, fault: str = "") -> web.StreamResponse:
        async with self._session.request(
            request.method,
            URL(str(self._credentials.server) + request.raw_path, encoded=True),
            headers={**_lasting(request), "Accept-Encoding": "identity"},
            data=await request.read(),
            timeout=ClientTimeout(total=None),
        ) as upstream:
            if fault == LOST:
                return _hang_up(request)
            response = web.StreamResponse(status=upstream.status, headers=_lasting(upstream))
            if fault == HALF:
                response.content_length = 2 * len(await upstream.read())
            await response.prepare(request)
            if fault == CUT:
                await _write_half(upstream, response)
            else:
                async for data in upstream.content.iter_any():
                    await response.write(data)
            if fault == HALF:
                return _hang_up(request, response)
            await response.write_eof()
            return response

    async def _carry(self, request: web.BaseRequest) -> web.StreamResponse:
        """Lead a websocket through."""
        protocols = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        url = URL(str(self._credentials.server) + request.raw_path, encoded=True)
        try:
            upstream = await self._session.ws_connect(url, protocols=protocols, max_msg_size=0)
        except WSServerHandshakeError as error:
            return _refusal(error.status)
        downstream = web.WebSocketResponse(protocols=protocols, max_msg_size=0)
        try:
            await downstream.prepare(request)
            directions = [
                asyncio.ensure_future(self._pump(*pair)) for pair in ((upstream, downstream), (downstream, upstream))
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
        finally:
            await upstream.close()
        await downstream.close()
        return downstream

    async def _pump(self, source: Any, target: ClientWebSocketResponse | web.WebSocketResponse) -> None:
        async for message in source:
            if message.type is not WSMsgType.BINARY:
                return
            await self._flowing.wait()
            await target.send_bytes(message.data)


def _lasting(message: web.BaseRequest | ClientResponse) -> dict[str, str]:
    return {key: value for key, value in message.headers.items() if key.lower() not in _OF_A_HOP}


def _refusal(status: int) -> web.Response:
    """As the API server refuses."""
    headers = {"Retry-After": "1"} if status == 429 else {}
    reason = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": "the rig says no"}
    return web.json_response(reason, status=status, headers=headers)


def _hang_up(request: web.BaseRequest, response: web.StreamResponse | None = None) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return response or web.Response()


async def _write_half(upstream: ClientResponse, response: web.StreamResponse) -> None:
    """What comes first, without its end; nothing, where nothing comes."""
    try:
        data = await asyncio.wait_for(upstream.content.readany(), _QUIET)
    except asyncio.TimeoutError:
        return
    await response.write(data[: len(data) // 2])

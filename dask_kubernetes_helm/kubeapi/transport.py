"""Requests to the API server over one HTTP session: authenticated, repeated where that helps, errors translated.

Belongs here: HTTP, and credentials that end while it goes on. Never here: which requests there are (kube.py), or what a
refusal means (kubesaid.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.deadlines import within
from dask_kubernetes_helm.errors import ApiUnreachableError, KubeConfigError
from dask_kubernetes_helm.kubeapi import kubesaid, portstream, retrying
from dask_kubernetes_helm.kubeapi.portstream import PortStream, abort

#: How the API server's audit log knows us.
USER_AGENT = "dask-kubernetes-helm"
#: Seconds that one request may take; watches and streams have none.
REQUEST_TIMEOUT = 30
#: Seconds between looks for a kubeconfig that was replaced, while the server can't be reached.
_LOOK = 10.0
#: Fewest connections that may be open at a time: each log that is followed has one for itself, and so has each watch.
_CONNECTIONS = 100
#: Seconds that closing waits for requests that nobody waits for.
_CLOSE_TIMEOUT = 5.0
_REFUSED, _UNAUTHORIZED = 400, 401
_Opened = TypeVar("_Opened")


class Transport:
    """One HTTP session.

    Parameters
    ----------
    credentials : Credentials
        What to authenticate with; read anew once they end, or the server no longer accepts them.

    Attributes
    ----------
    calls : int
        Requests sent so far, repetitions included.
    """

    def __init__(self, credentials: Credentials, namespace: str) -> None:
        self.credentials, self._namespace = credentials, namespace
        self.calls, self._looked = 0, -_LOOK
        #: Seconds that one request may take; watches and streams have none.
        self.limit: float = REQUEST_TIMEOUT
        self._session = _session(credentials)
        self._sessions, self._renewing = [self._session], asyncio.Lock()
        self._requests: set[asyncio.Future[Any]] = set()

    async def close(self) -> None:
        """Close all connections."""
        if self._requests:
            await asyncio.wait(self._requests, timeout=_CLOSE_TIMEOUT)
        for session in self._sessions:
            await session.close()

    async def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        stream: bool = False,
        silence: float | None = None,
        patience: float = 0.0,
        once: bool = False,
        accept: str = "application/json",
    ) -> aiohttp.ClientResponse:
        """Send a request, again where the server asks for it, was in trouble, or no longer accepts the credentials.

        Parameters
        ----------
        method, path, query, body
            The request; a list as the body is a JSON patch, a mapping in a PATCH a merge patch.
        stream : bool
            The answer has no end.
        silence : float, optional
            Seconds without a byte after which the connection is taken for dead.
        patience : float
            Seconds for which a server that can't be reached is tried again.
        once : bool
            Whoever calls tries again himself where the server is in trouble.
        accept : str
            The form of the answer.

        Raises
        ------
        KubernetesError
        """
        renewed, attempt, limits = False, 0, retrying.Limits(patience)
        while True:
            attempt += 1
            used = await self._usable()
            try:
                how: dict[str, Any] = {"stream": stream, "silence": silence, "accept": accept}
                response = await self._send(used, method, path, query, body, **how)
            except ApiUnreachableError:
                if await self._moved(used):
                    continue
                if not limits.allow_silence():
                    raise
                await asyncio.sleep(retrying.backoff(attempt))
                continue
            if response.status < _REFUSED:
                return response
            text = await response.text()
            if response.status == _UNAUTHORIZED and not renewed and await self._renew(used):
                renewed = True
                continue
            pause = retrying.pause(response.status, response.headers, method, attempt)
            if once or pause is None or not limits.allow_refusal(pause):
                raise kubesaid.translate(response.status, text, f"{method} {path}", self._namespace, used)
            await asyncio.sleep(pause)

    async def json(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, **how: Any
    ) -> Any:
        """The answer to a request; see `open`."""
        response = await self.open(method, path, query, body, **how)
        async with response:
            try:
                return await response.json()
            except (aiohttp.ClientError, ValueError) as error:
                raise kubesaid.garbled(response.content_type, self.credentials) from error

    async def _send(
        self,
        used: Credentials,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        *,
        stream: bool,
        silence: float | None,
        accept: str,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "User-Agent": USER_AGENT}
        if method == "PATCH":
            kind = "json-patch" if isinstance(body, list) else "merge-patch"
            headers["Content-Type"] = f"application/{kind}+json"
        self.calls += 1
        request = self._session.request(
            method,
            used.server + path,
            params={key: str(value) for key, value in (query or {}).items() if value is not None},
            json=body,
            headers={**headers, **await used.headers()},
            proxy=used.configuration.proxy,
            server_hostname=used.configuration.tls_server_name or None,
            timeout=aiohttp.ClientTimeout(None if stream else self.limit, sock_connect=10, sock_read=silence),
        )
        try:
            response = await self._finish(request, abort)
            if not stream or response.status >= _REFUSED:
                await within(response.read(), self.limit)  # the connection may break in the middle of the answer
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise kubesaid.unreachable(error, used) from error
        return response

    async def _finish(self, request: Awaitable[_Opened], drop: Callable[[_Opened], None]) -> _Opened:
        """What a request opens; where nobody waits for it any more, it is received and dropped.

        A request that is cancelled in its TLS handshake leaves its socket to the garbage collector.
        """
        task: asyncio.Future[_Opened] = asyncio.ensure_future(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(functools.partial(_drop, drop))
            raise

    async def websocket(self, path: str, protocols: Sequence[str]) -> PortStream:
        """A stream over a websocket to the API server, in the first of the protocols that it knows.

        Raises
        ------
        KubernetesError
        """
        renewed = False
        while True:
            used = await self._usable()
            try:
                return await self._finish(self._upgrade(used, path, protocols), PortStream.abort)
            except aiohttp.WSServerHandshakeError as error:
                if error.status == _UNAUTHORIZED and not renewed and await self._renew(used):
                    renewed = True
                    continue
                request = f"GET {path.partition('?')[0]}"
                raise kubesaid.translate(error.status, error.message, request, self._namespace, used) from error
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                if not await self._moved(used):
                    raise kubesaid.unreachable(error, used) from error

    async def _upgrade(self, used: Credentials, path: str, protocols: Sequence[str]) -> PortStream:
        return portstream.of(
            await self._session.ws_connect(
                used.server + path,
                protocols=protocols,
                headers={"User-Agent": USER_AGENT, **await used.headers()},
                proxy=used.configuration.proxy,
                server_hostname=used.configuration.tls_server_name or None,
                max_msg_size=0,
            )
        )

    # Credentials that end -------------------------------------------------------------------------------

    async def _usable(self) -> Credentials:
        """The credentials, read anew where they are known to have ended."""
        if self.credentials.expired:
            await self._renew(self.credentials)
        return self.credentials

    async def _renew(self, used: Credentials) -> bool:
        """Read anew what has ended or was refused, unless another request has; whether there is something to try.

        What is open stays: a port-forward outlives the token that it was opened with. So a new session is made only
        where certificates have changed, and the old one is kept for what goes on there.
        """
        async with self._renewing:
            if self.credentials is used and used.renew:
                self._adopt(await used.renew())
        return self.credentials is not used

    async def _moved(self, used: Credentials) -> bool:
        """Whether a kubeconfig that was replaced leads elsewhere, or trusts others, than where nobody can be reached.

        Looked at now and then only, as it may take a plugin.
        """
        now = time.monotonic()
        if self.credentials is used and used.renew and now - self._looked > _LOOK:
            self._looked = now
            with contextlib.suppress(KubeConfigError):
                async with self._renewing:
                    fresh = await used.renew()
                    if (fresh.server, fresh.tls[1]) != (used.server, used.tls[1]):
                        self._adopt(fresh)
        return self.credentials is not used

    def _adopt(self, fresh: Credentials) -> None:
        if fresh.tls[1] != self.credentials.tls[1]:
            self._session = _session(fresh)
            self._sessions.append(self._session)
        self.credentials = fresh


def _session(credentials: Credentials) -> aiohttp.ClientSession:
    """An HTTP session; as the library's own it heeds the environment's proxies, and its buffer holds a large event."""
    limit = max(credentials.configuration.connection_pool_maxsize or 0, _CONNECTIONS)
    connector = aiohttp.TCPConnector(limit=limit, ssl=credentials.tls[0])
    return aiohttp.ClientSession(connector=connector, trust_env=True, read_bufsize=1 << 21)


def _drop(drop: Callable[[_Opened], None], task: asyncio.Future[_Opened]) -> None:
    if not task.cancelled() and task.exception() is None:
        drop(task.result())

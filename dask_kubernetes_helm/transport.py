"""Requests to the API server over one HTTP session: authenticated, repeated where that helps, errors translated.

Belongs here: HTTP. Never here: which requests there are (kube.py), or what a refusal means (kubesaid.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from kubernetes.aio.client.rest import RESTClientObject

from dask_kubernetes_helm import kubesaid, retrying
from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import ApiUnreachableError
from dask_kubernetes_helm.portstream import PortStream, abort

#: How the API server's audit log knows us.
USER_AGENT = "dask-kubernetes-helm"
#: Seconds that one request may take; watches and streams have none.
REQUEST_TIMEOUT = 30
#: Seconds that closing waits for requests that nobody waits for.
_CLOSE_TIMEOUT = 2.0
_REFUSED, _UNAUTHORIZED = 400, 401


class Transport:
    """One HTTP session.

    Parameters
    ----------
    credentials : Credentials
        What to authenticate with.
    reload : callable, optional
        Reads the credentials anew; called once when the server no longer accepts them.

    Attributes
    ----------
    calls : int
        Requests sent so far, repetitions included.
    """

    def __init__(
        self, credentials: Credentials, namespace: str, reload: Callable[[], Awaitable[Credentials]] | None = None
    ) -> None:
        self.credentials, self._namespace, self._reload = credentials, namespace, reload
        self.calls = 0
        self._session = _session(credentials)
        self._requests: set[asyncio.Future[aiohttp.ClientResponse]] = set()

    async def close(self) -> None:
        """Close all connections."""
        if self._requests:
            await asyncio.wait(self._requests, timeout=_CLOSE_TIMEOUT)
        await self._session.close()

    async def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        stream: bool = False,
        patience: float = 0.0,
        accept: str = "application/json",
    ) -> aiohttp.ClientResponse:
        """Send a request, again where the server asks for it, was in trouble, or no longer accepts the credentials.

        Parameters
        ----------
        method, path, query, body
            The request; a list as the body is a JSON patch, a mapping in a PATCH a merge patch.
        stream : bool
            The answer has no end.
        patience : float
            Seconds for which a server that can't be reached is tried again.
        accept : str
            The form of the answer.

        Raises
        ------
        KubernetesError
        """
        renewed, attempt, limits = False, 0, retrying.Limits(patience)
        while True:
            attempt += 1
            try:
                response = await self._send(method, path, query, body, stream=stream, accept=accept)
            except ApiUnreachableError:
                if not limits.allow_silence():
                    raise
                await asyncio.sleep(retrying.backoff(attempt))
                continue
            if response.status < _REFUSED:
                return response
            text = await response.text()
            if response.status == _UNAUTHORIZED and self._reload and not renewed:
                renewed = True
                await self._renew(await self._reload())
                continue
            pause = retrying.pause(response.status, response.headers, method, attempt)
            if pause is None or not limits.allow_refusal(pause):
                raise kubesaid.translate(response.status, text, f"{method} {path}", self._namespace, self.credentials)
            await asyncio.sleep(pause)

    async def json(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, **how: Any
    ) -> Any:
        """The answer to a request; see `open`."""
        response = await self.open(method, path, query, body, **how)
        async with response:
            return await response.json()

    async def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any, *, stream: bool, accept: str
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "User-Agent": USER_AGENT}
        if method == "PATCH":
            kind = "json-patch" if isinstance(body, list) else "merge-patch"
            headers["Content-Type"] = f"application/{kind}+json"
        self.calls += 1
        request = self._session.request(
            method,
            self.credentials.server + path,
            params={key: str(value) for key, value in (query or {}).items() if value is not None},
            json=body,
            headers={**headers, **await self._authorization()},
            proxy=self.credentials.configuration.proxy,
            timeout=aiohttp.ClientTimeout(total=None if stream else REQUEST_TIMEOUT, sock_connect=10),
        )
        try:
            response = await self._finish(request)
            if not stream:
                await response.read()  # the connection may break in the middle of the answer
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error
        return response

    async def _finish(self, request: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """The response; where nobody waits for it any more, it is received and dropped.

        A request that is cancelled in its TLS handshake leaves its socket to the garbage collector.
        """
        task = asyncio.ensure_future(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_drop)
            raise

    async def websocket(self, path: str, protocol: str) -> PortStream:
        """A websocket to the API server.

        Raises
        ------
        KubernetesError
        """
        try:
            return PortStream(
                await self._session.ws_connect(
                    self.credentials.server + path,
                    protocols=(protocol,),
                    headers={"User-Agent": USER_AGENT, **await self._authorization()},
                    proxy=self.credentials.configuration.proxy,
                    max_msg_size=0,
                )
            )
        except aiohttp.WSServerHandshakeError as error:
            request = f"GET {path.partition('?')[0]}"
            raise kubesaid.translate(error.status, error.message, request, self._namespace, self.credentials) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error

    async def _authorization(self) -> dict[str, str]:
        settings = await self.credentials.configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values() if setting["in"] == "header"}

    async def _renew(self, credentials: Credentials) -> None:
        old, self.credentials = self._session, credentials
        self._session = _session(credentials)
        await old.close()


def _session(credentials: Credentials) -> aiohttp.ClientSession:
    """The library's own HTTP session, with its TLS settings; from version 37 on it is made on first use."""
    # As kubectl and helm judge certificates: from 3.13 on Python refuses authorities that lack formalities of RFC 5280,
    # which those of many a cluster do. https://docs.python.org/3/library/ssl.html#ssl.create_default_context
    credentials.configuration.disable_strict_ssl_verification = True
    rest = RESTClientObject(credentials.configuration)
    session: aiohttp.ClientSession = rest.pool_manager or rest._create_pool_manager()  # noqa: SLF001 - as WsApiClient does
    return session


def _drop(task: asyncio.Future[aiohttp.ClientResponse]) -> None:
    if not task.cancelled() and task.exception() is None:
        abort(task.result())

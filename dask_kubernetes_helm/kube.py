"""The door to the Kubernetes API: every request that this package makes, errors translated.

Belongs here: one method per thing that we ask of the API, on plain JSON objects. Never here: deciding (what a
pod's state means is diagnosis.py's), or knowing Dask. The `kubernetes` library gives configuration,
authentication and TLS; its generated models are left out: parsing hundreds of pods into them costs more than the
requests, and they differ between its major versions.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from kubernetes.aio.client.rest import RESTClientObject

from dask_kubernetes_helm import kubesaid
from dask_kubernetes_helm.auth import ClusterAuth, Credentials
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    KubernetesError,
    NamespaceNotFoundError,
    WorkloadNotFoundError,
)
from dask_kubernetes_helm.portstream import PortStream, abort

Object = dict[str, Any]

#: How the API server's audit log knows us.
USER_AGENT = "dask-kubernetes-helm"
#: Seconds that one request may take; watches and streams have none.
REQUEST_TIMEOUT = 30
#: Seconds that closing waits for requests that nobody waits for.
_CLOSE_TIMEOUT = 2.0
_PATHS = {
    "pods": "/api/v1/namespaces/{namespace}/pods",
    "services": "/api/v1/namespaces/{namespace}/services",
    "events": "/api/v1/namespaces/{namespace}/events",
    "secrets": "/api/v1/namespaces/{namespace}/secrets",
    "deployments": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "replicasets": "/apis/apps/v1/namespaces/{namespace}/replicasets",
}


class Kube:
    """One namespace of one cluster, as the credentials allow.

    Parameters
    ----------
    credentials : Credentials
        What to authenticate with.
    namespace : str
        Where all objects are.
    reload : callable, optional
        Reads the credentials anew; called once when the server no longer accepts them.
    """

    def __init__(
        self,
        credentials: Credentials,
        namespace: str,
        reload: Callable[[], Awaitable[Credentials]] | None = None,
    ) -> None:
        self.credentials, self.namespace, self._reload = credentials, namespace, reload
        self._session = _session(credentials)
        self._requests: set[asyncio.Future[aiohttp.ClientResponse]] = set()

    @classmethod
    async def connect(cls, auth: Any = None, namespace: str | None = None) -> Kube:
        """Read credentials and settle the namespace; makes no request yet."""
        credentials = await ClusterAuth.load_first(auth)
        return cls(
            credentials,
            namespace or credentials.namespace or "default",
            reload=lambda: ClusterAuth.load_first(auth),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._requests:
            await asyncio.wait(self._requests, timeout=_CLOSE_TIMEOUT)
        await self._session.close()

    # Requests -------------------------------------------------------------------------------------------

    async def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        stream: bool = False,
    ) -> aiohttp.ClientResponse:
        """Send a request; read credentials anew and try once more where the server no longer accepts them."""
        for attempt in (1, 2):
            response = await self._send(method, path, query, body, stream=stream)
            if response.status < 400:  # noqa: PLR2004 - HTTP's own border
                return response
            text = await response.text()
            if response.status == 401 and attempt == 1 and self._reload:  # noqa: PLR2004
                await self._renew(await self._reload())
                continue
            break
        raise kubesaid.translate(response.status, text, f"{method} {path}", self.namespace, self.credentials)

    async def _send(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any, *, stream: bool
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
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
            return await self._finish(request)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error

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

    async def _authorization(self) -> dict[str, str]:
        settings = await self.credentials.configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values() if setting["in"] == "header"}

    async def _renew(self, credentials: Credentials) -> None:
        old, self.credentials = self._session, credentials
        self._session = _session(credentials)
        await old.close()

    async def _json(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Object:
        response = await self._open(method, path, query, body)
        async with response:
            return dict(await response.json())

    def _path(self, resource: str, *parts: str) -> str:
        return "/".join([_PATHS[resource].format(namespace=self.namespace), *parts])

    # Objects --------------------------------------------------------------------------------------------

    async def find(self, resource: str, selector: str = "") -> list[Object]:
        """Objects that carry the labels."""
        return (await self.snapshot(resource, selector))[0]

    async def snapshot(self, resource: str, selector: str = "") -> tuple[list[Object], str]:
        """Objects that carry the labels, and the version to watch them from."""
        reply = await self._json("GET", self._path(resource), {"labelSelector": selector or None})
        return reply["items"], reply["metadata"]["resourceVersion"]

    async def watch(self, resource: str, selector: str, version: str) -> AsyncGenerator[tuple[str, Object], None]:
        """Changes of objects, as (ADDED | MODIFIED | DELETED, object), until the server ends the stream."""
        query = {"labelSelector": selector or None, "watch": "true", "resourceVersion": version}
        response = await self._open("GET", self._path(resource), query, stream=True)
        try:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise KubernetesError(str(event["object"].get("message")), status=event["object"].get("code"))
                yield event["type"], event["object"]
        except (aiohttp.ClientError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error
        finally:
            abort(response)

    async def namespace_exists(self) -> bool:
        """Whether the namespace exists; taken for granted where asking is forbidden."""
        try:
            await self._json("GET", f"/api/v1/namespaces/{self.namespace}")
        except ForbiddenError:
            return True
        except (NamespaceNotFoundError, WorkloadNotFoundError):
            return False
        return True

    async def allowed(self) -> tuple[list[Object], bool]:
        """What the credentials may do in the namespace: rules, and whether the list is complete.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/
        """
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": self.namespace},
        }
        reply = await self._json("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body=body)
        status = reply.get("status", {})
        return list(status.get("resourceRules") or []), not status.get("incomplete", False)

    async def scale(self, deployment: str, replicas: int) -> None:
        """Set a Deployment's number of replicas, in one request."""
        await self._json("PATCH", self._path("deployments", deployment, "scale"), body={"spec": {"replicas": replicas}})

    async def log(self, pod: str, container: str, *, previous: bool = False, tail: int | None = None) -> str:
        """A container's log."""
        query = {"container": container, "previous": str(previous).lower(), "tailLines": tail}
        response = await self._open("GET", self._path("pods", pod, "log"), query)
        async with response:
            return await response.text(errors="replace")

    async def dial(self, pod: str, port: int) -> PortStream:
        """Open a stream to a port of a pod.

        Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/ (connect portforward).
        """
        try:
            return PortStream(
                await self._session.ws_connect(
                    self.credentials.server + self._path("pods", pod, "portforward") + f"?ports={port}",
                    protocols=("v4.channel.k8s.io",),
                    headers={"User-Agent": USER_AGENT, **await self._authorization()},
                    proxy=self.credentials.configuration.proxy,
                    max_msg_size=0,
                )
            )
        except aiohttp.WSServerHandshakeError as error:
            request = f"GET pods/{pod}/portforward"
            raise kubesaid.translate(error.status, error.message, request, self.namespace, self.credentials) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error


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

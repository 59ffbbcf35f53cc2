"""The door to the Kubernetes API: every request that this package makes about objects; asking.py has the rest.

Belongs here: one method per thing that we ask of the API, on plain JSON objects. Never here: deciding what
a pod's state means (diagnosis), knowing Dask, or HTTP (transport.py). The `kubernetes` library gives
configuration, authentication and TLS; its generated models are left out: parsing hundreds of pods into them costs more
than the requests, and they differ between its major versions.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import aiohttp

from dask_kubernetes_helm import moments, naming
from dask_kubernetes_helm.auth import ClusterAuth, Credentials
from dask_kubernetes_helm.errors import (
    ForbiddenError,
    KubernetesError,
)
from dask_kubernetes_helm.kubeapi import kubesaid, resources
from dask_kubernetes_helm.kubeapi.asking import Asking, Object
from dask_kubernetes_helm.kubeapi.portstream import CHANNELS, TUNNEL, PortStream, abort
from dask_kubernetes_helm.kubeapi.transport import USER_AGENT, Transport

__all__ = ["USER_AGENT", "Kube", "Object"]

#: What the API server answers where a JSON patch's test fails.
_INVALID = 422
#: What a port-forward may speak, the best first.
PROTOCOLS = (TUNNEL, CHANNELS)
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Kube(Asking):
    """One namespace of one cluster, as the credentials allow.

    Parameters
    ----------
    credentials : Credentials
        What to authenticate with.
    namespace : str
        Where all objects are.
    """

    def __init__(self, credentials: Credentials, namespace: str) -> None:
        super().__init__(Transport(credentials, namespace), namespace)

    @classmethod
    async def connect(cls, auth: Any = None, namespace: str | None = None, limit: float = math.inf) -> Kube:
        """Read credentials and settle the namespace; makes no request yet. `limit`: seconds that one may take."""
        credentials = await ClusterAuth.load_first(auth)
        kube = cls(credentials, naming.namespace(namespace or credentials.namespace or "default"))
        kube._transport.limit = min(kube._transport.limit, limit)
        return kube

    @property
    def credentials(self) -> Credentials:
        """What it authenticates with."""
        return self._transport.credentials

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._transport.calls

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def _path(self, resource: str, *parts: str) -> str:
        return "/".join([resources.PATHS[resource].format(namespace=self.namespace), *parts])

    # Objects --------------------------------------------------------------------------------------------

    async def find(self, resource: str, selector: str = "") -> list[Object]:
        """Objects that carry the labels."""
        return (await self.snapshot(resource, selector))[0]

    async def snapshot(
        self, resource: str, selector: str = "", patience: float = 0.0, *, fields: str = ""
    ) -> tuple[list[Object], str]:
        """Objects that carry the labels and have the fields, and the version to watch them from."""
        query = {"labelSelector": selector or None, "fieldSelector": fields or None}
        reply = await self._transport.json("GET", self._path(resource), query, patience=patience)
        return reply["items"], reply["metadata"]["resourceVersion"]

    async def get(self, resource: str, name: str) -> Object:
        """One object."""
        return dict(await self._transport.json("GET", self._path(resource, name)))

    async def metadata(self, resource: str, selector: str) -> list[Object]:
        """What objects are called and labelled, without what they hold.

        Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
        """
        query = {"labelSelector": selector}
        reply = await self._transport.json("GET", self._path(resource), query, accept=_METADATA_ONLY)
        return list(reply["items"] or [])  # none at all is null

    async def version(self, resource: str, selector: str) -> str:
        """The version to watch objects from that shall not be listed."""
        query = {"labelSelector": selector, "limit": 1}
        reply = await self._transport.json("GET", self._path(resource), query, accept=_METADATA_ONLY)
        return str(reply["metadata"]["resourceVersion"])

    async def names(self, resource: str, selector: str) -> list[str]:
        """Names of objects."""
        return [item["metadata"]["name"] for item in await self.metadata(resource, selector)]

    async def find_everywhere(self, resource: str, selector: str = "") -> list[Object]:
        """Objects of all namespaces that carry the labels.

        Raises
        ------
        ForbiddenError
            As for most users.
        """
        path = resources.PATHS[resource].replace("/namespaces/{namespace}", "")
        try:
            reply = await self._transport.json("GET", path, {"labelSelector": selector or None})
        except ForbiddenError as error:
            raise ForbiddenError(
                f"These credentials may not list {resource} in all namespaces",
                status=error.status,
                cure="Name one namespace, or ask for a ClusterRole with list on them.",
            ) from error
        return list(reply["items"])

    async def create(self, resource: str, body: Object) -> Object:
        """Make an object."""
        return dict(await self._transport.json("POST", self._path(resource), body=body))

    async def patch(self, resource: str, name: str, body: Object) -> None:
        """Merge a change into an object."""
        await self._transport.json("PATCH", self._path(resource, name), body=body)

    async def delete(self, resource: str, name: str, uid: str) -> None:
        """Delete an object, if it is still the one that we mean."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        await self._transport.json("DELETE", self._path(resource, name), body=body)

    async def watch(
        self, resource: str, selector: str, version: str, *, fields: str = "", silence: float | None = None
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Changes of objects, as (ADDED | MODIFIED | DELETED, object), until the server ends the stream.

        A connection may die without a word, which looks as if nothing changed: `silence` is for how many seconds that
        is believed before the stream ends.
        """
        query = {"labelSelector": selector or None, "fieldSelector": fields or None, "watch": "true"}
        query["resourceVersion"] = version
        response = await self._transport.open(
            "GET", self._path(resource), query, stream=True, silence=silence, once=True
        )
        try:
            async for line in _lines(response.content):
                try:
                    event = json.loads(line)
                except ValueError as error:
                    raise kubesaid.garbled(response.content_type, self.credentials) from error
                if event["type"] == "ERROR":
                    raise KubernetesError(str(event["object"].get("message")), status=event["object"].get("code"))
                yield event["type"], event["object"]
        except aiohttp.ServerTimeoutError:
            return
        except (aiohttp.ClientError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error
        finally:
            abort(response)

    async def scale(self, deployment: str, replicas: int, seen: int, patience: float = 0.0) -> bool:
        """Set a Deployment's number of replicas in one request, if it is what we take it for.

        Parameters
        ----------
        deployment : str
            Its name.
        replicas : int
            The new number.
        seen : int
            The number that it has to have now.
        patience : float
            Seconds for which a server that can't be reached is tried again.

        Returns
        -------
        bool
            False: somebody else has set another number; it was left alone.
        """
        # A number of zero is left out of the object that the server applies the patch to.
        patch = [
            {"op": "test", "path": "/spec/replicas", "value": seen or None},
            {"op": "add", "path": "/spec/replicas", "value": replicas},
        ]
        path = self._path("deployments", deployment, "scale")
        try:
            await self._transport.json("PATCH", path, body=patch, patience=patience)
        except KubernetesError as error:
            if error.status != _INVALID:
                raise
            return False
        return True

    async def log(
        self,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int | None = None,
        since: float | datetime | None = None,
    ) -> str:
        """A container's log.

        Parameters
        ----------
        pod, container : str
            Whose.
        previous : bool
            Of its life before this one.
        tail : int, optional
            Its last lines.
        since : float or datetime, optional
            From when on: seconds ago, or a point in time.
        """
        query = {"container": container, "previous": str(previous).lower(), "tailLines": tail, **moments.asked(since)}
        response = await self._transport.open("GET", self._path("pods", pod, "log"), query)
        async with response:
            return await response.text(errors="replace")

    async def follow(
        self, pod: str, container: str, *, tail: int | None = None, since: float | datetime | None = None
    ) -> AsyncGenerator[str, None]:
        """A container's log line by line, each with its time in front, until the container or the stream ends."""
        query = {
            "container": container,
            "follow": "true",
            "timestamps": "true",
            "tailLines": tail,
            **moments.asked(since),
        }
        response = await self._transport.open("GET", self._path("pods", pod, "log"), query, stream=True)
        try:
            async for line in _lines(response.content, rest=True):
                yield line.decode(errors="replace")
        except (aiohttp.ClientError, OSError) as error:
            raise kubesaid.unreachable(error, self.credentials) from error
        finally:
            abort(response)

    async def dial(self, pod: str, port: int) -> PortStream:
        """Open a stream to a port of a pod.

        Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/ (connect portforward).
        """
        path = self._path("pods", pod, "portforward") + f"?ports={port}"
        stream = await self._transport.websocket(path, PROTOCOLS)
        try:
            await stream.open(port)
        except BaseException:
            stream.abort()
            raise
        return stream


async def _lines(stream: aiohttp.StreamReader, *, rest: bool = False) -> AsyncGenerator[bytes, None]:
    """Whole lines, however long; half a line is what the end of a connection leaves, given where `rest` says so."""
    left = b""
    async for data in stream.iter_any():
        *lines, left = (left + data).split(b"\n")
        for line in lines:
            yield line
    if rest and left:
        yield left

"""The agent's door to the Kubernetes API: four requests, by the scheduler pod's own token.

Belongs here: HTTP, by what every Dask image has. Never here: deciding, or repeating; whoever asks comes again anyway.

Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from dask_kubernetes_helm_pod.settings import FOLDER

USER_AGENT = "dask-kubernetes-helm-agent"
_TIMEOUT = 10.0
_NOT_FOUND, _CONFLICT, _INVALID, _IN_TROUBLE = 404, 409, 422, 500


class ApiError(OSError):
    """The API refused or can't be reached."""

    @property
    def is_unreachable(self) -> bool:
        """Whether nobody has looked into the request."""
        return not self.errno or self.errno >= _IN_TROUBLE


class Api:
    """One namespace, as far as the agent's Role goes.

    Parameters
    ----------
    folder : path
        Where token, ca.crt and namespace are; the token is read anew for each request, as Kubernetes renews it.
    environ : mapping
        The variables that name the API server.

    Attributes
    ----------
    calls, errors : int
        Requests sent so far, and those that failed; not those that found a number other than was thought.
    """

    def __init__(self, folder: Path = FOLDER, environ: Mapping[str, str] = os.environ) -> None:
        self._folder, self.calls, self.errors = folder, 0, 0
        host = environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
        host = f"[{host}]" if ":" in host else host
        self._server = f"https://{host}:{environ.get('KUBERNETES_SERVICE_PORT', '443')}"
        self._http = SimpleAsyncHTTPClient(force_instance=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    async def replicas(self, deployment: str) -> int:
        """A Deployment's number of pods.

        Raises
        ------
        ApiError
        """
        return _replicas(await self._json("GET", self._scale(deployment)))

    async def scale(self, deployment: str, replicas: int, seen: int) -> bool:
        """Set it, if it is what we take it for; whether it was.

        Raises
        ------
        ApiError
        """
        # A number of zero is left out of the object that the server applies the patch to.
        patch = [
            {"op": "test", "path": "/spec/replicas", "value": seen or None},
            {"op": "add", "path": "/spec/replicas", "value": replicas},
        ]
        try:
            await self._json("PATCH", self._scale(deployment), patch)
        except ApiError as error:
            if error.errno not in (_CONFLICT, _INVALID):
                raise
            return False
        return True

    async def created(self, owner: str) -> float:
        """When the owner was made, in seconds since the epoch.

        Raises
        ------
        ApiError
        """
        reply = await self._json("GET", self._owner(owner))
        return datetime.fromisoformat(reply["metadata"]["creationTimestamp"].replace("Z", "+00:00")).timestamp()

    async def delete(self, owner: str, uid: str) -> None:
        """Delete the owner, and with it all that it owns; nothing to do where it is gone.

        Raises
        ------
        ApiError
        """
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self._json("DELETE", self._owner(owner), options)
        except ApiError as error:
            if error.errno not in (_NOT_FOUND, _CONFLICT):
                raise

    def _namespace(self) -> str:
        return (self._folder / "namespace").read_text().strip()

    def _scale(self, deployment: str) -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace()}/deployments/{deployment}/scale"

    def _owner(self, name: str) -> str:
        return f"/api/v1/namespaces/{self._namespace()}/configmaps/{name}"

    async def _json(self, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {(self._folder / 'token').read_text().strip()}",
            "Content-Type": "application/json-patch+json" if method == "PATCH" else "application/json",
            "User-Agent": USER_AGENT,
        }
        request = HTTPRequest(
            self._server + path,
            method,
            headers,
            body=None if body is None else json.dumps(body),
            allow_nonstandard_methods=True,  # a DELETE with options
            ssl_options=self._tls(),
            connect_timeout=_TIMEOUT,
            request_timeout=_TIMEOUT,
        )
        self.calls += 1
        try:
            response = await self._http.fetch(request)
        except HTTPClientError as error:
            self.errors += error.code not in (_CONFLICT, _INVALID)
            raise ApiError(error.code, f"{method} {path}: {_reason(error)}") from error
        except OSError as error:
            self.errors += 1
            raise ApiError(0, f"{method} {path}: {error}") from error
        return json.loads(response.body)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._folder / "ca.crt"))
        # As kubectl judges certificates: from 3.13 on Python refuses authorities that lack formalities of RFC 5280.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context


def _replicas(scale: Mapping[str, Any]) -> int:
    return int(scale.get("spec", {}).get("replicas", 0))


def _reason(error: HTTPClientError) -> str:
    """What the server said, in one sentence."""
    if error.response is None or not error.response.body:
        return str(error)
    try:
        return str(json.loads(error.response.body).get("message", error))
    except ValueError:
        return str(error)

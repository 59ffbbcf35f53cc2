"""An API server that plays a namespace: objects by resource, watches, and logs, with some of it forbidden."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.kubeapi.kube import Kube

RELEASE = "demo"
#: In a log that is followed: the connection breaks in the middle of a line.
CUT = "cut"


def labels(component: str, **more: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/part-of": "dask-kubernetes-helm",
        "app.kubernetes.io/instance": RELEASE,
        "app.kubernetes.io/component": component,
        **more,
    }


def played_pod(
    name: str, component: str = "worker", ident: str = "1", state: str = "running", **status: Any
) -> dict[str, Any]:
    """A pod whose container runs, or does what `state` says."""
    container = {"name": component, "containerID": ident, "state": {state: {}}, "restartCount": 0, **status}
    return {
        "metadata": {"name": name, "uid": name, "labels": labels(component, **{"dask.org/worker-group": "default"})},
        "spec": {"containers": [{"name": component, "image": "dask:1"}]},
        "status": {"podIP": f"10.0.0.{len(name)}", "containerStatuses": [container]},
    }


class PlayedApi:
    """What the API server has, and what was asked of it."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {
            "deployments": [
                {
                    "metadata": {
                        "name": "demo-worker", "uid": "d", "labels": labels("worker"),
                        "creationTimestamp": "2026-01-01T00:00:00Z",
                    },
                    "spec": {"replicas": 1},
                }
            ]
        }  # fmt: skip
        #: By pod; of the previous life by "<pod> previous". An int is a status.
        self.logs: dict[str, str | int] = {}
        #: Pods whose logs are not answered until `speak`, as those on a node that is lost.
        self.silent: set[str] = set()
        self.speak = asyncio.Event()
        #: Resources that may not be seen.
        self.forbidden: set[str] = set()
        #: What a log that is followed gives: lines, until None.
        self.streams: dict[str, asyncio.Queue[str | None]] = {}
        self.queries: list[dict[str, str]] = []
        self.reading = self.most_reading = 0
        #: All changes so far: a version is how many there were.
        self._changes: list[tuple[str, str, dict[str, Any]]] = []
        self._news = asyncio.Event()

    async def start(self) -> Kube:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._server = TestServer(application)
        await self._server.start_server()
        host = str(self._server.make_url("")).rstrip("/")
        return Kube(Credentials("a test", Configuration(host=host)), "lab")

    async def close(self) -> None:
        self.speak.set()
        await self._server.close()

    def change(self, kind: str, resource: str, item: dict[str, Any]) -> None:
        """Change an object, and tell those who watch."""
        name = item["metadata"]["name"]
        kept = [other for other in self.objects.get(resource, []) if other["metadata"]["name"] != name]
        self.objects[resource] = kept if kind == "DELETED" else [*kept, item]
        self._changes.append((resource, kind, item))
        self._news.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if "namespaces" not in parts:
            node = {"metadata": {"name": "n1"}, "status": {"capacity": {"cpu": "2"}}}
            told = {"gitVersion": "v1.34.0", "items": [node], "status": {"resourceRules": [], "incomplete": False}}
            return web.json_response(told)
        resource, *rest = parts[parts.index("namespaces") + 2 :]
        if "/".join([resource, *rest[1:]]) in self.forbidden:
            message = f'cannot get resource "{resource}" in API group ""'
            return web.json_response({"message": message}, status=403)
        if rest[1:] == ["log"]:
            return await self._log(request, rest[0])
        if request.query.get("watch"):
            return await self._watch(request, resource)
        if rest:
            found = [item for item in self.objects.get(resource, []) if item["metadata"]["name"] == rest[0]]
            return web.json_response(found[0] if found else {"message": "not found"}, status=200 if found else 404)
        items = [item for item in self.objects.get(resource, []) if _fits(item, request.query.get("labelSelector", ""))]
        return web.json_response({"items": items, "metadata": {"resourceVersion": str(len(self._changes))}})

    async def _watch(self, request: web.Request, resource: str) -> web.StreamResponse:
        response, seen = web.StreamResponse(), int(request.query["resourceVersion"])
        await response.prepare(request)
        while True:
            while seen < len(self._changes):
                changed, kind, item = self._changes[seen]
                seen += 1
                if changed == resource:
                    await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
            self._news.clear()
            await self._news.wait()

    async def _log(self, request: web.Request, pod: str) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if request.query.get("follow"):
            response = web.StreamResponse()
            await response.prepare(request)
            while (line := await self.streams[pod].get()) is not None:
                if line == CUT:
                    await response.write(b"2026-11-26T21:30:49.5Z half a li")
                    assert request.transport
                    request.transport.abort()
                    return response
                await response.write(line.encode() + b"\n")
            return response
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        await (self.speak.wait() if pod in self.silent else asyncio.sleep(0.01))
        self.reading -= 1
        text = self.logs.get(f"{pod} previous" if request.query.get("previous") == "true" else pod, 400)
        if isinstance(text, int):
            return web.json_response({"message": f"answered {text}"}, status=text)
        return web.Response(text=text)


def _fits(item: dict[str, Any], selector: str) -> bool:
    has = item["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        key, _, value = term.partition("=")
        if key.endswith("!") and has.get(key[:-1]) == value:
            return False
        if not key.endswith("!") and has.get(key) != value:
            return False
    return True

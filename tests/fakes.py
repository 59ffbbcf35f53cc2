"""Fakes at our own seams: an API that plays objects, and streams that lead nowhere outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any


def pod(name: str = "p", component: str = "scheduler", **status: Any) -> dict[str, Any]:
    """A pod as the API has it."""
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}},
        "spec": {"nodeName": "n1", "containers": [{"name": component, "image": "dask:1"}]},
        "status": status,
    }


def waiting(reason: str, message: str = "", container: str = "scheduler", **status: Any) -> dict[str, Any]:
    """A container's status that waits for something."""
    return {"name": container, "state": {"waiting": {"reason": reason, "message": message}}, **status}


class FakeKube:
    """Plays a script of changes for pods, and one for Services; lists what it is given by resource."""

    namespace = "lab"

    def __init__(
        self,
        *script: tuple[str, dict[str, Any]],
        log: str = "",
        services: Sequence[tuple[str, dict[str, Any]]] = (),
        listed: dict[str, list[dict[str, Any]]] | None = None,
    ) -> None:
        self.script, self.services, self.text = list(script), list(services), log
        self.listed = listed or {}
        self.watches = 0

    async def watch(
        self, resource: str, selector: str, version: str, *, fields: str = "", silence: float | None = None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        self.watches += 1
        script = {"pods": self.script, "services": self.services}.get(resource, [])
        while script:
            yield script.pop(0)
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    async def find(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        return []

    async def snapshot(
        self, resource: str, selector: str = "", *, fields: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        return self.listed.get(resource, []), "1"

    async def nodes(self) -> list[dict[str, Any]]:
        return self.listed.get("nodes", [])

    async def log(self, pod: str, container: str, *, previous: bool = False, tail: int | None = None) -> str:
        return self.text


def service(kind: str = "ClusterIP", *ingress: dict[str, str], port: int = 8786, node_port: int = 0) -> dict[str, Any]:
    """A scheduler's Service as the API has it."""
    ports = [{"name": "tcp-comm", "port": port}, {"name": "http-dashboard", "port": 80}]
    if node_port:
        ports = [{**item, "nodePort": node_port + index} for index, item in enumerate(ports)]
    return {
        "metadata": {"name": "r-scheduler", "labels": {"app.kubernetes.io/component": "scheduler"}},
        "spec": {"type": kind, "ports": ports},
        "status": {"loadBalancer": {"ingress": list(ingress)} if ingress else {}},
    }


class Echo:
    """A stream that answers with what it was sent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = False

    async def read(self) -> bytes:
        return await self.queue.get()

    async def write(self, data: bytes) -> None:
        await self.queue.put(data)

    async def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

"""An Ingress controller in miniature: takes HTTP on loopback and leads it where an Ingress says.

It goes by the rules of an Ingress as the cluster has it, and rewrites nothing: a backend gets the very path that was
asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

Object = dict[str, Any]


class FrontDoor:
    """Leads connections by an Ingress.

    Parameters
    ----------
    ingress : dict
        The Ingress.
    reach : callable
        Host and port for the name of a Service and of its port.
    """

    def __init__(self, ingress: Object, reach: Callable[[str, str], tuple[str, int]]) -> None:
        self._ingress, self._reach, self.port = ingress, reach, 0

    async def start(self) -> asyncio.Server:
        """Begin to listen."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def _backend(self, host: str, path: str) -> tuple[str, int] | None:
        for rule in self._ingress["spec"]["rules"]:
            for item in rule["http"]["paths"]:
                start = item["path"].rstrip("/")
                if rule.get("host") in (None, host) and (path == start or path.startswith(f"{start}/")):
                    service = item["backend"]["service"]
                    return self._reach(service["name"], service["port"]["name"])
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        found = self._backend(headers["host"].partition(":")[0], first.split()[1].partition("?")[0])
        async with _closing(writer):
            if found is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection(*found)
            async with _closing(far_writer):
                far_writer.write(head)
                await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@contextlib.contextmanager
def opened(ingress: Object, reach: Callable[[str, str], tuple[str, int]]) -> Iterator[int]:
    """The port of a front door, in a thread of its own."""
    door, loop = FrontDoor(ingress, reach), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(door.start(), loop).result(10)
    yield door.port

    async def end() -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

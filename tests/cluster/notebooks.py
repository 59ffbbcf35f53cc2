"""A notebook driven as a browser drives it: Jupyter's REST API, and a kernel's websocket.

Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import aiohttp


class Notebook:
    """A kernel on a Jupyter server.

    Parameters
    ----------
    url : str
        The server's, with its base URL.
    token : str
        What lets in.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token, self._headers = url, token, {"Authorization": f"token {token}"}
        self._kernel = ""

    def status(self, page: str, *, with_token: bool = True) -> int:
        """The HTTP status of a page; 0 where nobody answers yet."""

        async def ask() -> int:
            headers = self._headers if with_token else {}
            async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{self.url}{page}") as answer:
                return answer.status

        with contextlib.suppress(aiohttp.ClientConnectionError):
            return asyncio.run(ask())
        return 0

    def run(self, cell: str, timeout: float = 180) -> str:
        """What a cell prints; an error in it fails the test."""
        return asyncio.run(asyncio.wait_for(self._run(cell), timeout))

    async def _run(self, cell: str) -> str:
        async with aiohttp.ClientSession(headers=self._headers) as session:
            if not self._kernel:
                async with session.post(f"{self.url}/api/kernels", json={"name": "python3"}) as answer:
                    assert answer.status == 201, await answer.text()
                    self._kernel = (await answer.json())["id"]
            async with session.ws_connect(f"{self.url}/api/kernels/{self._kernel}/channels") as socket:
                request = uuid.uuid4().hex
                await socket.send_json(_execute(request, cell))
                return await _output(socket, request)


def _execute(request: str, cell: str) -> dict[str, Any]:
    header = {"msg_id": request, "msg_type": "execute_request", "username": "t", "session": "t", "version": "5.3"}
    content = {"code": cell, "silent": False, "store_history": False, "allow_stdin": False}
    return {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}


async def _output(socket: aiohttp.ClientWebSocketResponse, request: str) -> str:
    """What is printed until the kernel is idle again."""
    printed = ""
    async for raw in socket:
        message = raw.json()
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed += content["text"]
        assert message["msg_type"] != "error", "\n".join(content["traceback"])
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return printed
    raise AssertionError(f"the kernel's connection ended; so far it had printed: {printed}")

"""Servers that Kubernetes asks and that say no: a registry, and an admission webhook.

Belongs here: what they answer, and where they listen. Never here: what should come of it.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.rig.pki import Authority
from tests.rig.settings import Settings

_CLONE_NEWNET = 0x40000000


class _Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: tests have pytest's output to themselves."""

    def reply(self, status: int, content: Any, **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def _serving(listening: socket.socket, handler: type[_Handler]) -> Iterator[None]:
    server = ThreadingHTTPServer(listening.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listen_within(network_namespace: str, port: int) -> socket.socket:
    """A socket on a node's own loopback, where containerd speaks plain http; in a thread that ends in there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def listen() -> socket.socket:
        with Path(f"/run/netns/{network_namespace}").open() as file:
            if libc.setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.create_server(("127.0.0.1", port))

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(listen).result()


def _registry(port: int, challenge: str) -> type[_Handler]:
    class Handler(_Handler):
        def do_GET(self) -> None:
            """Refuse whoever brings no credentials, as the distribution specification has it."""
            said = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            headers = {} if self.path.startswith("/token") else {"WWW_Authenticate": challenge.format(port=port)}
            self.reply(401, said, **headers)

        def do_HEAD(self) -> None:
            """The same without a body."""
            self.do_GET()

    return Handler


#: How a registry asks for credentials: itself (by an htpasswd file), or by a server of tokens (ghcr.io, Harbor).
BASIC = 'Basic realm="private"'
TOKEN = 'Bearer realm="http://127.0.0.1:{port}/token",service="private",scope="repository:team/dask:pull"'


@contextlib.contextmanager
def private_registry(challenge: str) -> Iterator[str]:
    """A registry that wants credentials, at the same address of each node; that address."""
    with contextlib.ExitStack() as stack:
        port = 0
        for node in Settings.from_environment().nodes:
            listening = _listen_within(node.namespace, port)
            port = listening.getsockname()[1]
            stack.enter_context(_serving(listening, _registry(port, challenge)))
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def webhook(folder: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[dict[str, str]]:
    """An admission webhook; how the API server finds and trusts it."""
    authority = Authority(folder / "webhook")
    authority.create()
    authority.issue("webhook", "/CN=webhook", "IP:127.0.0.1")

    class Handler(_Handler):
        def do_POST(self) -> None:
            """Judge a request for admission."""
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            response = {"uid": review["request"]["uid"], **answer(review["request"])}
            self.reply(200, {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "webhook.crt", authority.folder / "webhook.key")
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}/validate"
    with _serving(context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False), Handler):
        yield {"url": url, "caBundle": base64.b64encode(authority.certificate.read_bytes()).decode()}

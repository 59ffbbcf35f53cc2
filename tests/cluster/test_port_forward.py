"""A port of a pod through the API server, in each protocol that it knows."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import pytest

from dask_kubernetes_helm.errors import KubernetesError
from dask_kubernetes_helm.kubeapi import kube as door
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.kubeapi.portstream import CHANNELS, TUNNEL, PortStream

from .conftest import Namespace

_SIZE = 8 << 20
#: Takes bytes until it has them all or there are no more, and says what it has: at the end, or to the next connection.
_SERVER = f"""
import hashlib, socket
listener, last = socket.create_server(("", 9000)), b""
while True:
    peer, _ = listener.accept()
    with peer:
        kind, taken = peer.recv(1), b""
        if kind == b"?":
            peer.sendall(last)
        elif kind == b"d":
            peer.sendall(bytes(range(256)) * ({_SIZE} // 256))
        else:
            while data := peer.recv(1 << 16): taken += data
            last = hashlib.sha256(taken).hexdigest().encode()
"""


@pytest.fixture
def pod(namespace: Namespace, image: str) -> str:
    """A pod with that server."""
    namespace.kubectl("run", "server", f"--image={image}", "--command", "--", "python", "-c", _SERVER)
    namespace.kubectl("wait", "pod/server", "--for=condition=Ready", "--timeout=60s")
    return "server"


async def everything(stream: PortStream) -> bytes:
    came = bytearray()
    while data := await stream.read():
        came += data
    return bytes(came)


async def listening(kube: Kube, pod: str) -> None:
    """Until the server listens, which Kubernetes doesn't know of."""
    while True:
        with contextlib.suppress(KubernetesError, OSError, asyncio.TimeoutError):
            stream = await kube.dial(pod, 9000)
            try:
                await stream.write(b"?")
                await stream.read()
                return
            finally:
                stream.abort()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("protocol", [TUNNEL, CHANNELS])
async def test_bytes_pass_whole(namespace: Namespace, pod: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pod sends before it closes, and what is sent to it before we close, arrives whole; refusals are told."""
    monkeypatch.setattr(door, "PROTOCOLS", (protocol,))
    kube = await Kube.connect(None, namespace.name)
    content = bytes(range(255, -1, -1)) * (_SIZE // 256)
    try:
        await asyncio.wait_for(listening(kube, pod), 30)
        down = await kube.dial(pod, 9000)
        await down.write(b"d")
        assert await everything(down) == bytes(range(256)) * (_SIZE // 256)
        down.abort()
        up = await kube.dial(pod, 9000)
        await up.write(b"u")
        await up.write(content)
        await up.close()
        up.abort()
        asked = await kube.dial(pod, 9000)
        await asked.write(b"?")
        assert await everything(asked) == hashlib.sha256(content).hexdigest().encode()
        asked.abort()
        nobody = await kube.dial(pod, 9001)
        with pytest.raises(KubernetesError, match="refused"):
            await everything(nobody)
        nobody.abort()
    finally:
        await kube.close()

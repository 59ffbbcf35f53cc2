"""A stream to a port of a pod, in both protocols of the API server, against servers that speak them."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import KubernetesError
from dask_kubernetes_helm.kubeapi import spdy
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.kubeapi.portstream import CHANNELS, TUNNEL, PortStream

Speak = Callable[[web.WebSocketResponse], Awaitable[None]]
ERROR, DATA = 1, 3


def control(kind: int, content: bytes) -> bytes:
    """A control frame."""
    return struct.pack("!HHI", 0x8003, kind, len(content)) + content


def reply(stream: int) -> bytes:
    return control(2, struct.pack("!I", stream))


def data(stream: int, content: bytes = b"", *, fin: bool = False) -> bytes:
    return struct.pack("!II", stream, fin << 24 | len(content)) + content


@contextlib.asynccontextmanager
async def dialled(speak: Speak, protocol: str = TUNNEL) -> AsyncIterator[PortStream]:
    """A stream to a server that takes this protocol, and speaks so."""

    async def upgrade(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(protocol,), max_msg_size=0)
        await socket.prepare(request)
        await speak(socket)
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/api/v1/namespaces/lab/pods/p/portforward", upgrade)
    await (server := TestServer(application)).start_server()
    kube = Kube(Credentials("a test", Configuration(host=f"http://127.0.0.1:{server.port}")), "lab")
    try:
        stream = await kube.dial("p", 8786)
        yield stream
        stream.abort()
    finally:
        await kube.close()
        await server.close()


@given(
    st.lists(
        st.tuples(st.sampled_from([ERROR, DATA, spdy.PING, spdy.SYN_REPLY]), st.binary(max_size=40), st.booleans())
    ),
    st.lists(st.integers(1, 30), min_size=1),
)
def test_frames_come_whole_however_they_are_cut(sent: list[tuple[int, bytes, bool]], cuts: list[int]) -> None:
    """Whatever pieces the bytes arrive in: each frame is given with its kind, its content, and one end."""
    rest = b"".join(spdy.data_head(word, len(content), fin=fin) + content for word, content, fin in sent)
    came: list[tuple[int, bytes, bool]] = []
    frames, begun, turn = spdy.frames(), b"", 0
    while rest:
        piece, rest = rest[: cuts[turn % len(cuts)]], rest[cuts[turn % len(cuts)] :]
        turn += 1
        for kind, content, last in frames.feed(piece):
            begun += content
            if last:
                came.append((kind.word, begun, kind.fin))
                begun = b""
    assert came == sent


def test_the_headers_of_streams_share_one_compression() -> None:
    """A server that reads both openings with one zlib stream finds the headers of each."""
    opening, unpack = spdy.Opening(), zlib.decompressobj()
    for stream, kind in ((ERROR, "error"), (DATA, "data")):
        frame = opening(stream, {"port": "8786", "streamtype": kind}, fin=stream == ERROR)
        version, number, flags, length = struct.unpack("!HHB3s", frame[:8])
        assert (version, number, flags) == (0x8003, 1, int(stream == ERROR))
        assert int.from_bytes(length, "big") == len(frame) - 8
        assert struct.unpack("!IIBB", frame[8:18]) == (stream, 0, 0, 0)
        words = (b"port", b"8786", b"streamtype", kind.encode())
        assert unpack.decompress(frame[18:]) == struct.pack("!I", 2) + b"".join(
            struct.pack("!I", len(word)) + word for word in words
        )


async def test_nothing_is_written_before_the_stream_is_there() -> None:
    """Data follows the server's answer to the opening; what comes back is given as it comes, until the pod ends it."""
    taken = bytearray()

    async def speak(socket: web.WebSocketResponse) -> None:
        assert (await socket.receive()).data[:4] == struct.pack("!HH", 0x8003, 1)
        with contextlib.suppress(asyncio.TimeoutError):
            pytest.fail(f"came before the answer: {await socket.receive(timeout=0.2)}")
        whole = reply(ERROR) + reply(DATA) + control(6, b"\0\0\0\2") + data(DATA, b"good day")
        await socket.send_bytes(whole[:21])
        await socket.send_bytes(whole[21:])
        while len(taken) < 25:
            taken.extend((await socket.receive()).data)
        await socket.send_bytes(data(DATA, b"bye", fin=True) + data(ERROR, fin=True))

    async with dialled(speak) as stream:
        came = await stream.read()
        await stream.write(b"hel", b"lo")
        while more := await stream.read():
            came += more
    assert came == b"good daybye"
    assert taken == control(6, b"\0\0\0\2") + data(DATA, b"hello")


ANSWERS, END = reply(ERROR) + reply(DATA), control(3, b"\0\0\0\3\0\0\0\5")
REFUSED = data(ERROR, b"dial tcp4 127.0.0.1:8786: connect: connection refused")


@pytest.mark.parametrize(
    ("said", "came"),
    [
        pytest.param([ANSWERS + data(DATA, b"some") + REFUSED + END], b"some", id="after all"),
        pytest.param([reply(ERROR) + REFUSED + END], b"", id="before the answer"),
        pytest.param([ANSWERS + data(DATA, fin=True), REFUSED + data(ERROR, fin=True)], b"", id="after the end"),
    ],
)
async def test_what_the_kubelet_says_is_told(said: list[bytes], came: bytes) -> None:
    """A port that nobody listens at: the kubelet's words, whenever they come, once all else was read."""

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        for message in said:
            await socket.send_bytes(message)
        await socket.receive()

    async with dialled(speak) as stream:
        if came:
            assert await stream.read() == came
        with pytest.raises(KubernetesError, match=r"does not answer: dial tcp4 .* connection refused"):
            await stream.read()


@pytest.mark.parametrize("answer", [control(3, b"\0\0\0\3\0\0\0\3"), control(7, b"\0" * 8), b""])
async def test_a_stream_that_is_refused(answer: bytes) -> None:
    """A server that resets the stream, goes away or closes instead of opening it makes the dial fail."""

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        if answer:
            await socket.send_bytes(answer)
            await socket.receive()

    with pytest.raises(ConnectionResetError, match="refused"):
        async with dialled(speak):
            pass


async def test_much_at_once_is_cut() -> None:
    """More than a frame can say the length of goes in several, and arrives whole."""
    sent, frames, taken = bytes(range(250)) * 70_000, spdy.frames(), bytearray()

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_bytes(reply(DATA))
        while len(taken) < len(sent):
            for kind, content, _ in frames.feed((await socket.receive()).data):
                assert kind == (DATA, False)
                taken.extend(content)

    async with dialled(speak) as stream:
        await stream.write(sent[:1000], sent[1000:])
        assert await stream.read() == b""
    assert taken == sent


async def test_closing_waits_until_the_pod_has_all() -> None:
    """A stream that is closed ends its own direction first, and the connection once the other side has ended too."""
    kinds: list[object] = []

    async def speak(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_bytes(reply(DATA))
        kinds.extend([(await socket.receive()).data, (await socket.receive()).data])
        with contextlib.suppress(asyncio.TimeoutError):
            kinds.append(await socket.receive(timeout=0.2))
        await socket.send_bytes(data(DATA, b"too late") + data(DATA, fin=True) + data(ERROR, fin=True))
        kinds.append((await socket.receive()).type)

    async with dialled(speak) as stream:
        await stream.write(b"last words")
        await stream.close()
    assert kinds == [data(DATA, b"last words"), data(DATA, fin=True), WSMsgType.CLOSE]


async def test_a_server_that_only_knows_channels() -> None:
    """Kubernetes before 1.30 takes the older protocol of the two that are offered; bytes and errors come as well."""
    taken = []

    async def speak(socket: web.WebSocketResponse) -> None:
        for channel in (b"\0", b"\1"):
            await socket.send_bytes(channel + struct.pack("<H", 8786))
        taken.append((await socket.receive()).data)
        await socket.send_bytes(b"\0there")
        await socket.send_bytes(b"\1gone")
        await socket.receive()

    async with dialled(speak, CHANNELS) as stream:
        await stream.write(b"he", b"re")
        assert await stream.read() == b"there"
        with pytest.raises(KubernetesError, match="gone"):
            await stream.read()
    assert taken == [b"\0here"]

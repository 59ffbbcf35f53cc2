"""SPDY/3.1 as far as a port-forward needs it: the bytes of frames.

Belongs here: writing and reading frames. Never here: what carries them, or what goes on in a stream (portstream.py).
There is no library for it: browsers gave SPDY up in 2016, and Kubernetes alone still speaks it.

Sources: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/, and for what Kubernetes leaves out of it
(windows, settings) https://github.com/moby/spdystream.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dask_kubernetes_helm import contract

if TYPE_CHECKING:
    from dask_kubernetes_helm_pod.framing import Frames, Head

#: The first word of control frames by type; a data frame's is the number of its stream.
_CONTROL = 0x80030000
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = (_CONTROL | number for number in (1, 2, 3, 6, 7))
#: The flag by which a side says that a stream has no more from it.
FIN = 0x01
_HEAD, _NUMBER, _STREAM = struct.Struct("!II"), struct.Struct("!I"), struct.Struct("!IIBB")
#: The most bytes that a frame can have.
LONGEST = 0xFFFFFF


class Kind(NamedTuple):
    """What a frame is.

    Attributes
    ----------
    word : int
        The number of the stream for data, or the type of a control frame.
    fin : bool
        Whether its stream has no more after it.
    """

    word: int
    fin: bool


class Opening:
    """Writes the frames that open streams; headers are compressed over all of them.

    The protocol's own dictionary, which would make the first ones shorter, is not used: zlib says so in its head.
    """

    def __init__(self) -> None:
        self._compress = zlib.compressobj()

    def __call__(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """The frame that opens a stream.

        Parameters
        ----------
        stream : int
            Its number, which is odd and larger than any before.
        headers : mapping of str to str
            With names in small letters.
        fin : bool
            Nothing will be sent in it.
        """
        words = [word.encode() for pair in headers.items() for word in pair]
        block = _NUMBER.pack(len(headers)) + b"".join(_NUMBER.pack(len(word)) + word for word in words)
        packed = self._compress.compress(block) + self._compress.flush(zlib.Z_SYNC_FLUSH)
        return _frame(SYN_STREAM, _STREAM.pack(stream, 0, 0, 0) + packed, fin=fin)


def data_head(stream: int, length: int, *, fin: bool = False) -> bytes:
    """What stands in front of so many bytes of data.

    Examples
    --------
    >>> data_head(3, 5).hex(" ", 4)
    '00000003 00000005'
    """
    return _HEAD.pack(stream, FIN << 24 | length if fin else length)


def pong(ping: bytes) -> bytes:
    """The answer to a PING frame of that content, which is the same."""
    return _frame(PING, ping)


def number(content: bytes) -> int:
    """The stream that a control frame is about."""
    return int(_NUMBER.unpack_from(content)[0])


def frames() -> Frames[Kind]:
    """Takes frames from bytes."""
    framing: Any = contract.pod_module("framing")

    def understand(head: bytes) -> Head[Kind]:
        word, length = _HEAD.unpack(head)
        kind = Kind(word, fin=bool(length >> 24 & FIN))
        return framing.Head(kind, length & LONGEST, streams=word < _CONTROL)  # type: ignore[no-any-return]

    return framing.Frames(_HEAD.size, understand)  # type: ignore[no-any-return]


def _frame(word: int, content: bytes, *, fin: bool = False) -> bytes:
    return data_head(word, len(content), fin=fin) + content

"""Frames taken from bytes that arrive in any pieces; Python's end of a port-forward uses it as well.

Belongs here: where a frame begins and ends. Never here: what a kind of frame means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")


class Head(NamedTuple, Generic[K]):
    """What the head of a frame says.

    Attributes
    ----------
    kind : object
        Which kind of frame it is.
    length : int
        Bytes of its content.
    streams : bool
        Whether its content is given in pieces, as it arrives.
    """

    kind: K
    length: int
    streams: bool


class Frames(Generic[K]):
    """Takes what arrives apart.

    Parameters
    ----------
    size : int
        Bytes of a head.
    understand : callable
        What a head says.
    """

    def __init__(self, size: int, understand: Callable[[bytes], Head[K]]) -> None:
        self._size, self._understand = size, understand
        #: The part of a head that is there, and of a content that is given whole.
        self._head, self._content = b"", b""
        self._now: Head[K] | None = None
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[K, bytes, bool]]:
        """Kinds, contents, and whether the frame ends with that.

        Parameters
        ----------
        data : bytes
            The next bytes.
        """
        position = 0
        while position < len(data):
            if self._now is None:
                part = data[position : position + self._size - len(self._head)]
                self._head += part
                position += len(part)
                if len(self._head) < self._size:
                    return
                self._now, self._head = self._understand(self._head), b""
                self._left = self._now.length
                if self._left:
                    continue
            part = data[position : position + self._left]
            position += len(part)
            self._left -= len(part)
            yield from self._give(self._now, part)

    def _give(self, head: Head[K], part: bytes) -> Iterator[tuple[K, bytes, bool]]:
        if not self._left:
            self._now = None
        if head.streams:
            yield head.kind, part, not self._left
            return
        self._content += part
        if not self._left:
            content, self._content = self._content, b""
            yield head.kind, content, True

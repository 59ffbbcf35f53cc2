"""A real terminal with `dask helm ...` in it: what it shows, what is typed, how the command ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

ROWS, COLUMNS = 40, 140
CTRL_C = "\x03"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A command in a terminal.

    Attributes
    ----------
    raw : str
        All that was shown so far, with what colours it and moves the cursor.
    """

    def __init__(self, *command: str, **environment: str) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=there,
            stdout=there,
            stderr=there,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            # A session whose terminal this is, so that a typed Ctrl-C is a signal.
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing here has threads
        )
        os.close(there)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was shown, without colours and cursors."""
        return _CONTROL.sub("", self.raw)

    def type(self, text: str) -> None:
        os.write(self._here, text.encode())

    def until(self, text: str, timeout: float = 60) -> str:
        """Read until a text is among what was shown."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.text[-3000:]}"
            assert self._read(), f"{text!r} was not shown: {self.text[-3000:]}"
        return self.text

    def end(self, timeout: float = 120) -> int:
        """Read until the command has ended; its exit code."""
        deadline = time.monotonic() + timeout
        while self._read():
            assert time.monotonic() < deadline, f"no end: {self.text[-3000:]}"
        return self.process.wait(10)

    def _read(self) -> bool:
        """Read what there is; whether there may be more."""
        if not select.select([self._here], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._here, 65536)
        except OSError:  # the other side has closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._here)


@contextlib.contextmanager
def terminal(*arguments: str, **environment: str) -> Iterator[Terminal]:
    """`dask helm` with arguments, in a terminal of its own."""
    made = Terminal(str(Path(sys.executable).with_name("dask")), "helm", *arguments, **environment)
    try:
        yield made
    finally:
        made.close()


def shown(*arguments: str, code: int = 0, timeout: float = 120, **environment: str) -> str:
    """What a command shows until it has ended; fails where it ends otherwise than it should."""
    with terminal(*arguments, **environment) as made:
        ended = made.end(timeout)
        assert ended == code, made.text
        assert "Traceback" not in made.text
        return made.text

"""How much memory this process has come to need.

Source: proc(5), /proc/pid/clear_refs and /proc/pid/status.
"""

from __future__ import annotations

import re
from pathlib import Path

_BEFORE: list[int] = [0]


def begin() -> int:
    """Begin to look; the bytes that it needs now."""
    Path("/proc/self/clear_refs").write_text("5")
    _BEFORE[0] = now = peak()
    return now


def peak() -> int:
    """The most bytes that it needed at once since `begin`, or since it began."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) * 1024 if match else 0


def grown() -> int:
    """What came on top since `begin`."""
    return peak() - _BEFORE[0]

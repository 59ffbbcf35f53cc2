"""Starting, finding and ending daemons.

Belongs here: pids. A daemon is known by its pid and the time when that process began, so that a pid which the kernel
has given to another process since is never taken for it. Never here: which daemons there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_GRACE = 8.0


@dataclass(frozen=True)
class Daemon:
    """A program that runs in the background.

    Parameters
    ----------
    name : str
        Unique in the cluster.
    command : sequence of str
        What to run.
    state : path
        Folder of pid files.
    log : path
        Where its output goes.
    namespace : str
        Network namespace to run it in; empty for the host's.
    folder : path, optional
        Its working directory.
    """

    name: str
    command: Sequence[str]
    state: Path
    log: Path
    namespace: str = ""

    @property
    def _pidfile(self) -> Path:
        return self.state / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its pid while it lives."""
        try:
            record = json.loads(self._pidfile.read_text())
        except (OSError, ValueError):
            return None
        return int(record["pid"]) if began(int(record["pid"])) == record["began"] else None

    def start(self) -> None:
        """Start it, unless it runs."""
        while (pid := self.pid()) and _is_ending(pid):
            time.sleep(0.01)
        if pid:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # nsenter rather than `ip netns exec`, which mounts /sys anew and so hides the cgroups.
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}"] if self.namespace else []
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*enter, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        process.returncode = 0  # it outlives this program, so Popen need not warn that it still runs
        record = self._pidfile.with_suffix(".new")
        record.write_text(json.dumps({"pid": process.pid, "began": began(process.pid)}))
        record.rename(self._pidfile)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        pid = self.pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """End it: ask, wait, make."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            deadline = time.monotonic() + _GRACE
            while self.pid() and time.monotonic() < deadline:
                _reap()
                time.sleep(0.05)
        self._pidfile.unlink(missing_ok=True)

    def tail(self, lines: int = 5) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def _stat(pid: int) -> list[str]:
    """What the kernel tells of a process, from its state on; nothing where there is none.

    Source: proc(5), /proc/pid/stat; the state is its field 3.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_ending(pid: int) -> bool:
    """Whether it was killed, and only its last threads still end."""
    return _stat(pid)[:1] == ["Z"]


def began(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when there is no such process, or only its remains.

    One that is killed is a zombie while its other threads still end, and with them its sockets are still open.
    Source: proc(5), /proc/pid/stat, fields 3, 20 and 22.
    """
    fields = _stat(pid)
    if not fields or (fields[0] == "Z" and int(fields[17]) <= 1):
        return None
    return int(fields[19])


def _reap() -> None:
    """Take leave of children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass

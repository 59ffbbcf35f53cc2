"""Running commands and telling what goes on.

Belongs here: what every other module needs to act and to speak. Never here: knowing Kubernetes.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

#: Seconds between signs of life in a long step.
_HEARTBEAT = 8.0


class RigError(Exception):
    """What is wrong and what to do, in one sentence."""


def say(text: str) -> None:
    """Tell the user; standard output stays free for what programs read."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Tell that something begins, that it goes on, and how long it took: in place on a terminal, by lines elsewhere."""
    began, ended, live = time.monotonic(), threading.Event(), sys.stderr.isatty()

    def elapsed() -> str:
        return f"{time.monotonic() - began:.0f} s"

    def beat() -> None:
        while not ended.wait(1 if live else _HEARTBEAT):
            if live:
                _rewrite(f"==> {text}", f" ({elapsed()})")
            else:
                say(f"    ... {text} ({elapsed()})")

    if live:
        _rewrite(f"==> {text}", "")
    else:
        say(f"==> {text}")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if live:
            _rewrite(f"==> {text}", f" ({elapsed()})\n")
    if not live:
        say(f"    {elapsed()}")


def _rewrite(text: str, end: str) -> None:
    """Put a line in the place of the terminal's last one; cut, as a line that wraps can't be replaced."""
    width = shutil.get_terminal_size().columns - len(end) - 1
    cut = text if len(text) <= width else text[: width - 3] + "..."
    print(f"\r\033[K{cut}{end}", end="", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    text: str | None = None,
) -> str:
    """Run a command and return what it printed.

    Raises
    ------
    RigError
        It failed; says the end of what it printed.
    """
    result = subprocess.run(
        [str(part) for part in command],
        env=None if environment is None else dict(environment),
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip())[-800:]
        raise RigError(f"`{' '.join(str(part) for part in command)}` failed with {result.returncode}: {said}")
    return result.stdout


def succeeds(command: Sequence[str | Path]) -> bool:
    """Whether a command ends well."""
    return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode == 0


def until(reached: Callable[[], bool], *, timeout: float, what: str, interval: float = 0.1) -> None:
    """Wait until something is so.

    Raises
    ------
    RigError
        It was not so in time.
    """
    deadline = time.monotonic() + timeout
    while not reached():
        if time.monotonic() > deadline:
            raise RigError(f"{what} after {timeout:.0f} s")
        time.sleep(interval)


def in_parallel(*actions: Callable[[], object]) -> None:
    """Run actions side by side; the first error is raised when all have ended."""
    errors: list[BaseException] = []

    def guarded(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]

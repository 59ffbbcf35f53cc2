"""What is shown while waiting: by lines where there is no terminal, live where there is one."""

from __future__ import annotations

import io

import pytest

from dask_kubernetes_helm import progress
from dask_kubernetes_helm.progress import Progress


def console(file: io.TextIOBase, *, terminal: bool = False) -> progress._Console:
    return progress._Console(file=file, force_terminal=terminal, width=60)  # type: ignore[arg-type]


def test_lines_where_there_is_no_terminal() -> None:
    """Each change is one whole line that names what it is about; what has not changed is not said again."""
    file = io.StringIO()
    with Progress("Release demo", console=console(file)) as shown:
        shown.show("scheduler", "pulling image")
        shown.show("scheduler", "pulling image")
        shown.done("scheduler", "reached at tcp://a-very-long-address.that-would-wrap.example:8786 by [DNS]")
    assert file.getvalue().splitlines() == [
        "Release demo: scheduler: pulling image",
        "Release demo: scheduler: reached at tcp://a-very-long-address.that-would-wrap.example:8786 by [DNS]",
    ]


def test_quiet_says_nothing() -> None:
    """With quiet nothing is shown, on a terminal or elsewhere."""
    for terminal in (False, True):
        file = io.StringIO()
        with Progress("Release demo", quiet=True, console=console(file, terminal=terminal)) as shown:
            shown.show("scheduler", "pulling image")
            shown.heartbeat()
        assert file.getvalue() == ""


def test_silence_is_broken_by_what_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds without news the lines tell what is still awaited, and not what is done."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    file = io.StringIO()
    with Progress("Release demo", console=console(file)) as shown:
        shown.done("release", "installed")
        shown.show("scheduler", "pulling image")
        shown.heartbeat()
        now[0] = 9.0
        shown.heartbeat()
        shown.heartbeat()
    assert file.getvalue().splitlines()[2:] == ["Release demo: still waiting (9 s): scheduler: pulling image"]


def test_a_terminal_is_left_as_it_was() -> None:
    """The live display shows its rows, takes itself away, and gives the cursor back."""
    file = io.StringIO()
    with Progress("Release demo", console=console(file, terminal=True)) as shown:
        shown.show("scheduler", "pulling image")
    text = file.getvalue()
    assert "pulling image" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text.rstrip("\n").endswith("\x1b[2K")


def test_a_reader_that_leaves_stops_nothing() -> None:
    """Once nobody reads any more (`... | head`), showing goes on in silence and ends nothing."""

    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with Progress("Release demo", console=console(Left())) as shown:
        for text in ("pulling image", "starting", "ready"):
            shown.show("scheduler", text)

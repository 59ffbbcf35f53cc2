"""What is shown while waiting: by lines where there is no terminal, live where there is one."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dask_kubernetes_helm.waiting import progress, showing
from dask_kubernetes_helm.waiting.progress import Progress

from .fakes import pod


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


def test_plain_lines_stay_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a row that changes all the time a line comes every two seconds, and its end at once, with its time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    file = io.StringIO()
    with Progress("Release demo", console=console(file)) as shown:
        for number in range(50):
            now[0] = number / 10
            shown.show("workers", f"{number} starting")
            shown.heartbeat()
        shown.done("workers", "50 registered")
    assert file.getvalue().splitlines() == [
        "Release demo: workers: 0 starting",
        "Release demo: workers: 20 starting",
        "Release demo: workers: 40 starting",
        "Release demo: workers: 50 registered (5 s)",
    ]
    assert shown.marks[-1] == (4.9, "workers", "50 registered", True)


def test_what_was_not_told_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that came too soon after another one is told by a heartbeat, rather than never."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    file = io.StringIO()
    with Progress("Release demo", console=console(file)) as shown:
        shown.show("workers", "1 starting")
        shown.show("workers", "2 starting")
        shown.heartbeat()
        now[0] = 2.5
        shown.heartbeat()
        shown.heartbeat()
    assert file.getvalue().splitlines() == ["Release demo: workers: 1 starting", "Release demo: workers: 2 starting"]


def test_a_notebook_has_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook one display is made and changed, when there is news and each second, and it stays."""
    now, updates = [0.0], []

    class Handle:
        def update(self, table: Any) -> None:
            updates.append(table)

    def display(table: Any, *, display_id: bool) -> Handle:
        assert display_id
        updates.append(table)
        return Handle()

    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr("IPython.display.display", display)
    notebook = progress._Console(force_jupyter=True, width=60)
    with Progress("Release [demo]", console=notebook) as shown:
        shown.show("scheduler", "pulling [image]")
        shown.heartbeat()
        now[0] = 1.5
        shown.heartbeat()
        shown.done("scheduler", "reached")
    assert len(updates) == 3
    text = "".join(segment.text for segment in progress.Console(width=60).render(updates[1]))
    assert "Release [demo]" in text
    assert "pulling [image] 2 s" in text


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


def test_nobody_waits_for_who_was_evicted() -> None:
    """Pods that ended for good are not among those that are awaited; where there are no others, nothing is shown."""
    over, ready = {"phase": "Failed", "reason": "Evicted"}, {"conditions": [{"type": "Ready", "status": "True"}]}
    there = {"scheduler": [pod(**over)], "worker": [pod("w", "worker", **over), pod("v", "worker", **ready)]}

    class Watcher:
        def of(self, component: str) -> list[dict[str, Any]]:
            return there[component]

    shown = Progress("Release demo", quiet=True)
    showing.pods(Watcher(), shown)  # type: ignore[arg-type]
    assert [(row, text) for _, row, text, _ in shown.marks] == [("workers", "1 registered")]

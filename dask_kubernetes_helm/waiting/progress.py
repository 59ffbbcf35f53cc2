"""What the user sees while waiting: a live display in a terminal or notebook, plain lines elsewhere.

Belongs here: showing, and remembering when what was shown. Never here: knowing what is awaited, or waiting itself.
"""

from __future__ import annotations

import atexit
import contextlib
import time
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from typing_extensions import Self

#: Seconds after which a plain display repeats itself, so that nobody looks at a still screen.
_HEARTBEAT = 8.0
#: Seconds between two lines of the same row: of a hundred pods each tells of itself.
_CALM = 2.0
#: Seconds between two looks of a notebook's display at the clock.
_TICK = 1.0
#: Seconds below which a row's time is not worth telling.
_WORTH = 1.0


class _Console(Console):
    """A console whose reader may leave (`... | head`)."""

    def on_broken_pipe(self) -> None:
        """Go on in silence; rich would raise SystemExit, which ends Dask's event loop and leaves all waiting for it."""
        self.quiet = True


@dataclass
class _Row:
    """Something that is under way: at what, whether it is where it should be, since when, and until when."""

    text: str
    finished: bool
    began: float
    ended: float
    #: When a plain display last told of it, and whether it has what it did not tell.
    told: float = float("-inf")
    due: bool = False

    def seconds(self, now: float) -> float:
        return (self.ended if self.finished else now) - self.began


class Progress:
    """Rows of what is under way, each with its time.

    Parameters
    ----------
    title : str
        What all of it is about.
    quiet : bool
        Show nothing.
    console : rich.console.Console, optional
        Where to show it; standard error by default, so that standard output stays the user's.

    Attributes
    ----------
    marks : list of (float, str, str, bool)
        What was shown: seconds since the beginning, row, text, whether it had got there.

    Examples
    --------
    >>> with Progress("Release demo", quiet=True) as progress:
    ...     progress.show("scheduler", "pulling image")
    ...     progress.done("scheduler", "ready")
    >>> [mark[1:] for mark in progress.marks]
    [('scheduler', 'pulling image', False), ('scheduler', 'ready', True)]
    """

    def __init__(self, title: str, *, quiet: bool = False, console: Console | None = None) -> None:
        self._title, self._quiet = title, quiet
        self._console = console or _Console(stderr=True)
        self.marks: list[tuple[float, str, str, bool]] = []
        self._rows: dict[str, _Row] = {}
        self._spinners: dict[str, Spinner] = {}
        self._began = self._spoke = time.monotonic()
        self._live: Live | None = None
        self._notebook: Any = None
        #: A notebook has a place of its own, which is changed when there is news.
        self._noted = not quiet and self._console.is_jupyter and find_spec("IPython") is not None
        if not quiet and not self._noted and self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live:
            atexit.register(self._console.show_cursor)  # whatever ends the process, the terminal stays sane
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop showing, and leave the terminal as it was; a notebook keeps what it shows."""
        if self._live:
            self._live.stop()
            atexit.unregister(self._console.show_cursor)

    def show(self, row: str, text: str) -> None:
        """Say what a row is at."""
        self._put(row, text, finished=False)

    def done(self, row: str, text: str) -> None:
        """Say that a row is where it should be."""
        self._put(row, text, finished=True)

    def heartbeat(self) -> None:
        """Show that time goes by; call it now and then while waiting."""
        now = time.monotonic()
        if self._noted and now - self._spoke >= _TICK:
            self._note()
        elif not self._live and not self._noted:
            for name, row in self._rows.items():
                if row.due and now - row.told >= _CALM:
                    self._tell(name, row)
            if now - self._spoke >= _HEARTBEAT:
                waiting = [f"{name}: {row.text}" for name, row in self._rows.items() if not row.finished]
                self._say(f"still waiting ({now - self._began:.0f} s): {'; '.join(waiting)}")

    def _put(self, name: str, text: str, *, finished: bool) -> None:
        now, row = time.monotonic(), self._rows.get(name)
        if row and (row.text, row.finished) == (text, finished):
            return
        self.marks.append((now - self._began, name, text, finished))
        if row is None:
            row = self._rows[name] = _Row(text, finished, began=now, ended=now)
        row.text, row.finished, row.ended = text, finished, now
        if self._noted:
            self._note()
        elif not self._live:
            row.due = True
            if finished or now - row.told >= _CALM:
                self._tell(name, row)

    # Lines ----------------------------------------------------------------------------------------------

    def _tell(self, name: str, row: _Row) -> None:
        row.told, row.due = time.monotonic(), False
        seconds = row.seconds(row.told)
        took = f" ({seconds:.0f} s)" if row.finished and seconds >= _WORTH else ""
        self._say(f"{name}: {row.text}{took}")

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        if not self._quiet:
            with contextlib.suppress(BrokenPipeError):  # releases of rich before 13.8
                self._console.print(f"{self._title}: {line}", highlight=False, markup=False, soft_wrap=True)

    # Tables ---------------------------------------------------------------------------------------------

    def _note(self) -> None:
        """Show all rows in a notebook, in the place that they have there.

        Not rich's live display: it draws from a thread of its own, which takes other output along with it.
        """
        from IPython.display import display  # noqa: PLC0415 - there only in notebooks

        self._spoke = time.monotonic()
        if self._notebook is None:
            self._notebook = display(self._render(), display_id=True)
        else:
            self._notebook.update(self._render())

    def _render(self) -> Table:
        now, table = time.monotonic(), Table.grid(padding=(0, 1))
        table.add_row("", Text(self._title, "bold"), "", Text(f"{now - self._began:.0f} s", "dim"))
        for name, row in self._rows.items():
            mark = Text("✓", "green") if row.finished else self._waiting(name)
            seconds = row.seconds(now)
            table.add_row(
                mark, Text(name), Text(row.text), Text(f"{seconds:.0f} s" if seconds >= _WORTH else "", "dim")
            )
        return table

    def _waiting(self, row: str) -> Spinner | Text:
        """One spinner per row, kept, as a new one would always stand at its first frame; a notebook's would stand."""
        return Text("…", "yellow") if self._noted else self._spinners.setdefault(row, Spinner("dots", style="yellow"))

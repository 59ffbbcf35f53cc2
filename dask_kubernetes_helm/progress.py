"""What the user sees while waiting: a live display in a terminal or notebook, plain lines elsewhere.

Belongs here: showing. Never here: knowing what is awaited, or waiting itself.
"""

from __future__ import annotations

import atexit
import contextlib
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

if TYPE_CHECKING:
    from typing_extensions import Self

#: Seconds after which a plain display repeats itself, so that nobody looks at a still screen.
_HEARTBEAT = 8.0


class _Console(Console):
    """A console whose reader may leave (`... | head`)."""

    def on_broken_pipe(self) -> None:
        """Go on in silence; rich would raise SystemExit, which ends Dask's event loop and leaves all waiting for it."""
        self.quiet = True


class Progress:
    """Rows of what is under way.

    Parameters
    ----------
    title : str
        What all of it is about.
    quiet : bool
        Show nothing.
    console : rich.console.Console, optional
        Where to show it; standard error by default, so that standard output stays the user's.

    Examples
    --------
    >>> with Progress("Release demo", quiet=True) as progress:
    ...     progress.show("scheduler", "pulling image")
    ...     progress.done("scheduler", "ready")
    """

    def __init__(self, title: str, *, quiet: bool = False, console: Console | None = None) -> None:
        self._title, self._quiet = title, quiet
        self._console = console or _Console(stderr=True)
        self._rows: dict[str, tuple[str, bool]] = {}
        self._began = self._spoke = time.monotonic()
        self._live: Live | None = None
        if not quiet and (self._console.is_terminal or self._console.is_jupyter):
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
        """Stop showing, and leave the terminal as it was."""
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
        if not self._live and time.monotonic() - self._spoke >= _HEARTBEAT:
            waiting = [f"{row}: {text}" for row, (text, finished) in self._rows.items() if not finished]
            self._say(f"still waiting ({self._elapsed}): {'; '.join(waiting)}")

    @property
    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"

    def _put(self, row: str, text: str, *, finished: bool) -> None:
        if self._rows.get(row) == (text, finished):
            return
        self._rows[row] = (text, finished)
        if not self._live:
            self._say(f"{row}: {text}")

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        if not self._quiet:
            with contextlib.suppress(BrokenPipeError):  # releases of rich before 13.8
                self._console.print(f"{self._title}: {line}", highlight=False, markup=False, soft_wrap=True)

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_row("", f"[bold]{self._title}[/bold]", f"[dim]{self._elapsed}[/dim]")
        for row, (text, finished) in self._rows.items():
            mark = "[green]✓[/green]" if finished else self._spinner(row)
            table.add_row(mark, row, text)
        return table

    def _spinner(self, row: str) -> Spinner:
        """One spinner per row, kept, as a new one would always stand at its first frame."""
        if not hasattr(self, "_spinners"):
            self._spinners: dict[str, Spinner] = {}
        return self._spinners.setdefault(row, Spinner("dots", style="yellow"))

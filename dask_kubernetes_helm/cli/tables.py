"""Tables and colours for people.

Belongs here: the door to rich, as far as commands print. Never here: what stands in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: So wide is a table that no terminal reads: nothing is cut.
_WIDE = 1000
_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "installing": "yellow",
    "stopping": "yellow",
    "failing": "red",
    "failed": "red",
}
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def console() -> Console:
    """Standard output; as wide as it takes where that is no terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; words for how something stands have their colours."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(_cell(str(cell)) for cell in row))
    lines(made)


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names and what they are, one a line; what is empty is left out."""
    made = Table.grid(padding=(0, 2, 0, 0))
    for name, value in pairs:
        if value not in ("", None):
            made.add_row(Text(name, style="bold"), _cell(str(value)))
    lines(made)


def lines(renderable: Any) -> None:
    """Print anything that rich knows, without the blanks that it fills lines with."""
    out = console()
    if out.is_terminal:
        out.print(renderable)
        return
    with out.capture() as captured:
        out.print(renderable)
    out.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def report(found: Any) -> None:
    """Print what knows to show itself: drawn on a terminal, as text elsewhere."""
    out = console()
    if out.is_terminal:
        out.print(found)
    else:
        out.file.write(f"{found}\n")


def troubles(found: Iterable[tuple[str, str]]) -> None:
    """Print what is wrong, each with its cure."""
    out = console()
    for sentence, cure in found:
        out.print(Text.assemble(("✗ ", "red"), sentence), soft_wrap=True)
        if cure:
            out.print(Text(f"  {cure}"), soft_wrap=True)


def diff(text_lines: Iterable[str]) -> None:
    """Print lines of a difference, in colours on a terminal."""
    out = console()
    for line in text_lines:
        heading = line.startswith(("--- ", "+++ "))
        style = "bold" if heading else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        out.print(Text(line, style=style), soft_wrap=True)


def _cell(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def age(created: str) -> str:
    """How long ago something was made, in the larger two units.

    Examples
    --------
    >>> age("")
    ''
    """
    if not created:
        return ""
    return span((datetime.now(timezone.utc) - datetime.fromisoformat(created.replace("Z", "+00:00"))).total_seconds())


def span(seconds: float) -> str:
    """Seconds as people say them.

    Examples
    --------
    >>> span(45), span(3700), span(200000)
    ('45s', '1h1m', '2d7h')
    """
    rest, parts = int(max(0, seconds)), []
    for unit, size in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    if len(parts) < 2 and (rest or not parts):  # noqa: PLR2004 - two units tell enough
        parts.append(f"{rest}s")
    return "".join(parts[:2])

"""Small tables, as text and as HTML.

Belongs here: columns and escaping. Never here: what is in them.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")
_CELL = "text-align: left; vertical-align: top;"


def text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with aligned columns, the last one as long as it comes.

    Examples
    --------
    >>> print(text(["POD", "READY"], [["scheduler", "2.1 s"]]))
    POD        READY
    scheduler  2.1 s
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_html(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> str:
    """A table for a notebook.

    Examples
    --------
    >>> "&lt;b&gt;" in as_html(["POD"], [["<b>"]])
    True
    """
    head = "".join(f'<th style="{_CELL}">{html.escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    caption = f"<p><strong>{html.escape(title)}</strong></p>" if title else ""
    return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def escaped(sentences: Iterable[str]) -> list[str]:
    """Sentences as HTML."""
    return [html.escape(sentence) for sentence in sentences]


class Listing(list[T]):
    """A list that is shown as a table, as text and in a notebook.

    Attributes
    ----------
    HEADER : tuple of str
        What the columns are called.
    NOTHING : str
        What is shown of an empty one.
    """

    HEADER: ClassVar[tuple[str, ...]]
    NOTHING: ClassVar[str]

    def cells(self, item: T) -> Sequence[str]:
        """What a row has."""
        raise NotImplementedError

    def __str__(self) -> str:
        """As a table."""
        return text(self.HEADER, map(self.cells, self)) if self else self.NOTHING

    __repr__ = __str__

    def __getitem__(self, place: Any) -> Any:
        """One, or some as a table of their own."""
        found = super().__getitem__(place)
        return type(self)(found) if isinstance(place, slice) else found

    def _repr_html_(self) -> str:
        return as_html(self.HEADER, map(self.cells, self)) if self else f"<p>{html.escape(self.NOTHING)}</p>"

    def to_dict(self) -> list[dict[str, Any]]:
        """As plain data."""
        return [item.to_dict() for item in self]  # type: ignore[attr-defined]

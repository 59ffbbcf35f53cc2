"""What became of each leaf of a document: carried, without meaning, or lost with a reason. Each exactly once.

Belongs here: keeping that account. Never here: knowing any key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Path = tuple[str | int, ...]
_NOTHING: Any = object()


class Fate(Enum):
    """What became of a leaf."""

    CARRIED = "carried"
    #: It says what is so anyway: it is empty, a default, or had no effect where it comes from.
    SILENT = "silent"
    LOST = "lost"


class AccountedTwiceError(AssertionError):
    """A leaf whose fate is known was given another: a mistake in a table."""


@dataclass(frozen=True)
class Finding:
    """Something that is not carried as it stands.

    Attributes
    ----------
    path : tuple
        Where it stands.
    line : int, optional
        Of the file, from 1; None where the file does not say it, but its chart does by default.
    why, cure : str
        Sentences.
    lost : bool
        Nothing of it is in the values; else they carry it out otherwise.
    keys : tuple of str
        The leaves below the path that are concerned.
    """

    path: Path
    line: int | None
    why: str
    cure: str = ""
    lost: bool = True
    keys: tuple[str, ...] = ()


def written(path: Path) -> str:
    """A path as people write it.

    Examples
    --------
    >>> written(("spec", "containers", 0, "image"))
    'spec.containers[0].image'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of what holds nothing more: scalars, and mappings and lists that are empty."""
    if not value or not isinstance(value, dict | list):
        yield path
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, (*path, key))


class Ledger:
    """The account of one document.

    Parameters
    ----------
    tree
        Of JSON's types.
    lines : mapping, optional
        The line of each path.
    """

    def __init__(self, tree: Any, lines: Mapping[Path, int] | None = None) -> None:
        self._tree, self._lines = tree, dict(lines or {})
        self.fates: dict[Path, Fate] = {}
        self.findings: list[Finding] = []

    @property
    def root(self) -> Tracked:
        """The whole document."""
        return Tracked(self, (), self._tree)

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest that it is in; of the whole, the first."""
        if not path:
            return min(self._lines.values(), default=None)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    def settle(self, path: Path, fate: Fate) -> None:
        """Say what became of a leaf."""
        if path in self.fates:
            raise AccountedTwiceError(f"{written(path)} is {self.fates[path].value} and {fate.value}")
        self.fates[path] = fate

    def revoke(self, path: Path, why: str, cure: str, only: frozenset[str] = frozenset()) -> None:
        """What was thought to be carried is not; where that is some of it, the leaves that hold one of these words."""
        below = [leaf for leaf in leaves(Tracked.at(self, path).value, path) if self.fates.get(leaf) is Fate.CARRIED]
        some = [leaf for leaf in below if only & {str(Tracked.at(self, leaf).value), *map(str, leaf[len(path) :])}]
        below = some or below
        for leaf in below:
            self.fates[leaf] = Fate.LOST
        self.findings.append(Finding(path, self.line(path), why, cure, keys=tuple(written(leaf) for leaf in below)))

    def note(self, path: Path, why: str, cure: str = "") -> None:
        """Tell of something that is carried out otherwise; settles nothing."""
        self.findings.append(Finding(path, self.line(path), why, cure, lost=False))

    def implied(self, path: Path, why: str, cure: str) -> None:
        """Tell of something that the document has by default only, and that can't be carried."""
        self.findings.append(Finding(path, None, why, cure, keys=(written(path),)))

    def differs(self, path: Path, why: str, cure: str) -> None:
        """Tell of something that no document says, and that is otherwise where it is carried to."""
        self.findings.append(Finding(path, None, why, cure, lost=False))

    def close(self, why: str, cure: str) -> None:
        """What nobody has asked for is lost, told by the highest keys below which that is all."""
        for part in self.root.unread():
            part.lost(why, cure)


class Tracked:
    """A place in a document.

    Parameters
    ----------
    ledger : Ledger
        Where its account is kept.
    path : tuple
        Where it is.
    value
        What is there; not to be changed.
    """

    def __init__(self, ledger: Ledger, path: Path, value: Any) -> None:
        self.ledger, self.path, self.value = ledger, path, value

    @classmethod
    def at(cls, ledger: Ledger, path: Path) -> Tracked:
        """The place of a path that there is."""
        found = ledger.root
        for part in path:
            found = cls(ledger, (*found.path, part), found.value[part])
        return found

    def get(self, *parts: str | int) -> Tracked | None:
        """The place below, if there is one."""
        found = self
        for part in parts:
            value = found.value
            there = (isinstance(value, dict) and part in value) or (
                isinstance(value, list) and isinstance(part, int) and part < len(value)
            )
            if not there:
                return None
            found = Tracked(self.ledger, (*found.path, part), value[part])
        return found

    def said(self, *parts: str | int) -> Tracked | None:
        """The place below, if it says something; what is empty is settled as that."""
        found = self.get(*parts)
        if found is not None and found.value in (None, "", {}, []):  # 0 and False say something
            found.silent()
            return None
        return found

    def children(self) -> list[Tracked]:
        """The places right below."""
        value = self.value
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [Tracked(self.ledger, (*self.path, key), item) for key, item in pairs]

    def open(self) -> list[Path]:
        """The leaves here and below whose fate is not known yet."""
        return [leaf for leaf in leaves(self.value, self.path) if leaf not in self.ledger.fates]

    def unread(self) -> Iterator[Tracked]:
        """The highest places below which nothing is known."""
        still, everything = self.open(), list(leaves(self.value, self.path))
        if not still:
            return
        if len(still) == len(everything) and self.path:
            yield self
            return
        if not self.children():
            yield self
        for child in self.children():
            yield from child.unread()

    def peek(self) -> Any:
        """A copy of what is here, without what is settled; settles nothing. None where nothing is left."""
        found = self._open(self.value, self.path)
        return None if found is _NOTHING else found

    def take(self) -> Any:
        """A copy of what is here, without what is settled; all of it is carried now."""
        found = self.peek()
        self._settle(Fate.CARRIED)
        return found

    def silent(self) -> None:
        """It says nothing that is not so anyway."""
        self._settle(Fate.SILENT)

    def hush(self) -> None:
        """What is empty here and below says nothing."""
        for leaf in self.open():
            place = Tracked.at(self.ledger, leaf)
            if place.value in (None, "", {}, []):
                place.silent()

    def lost(self, why: str, cure: str = "") -> None:
        """It can't be carried; a sentence on why, and one on what to do instead."""
        below = self._settle(Fate.LOST)
        if below:
            keys = tuple(written(leaf) for leaf in below)
            self.ledger.findings.append(Finding(self.path, self.ledger.line(self.path), why, cure, keys=keys))

    def note(self, why: str, cure: str = "") -> None:
        """It is carried out otherwise; settles nothing."""
        self.ledger.note(self.path, why, cure)

    def _settle(self, fate: Fate) -> list[Path]:
        below = self.open()
        for leaf in below:
            self.ledger.settle(leaf, fate)
        return below

    def _open(self, value: Any, path: Path) -> Any:
        if not value or not isinstance(value, dict | list):
            return _NOTHING if path in self.ledger.fates else value
        if isinstance(value, dict):
            pairs = {key: self._open(item, (*path, key)) for key, item in value.items()}
            kept: Any = {key: item for key, item in pairs.items() if item is not _NOTHING}
        else:
            items = [self._open(item, (*path, index)) for index, item in enumerate(value)]
            kept = [item for item in items if item is not _NOTHING]
        return kept or _NOTHING

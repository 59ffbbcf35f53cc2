"""Shell scripts in a pod template's command, as far as it takes to find a command in one and to change its words.

Belongs here: words, quotes, operators, and edits by their places. Never here: what the words mean. A script with more
in it than this understands (here-documents, backquotes) is none that could be changed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_QUOTED = r"""'[^']*'|"(?:[^"\\`]|\\.)*\""""
_EXPANSION = r"\$\(\([^`]*?\)\)|\$\([^()`]*\)|\$\{[^}`]*\}|\$"
_WORD = rf"""(?:[^\s'"\\;&|<>()`$#]|\\[^\n]|{_QUOTED}|{_EXPANSION}|(?<=\S)\#)+"""
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:[ \t\r]|\\\n)+)
  | (?P<comment>\#[^\n]*)
  | (?P<redirect>(?:\d+|&)?(?:>>|>\||[<>]&?|<<<)(?!<)(?:[ \t]*{_WORD}))
  | (?P<operator>&&|\|\||;;|[;&|\n()])
  | (?P<word>{_WORD})
    """,
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=.*", re.DOTALL)
_RESERVED = {
    "!",
    "{",
    "if",
    "then",
    "else",
    "elif",
    "while",
    "until",
    "do",
    "for",
    "case",
    "select",
    "function",
    "time",
}
_PARAMETERS = re.compile(r"\$\{?[@*#0-9]|\bshift\b|\bset +--(?= |$)", re.MULTILINE)


@dataclass(frozen=True)
class Word:
    """A word of a script: as it stands, what the shell makes of it, and where it stands."""

    text: str
    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Simple:
    """A simple command of a script: its words, and whether the script ends with it."""

    words: tuple[Word, ...]
    last: bool

    @property
    def values(self) -> list[str]:
        """What the shell makes of the words; variables stay as they are written."""
        return [word.value for word in self.words]

    def exec_at(self, script: str) -> int | None:
        """Where an `exec` belongs, by which the command takes the shell's place and gets its signals; None: nowhere."""
        if not self.last or re.search(r"\btrap\b", script):
            return None
        for word in self.words:
            if _ASSIGNMENT.fullmatch(word.text):
                continue
            return None if word.text == "exec" or word.text in _RESERVED else word.start
        return None


@dataclass(frozen=True)
class Edit:
    """Other text for a part of a script."""

    start: int
    end: int
    text: str


def parse(script: str) -> list[Simple] | None:
    """The simple commands of a script; None when it has more in it than this understands.

    Examples
    --------
    >>> [command.values for command in parse("cd /x && run 'a b' > log")]
    [['cd', '/x'], ['run', 'a b']]
    """
    commands: list[Simple] = []
    words: list[Word] = []
    piped = False
    position = 0
    while position < len(script):
        match = _TOKEN.match(script, position)
        if not match:
            return None
        position = match.end()
        kind, text = match.lastgroup, match.group()
        if kind == "word":
            words.append(Word(text, _value(text), match.start(), match.end()))
        if kind == "operator":
            if words:
                over = text in (";", "\n") and not piped and _ends(script[position:])
                commands.append(Simple(tuple(words), over))
            words, piped = [], text == "|"
    if words:
        commands.append(Simple(tuple(words), not piped))
    return commands


def uses_parameters(text: str) -> bool:
    """Whether a script, or what is left of it, looks at its own arguments."""
    return bool(_PARAMETERS.search(text))


def edited(script: str, edits: Sequence[Edit]) -> str:
    """The script with other text at some places; nothing goes together with the blanks before it."""
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        before = script[: edit.start]
        if not edit.text and edit.end > edit.start:
            before = before.rstrip(" \t")
        script = before + edit.text + script[edit.end :]
    return script


def quoted(word: str) -> str:
    """A word as a script writes it: what the shell is to fill in still is."""
    if "$" in word and not word.endswith("$(DASKHELM_POD_NAME)"):
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return shlex.quote(word)


def _ends(rest: str) -> bool:
    return not re.sub(r"#[^\n]*", "", rest).strip(" \t\r\n;")


def _value(text: str) -> str:
    try:
        parts = shlex.split(text)
    except ValueError:
        return text
    return parts[0] if len(parts) == 1 else text

"""Secrets taken out of what is given away.

Belongs here: what looks like a secret, by its name, its form or because it is known to be one; on plain data. Never
here: where secrets are found out (collecting.py).

Two nets, one behind the other: values of names that tell (`password:`, `API_TOKEN=`) and of forms that tell (private
keys, tokens in URLs and headers) are masked wherever they are; and each value that was found to be a secret in one
place is masked in all others as well, a log's lines among them.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

MASK = "(left out)"
#: Characters from which on a value is masked wherever it is: a shorter one is a part of too many words.
KNOWN_FROM = 6
#: Characters from which on a line of a longer secret is one of its own.
_LINE_FROM = 16
#: Characters up to which what a text comes to is remembered, and from which on it is taken piece by piece, so that
#: other threads get their turn.
_SHORT, _PIECE = 200, 1 << 16

_ENVIRONMENT = re.compile(r"TOKEN|PASSW|PASSPHRASE|SECRET|KEY|CREDENTIAL")
_UPPER = re.compile(r"[A-Z][A-Z0-9_]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_SECRET_WORDS = {
    *(
        "token",
        "tokens",
        "password",
        "passwords",
        "passwd",
        "passphrase",
        "secret",
        "secrets",
        "credential",
        "credentials",
    ),
    *("apikey", "apitoken", "accesskey", "secretkey", "privatekey", "authorization"),
}
_KEY_OF = {
    "api",
    "access",
    "private",
    "secret",
    "signing",
    "encryption",
    "account",
    "storage",
    "shared",
    "ssh",
}
#: Last words of names that tell where a secret is, or of what kind.
_REFERS = {"name", "names", "ref", "refs", "path", "file", "files", "seconds", "type", "dir", "namespace", "class"}
#: Where a secret is: masked where it stands, but no secret that would have to be found elsewhere.
_FILE = re.compile(r"/(?:etc|var|run|home|opt|tmp|usr|mnt|root|dask)/[\w./-]*")
_REFERENCES = {"existingsecret", "pullsecrets", "imagepullsecrets", "secretkeyref"}

_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'\\,;&<>(){}\[\]][^\s"'\\,;&<>(){}\[\]]*)"""
_TELLING = (
    r"token|passw(?:or)?d|passphrase|secret|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|client-key-data"
)
_PATTERNS = [
    # A private key, whole or cut off; in JSON its lines end otherwise.
    (re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\b(bearer|basic)(\s+)[\w.~+/-]{8,}=*", re.IGNORECASE), rf"\1\2{MASK}"),
    (re.compile(r"(\b[a-z][\w+.-]*://)[^\s/@\"']+@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}"), MASK),
    (re.compile(rf"((?:{_TELLING})s?[\"']?\s*[:=]\s*){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"(\b[A-Z0-9_]*(?:{_ENVIRONMENT.pattern})[A-Z0-9_]*[\"']?\s*[:=]\s*){_VALUE}"), rf"\1{MASK}"),
    (re.compile(rf"(--?[\w-]*(?:{_TELLING})\s+){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
]
#: One look that tells whether any of these can be in a text: most texts in a large scheduler's state have none.
_HINT = re.compile(
    rf"{_TELLING}|{_ENVIRONMENT.pattern}|-----BEGIN|bearer|basic|@|eyJ|AKIA|ASIA|gh[pousr]_", re.IGNORECASE
)
_OPTION = re.compile(rf"--?[\w-]*(?:{_TELLING})", re.IGNORECASE)


@functools.lru_cache(maxsize=10_000)
def tells(name: str, *, variable: bool = False) -> bool:
    """Whether something of this name is a secret.

    Parameters
    ----------
    name : str
        A key, or a variable's name.
    variable : bool
        It is an environment variable's.

    Examples
    --------
    >>> tells("adminPassword"), tells("AWS_ACCESS_KEY_ID"), tells("secretName"), tells("topologyKey")
    (True, True, False, False)
    """
    if variable or _UPPER.fullmatch(name):
        return bool(_ENVIRONMENT.search(name.upper()))
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _REFERS or "".join(words) in _REFERENCES:
        return False
    pairs = itertools.pairwise(words)
    return not _SECRET_WORDS.isdisjoint(words) or any(
        first in _KEY_OF and second in ("key", "keys") for first, second in pairs
    )


class Redactor:
    """Takes secrets out of texts and data.

    Parameters
    ----------
    harmless : iterable of str
        What is no secret, whatever it is the value of.

    Examples
    --------
    >>> redactor = Redactor()
    >>> redactor.learn_from({"env": [{"name": "DB_PASSWORD", "value": "tr0ub4dor"}]})
    >>> redactor.text("connects as tr0ub4dor")
    'connects as (left out)'
    """

    def __init__(self, harmless: Iterable[str] = ()) -> None:
        self._harmless, self._known = {*harmless, MASK}, set[str]()
        self._longest_first: list[str] = []
        #: What short texts come to: a large state says the same over and over.
        self._seen: dict[str, str] = {}

    def learn(self, secret: str) -> None:
        """Mask this wherever it is, also as JSON, URLs and base64 have it."""
        secret = secret.strip()
        if len(secret) < KNOWN_FROM or secret in self._harmless or _FILE.fullmatch(secret):
            return
        forms = {secret, *_escaped(secret)}
        forms |= {
            line for line in map(str.strip, secret.splitlines()) if len(line) >= _LINE_FROM and "-----" not in line
        }
        for text in forms:
            self._known |= {text, quote(text, safe="", errors="replace"), quote(text, errors="replace")}
        self._longest_first = sorted(self._known, key=len, reverse=True)
        self._seen.clear()

    def learn_from(self, data: Any) -> None:
        """Learn what stands under names that tell."""
        self._walk(data, self.learn)

    def text(self, text: str) -> str:
        """A text without what is known, and without what looks like a secret."""
        if len(text) > _SHORT:
            return "".join(map(self._masked_text, _pieces(text)))
        if text not in self._seen:
            self._seen[text] = self._masked_text(text)
        return self._seen[text]

    def _masked_text(self, text: str) -> str:
        for known in self._longest_first:
            if known in text:
                text = text.replace(known, MASK)
        if _HINT.search(text):
            for pattern, instead in _PATTERNS:
                text = pattern.sub(instead, text)
        return text

    def data(self, data: Any) -> Any:
        """Plain data likewise; what stands under a name that tells is masked whatever it looks like."""
        return self._walk(data, None)

    def _walk(self, data: Any, found: Callable[[str], None] | None, *, variables: bool = False) -> Any:
        """Data with secrets masked; or, where `found` is given, each that a name gave away told to it."""
        if isinstance(data, Mapping):
            return self._mapping(data, found, variables=variables)
        if isinstance(data, (list, tuple, set, frozenset)):
            items = list(data)
            return [
                self._masked(item, found) if _follows_option(items, place) else self._walk(item, found)
                for place, item in enumerate(items)
            ]
        return self.text(data) if isinstance(data, str) and not found else data

    def _mapping(
        self, data: Mapping[Any, Any], found: Callable[[str], None] | None, *, variables: bool
    ) -> dict[str, Any]:
        name = str(data.get("name") or "")
        kept = {}
        for key, value in data.items():
            said = str(key)
            variable = said == "value" and bool(name)
            secret = tells(name, variable=True) if variable else tells(said, variable=variables)
            if secret and not isinstance(value, Mapping):
                inner = self._masked(value, found)
            else:
                inner = self._walk(value, found, variables=said == "env")
            kept[said if found else self.text(said)] = inner
        return kept

    def _masked(self, value: Any, found: Callable[[str], None] | None) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._masked(item, found) if isinstance(item, str) else self._walk(item, found) for item in value]
        if value is None or isinstance(value, (bool, Mapping)) or value == "":
            return self._walk(value, found)
        if found:
            found(str(value))
        return MASK


def _follows_option(items: list[Any], place: int) -> bool:
    """Whether an argument is the value of an option before it that is a secret's."""
    before = items[place - 1] if place else None
    return isinstance(items[place], str) and isinstance(before, str) and bool(_OPTION.fullmatch(before))


def _escaped(text: str) -> Iterator[str]:
    """A text as it is written where it can't stand as it is."""
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield base64.b64encode(text.encode(errors="surrogatepass")).decode()


def _pieces(text: str) -> Iterator[str]:
    """A long text in pieces of whole lines, in which no key of several lines is divided."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + _PIECE) + 1 or len(text)
        opened = text.rfind("-----BEGIN", begin, end)
        closed = text.find("-----END", opened) if opened >= 0 else 0
        if closed >= end or closed < 0:  # one that is cut off has no end
            end = (text.find("\n", closed) + 1 if closed > 0 else 0) or len(text)
        yield text[begin:end]
        begin = end

"""Secrets taken out of what is given away.

Belongs here: what looks like a secret, by its name, its form or because it is known to be one; on plain data. Never
here: where secrets are found out (collecting.py).

Two nets, one behind the other: values of names that tell (`password:`, `API_TOKEN=`) and of forms that tell (private
keys, tokens in URLs and headers) are masked wherever they are; and each value that was found to be a secret in one
place is masked in all others as well, a log's lines among them.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "(left out)"
#: Characters from which on a value is masked wherever it is: a shorter one is a part of too many words.
KNOWN_FROM = 6
#: Characters from which on a line of a longer secret is one of its own.
_LINE_FROM = 16

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
    "client",
    "shared",
    "ssh",
}
#: Last words of names that tell where a secret is, or of what kind.
_REFERS = {"name", "names", "ref", "refs", "path", "file", "files", "seconds", "type", "dir", "namespace", "class"}
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
_OPTION = re.compile(rf"--?[\w-]*(?:{_TELLING})", re.IGNORECASE)


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
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secret: str) -> None:
        """Mask this wherever it is, also as JSON, URLs and base64 have it."""
        secret = secret.strip()
        lines = [line.strip() for line in secret.splitlines()]
        for text in [secret, *(line for line in lines if len(line) >= _LINE_FROM and not line.startswith("-----"))]:
            if len(text) < KNOWN_FROM or text in self._harmless:
                continue
            coded = base64.b64encode(text.encode(errors="surrogatepass")).decode()
            forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
            forms |= {coded, quote(text, safe="", errors="replace"), quote(text, errors="replace")}
            self._known |= forms
        self._pattern = None

    def learn_from(self, data: Any) -> None:
        """Learn what stands under names that tell."""
        self._walk(data, self.learn)

    def text(self, text: str) -> str:
        """A text without what is known, and without what looks like a secret."""
        text = self._without_known(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def data(self, data: Any) -> Any:
        """Plain data likewise; what stands under a name that tells is masked whatever it looks like."""
        return self._walk(data, lambda _: None)

    def _without_known(self, text: str) -> str:
        if self._pattern is None:
            longest = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest)) or r"(?!)")
        return self._pattern.sub(MASK, text)

    def _walk(self, data: Any, found: Any, *, variables: bool = False) -> Any:
        """Data with secrets masked; `found` is told of each that a name gave away."""
        if isinstance(data, Mapping):
            return self._mapping(data, found, variables=variables)
        if isinstance(data, (list, tuple, set, frozenset)):
            items = list(data)
            return [
                self._masked(item, found) if _follows_option(items, place) else self._walk(item, found)
                for place, item in enumerate(items)
            ]
        return self.text(data) if isinstance(data, str) else data

    def _mapping(self, data: Mapping[Any, Any], found: Any, *, variables: bool) -> dict[str, Any]:
        name = str(data.get("name") or "")
        kept = {}
        for key, value in data.items():
            said = str(key)
            variable = said == "value" and bool(name)
            secret = tells(name, variable=True) if variable else tells(said, variable=variables)
            if secret and not isinstance(value, Mapping):
                kept[self.text(said)] = self._masked(value, found)
            else:
                kept[self.text(said)] = self._walk(value, found, variables=said == "env")
        return kept

    def _masked(self, value: Any, found: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._masked(item, found) if isinstance(item, str) else self._walk(item, found) for item in value]
        if value is None or isinstance(value, (bool, Mapping)) or value == "":
            return self._walk(value, found)
        found(str(value))
        return MASK


def _follows_option(items: list[Any], place: int) -> bool:
    """Whether an argument is the value of an option before it that is a secret's."""
    before = items[place - 1] if place else None
    return isinstance(items[place], str) and isinstance(before, str) and bool(_OPTION.fullmatch(before))
